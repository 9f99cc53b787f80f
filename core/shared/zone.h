/*
 * zone: named shared memory that survives a reload.
 *
 * A configuration asks for zones by name, size and kind while it is read; the master maps them when
 * the generation is prepared. A zone that the previous generation had with the same name, size and
 * kind is handed on with its content; otherwise it is fresh and `init` is called for it in the
 * master. A zone is unmapped when no generation refers to it any longer. Workers see what is mapped
 * when they are forked and never release. Nothing suspends.
 */
#ifndef CORE_SHARED_ZONE_H
#define CORE_SHARED_ZONE_H

#include "core/base/pool.h"
#include "core/shared/slab.h"

typedef struct zone {
    struct zone *next;
    str_t name;
    size_t size;      /* bytes, rounded up to pages; 0: only referred to so far */
    const char *kind; /* what it is for; two users of one name must agree */
    bool file;        /* set behind zone_want: it is to lie in a memfd */
    int fd;           /* the memfd then; the slab is at its start */
    slab_t *slab;     /* NULL until the zone is mapped */
    void *root;       /* what init made, inside the zone */
    /*
     * Makes the content of a fresh zone: returns its root, or NULL when the zone is too small.
     * NULL when there is nothing to make.
     */
    void *(*init)(slab_t *slab, void *arg);
    void *arg;
    struct zone_memory *memory; /* shared by the generations that use it */
} zone_t;

typedef struct zone_set {
    pool_t *pool; /* of the configuration; holds the zones and the texts */
    zone_t *first;
} zone_set_t;

enum { ZONE_SIZE_MIN = SLAB_SIZE_MIN };

/*
 * Declares a zone, or finds the one already declared in this set. NULL and *why when size or kind
 * disagree with it or the size is too small. size 0 refers to a zone declared elsewhere, perhaps
 * later; init and arg are then not looked at. A parameter that gives the content its meaning (the
 * key of a limit) belongs into kind. Name and kind are copied.
 */
zone_t *zone_want(zone_set_t *set, str_t name, size_t size, const char *kind,
                  void *(*init)(slab_t *slab, void *arg), void *arg, const char **why);

/*
 * Maps all zones, taking over from `before` (may be NULL). False and *why (a zone that is referred
 * to but not declared, no memory, a zone too small for its content); nothing changed then.
 */
bool zone_set_map(zone_set_t *set, const zone_set_t *before, const char **why);

/* Lets go of all zones of the set; in the master, once per set that was mapped. */
void zone_set_release(zone_set_t *set);

#endif
