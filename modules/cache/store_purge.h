/*
 * store_purge: what has been declared void: by tag, by prefix of the key, altogether.
 *
 * Nothing is looked for at a purge. A clock counts purges; every object has the time at which it
 * was asked for; a purge puts down its own time, under the hash of a tag in a table of fixed size,
 * in a short list of prefixes, or for all. An object that is about to be used, and has not been
 * since the last purge, is held against these. Tags that share a place in the table are purged
 * together: too much is dropped then, never too little. The key itself counts as a tag, so that
 * what is being fetched when its key is purged is void when it comes.
 *
 * Purges are written to a file beside the objects, since those survive a restart. When the manager
 * has been through all objects after a purge, the prefixes are forgotten and the file is written
 * anew. Nothing suspends.
 */
#ifndef MODULES_CACHE_STORE_PURGE_H
#define MODULES_CACHE_STORE_PURGE_H

#include "core/base/str.h"
#include "core/shared/slab.h"

typedef struct store_purge store_purge_t;

enum {
    STORE_PREFIXES = 32,
    STORE_PURGE_START = 1, /* the clock before the first purge */
};

typedef enum store_verdict {
    STORE_GOOD,
    STORE_SOFT, /* purged softly */
    STORE_VOID,
} store_verdict_t;

/* NULL: no room. places: of the table; a power of two. */
store_purge_t *store_purge_init(slab_t *slab, unsigned places);
size_t store_purge_bytes(unsigned places);

/* What an object is held against. */
typedef struct store_suspect {
    uint32_t born;
    uint64_t key_hash;
    str_t key;
    const char *tags; /* hashes, 8 bytes each, perhaps not aligned */
    unsigned tag_count;
} store_suspect_t;

/* The time: nothing that was found good at it has been purged while it stays the same. */
static inline uint32_t store_purge_clock(const store_purge_t *p)
{
    return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

store_verdict_t store_purge_check(store_purge_t *p, const store_suspect_t *s);

uint64_t store_purge_tag_hash(str_t tag);

/* dir: the descriptor of the store's directory, for the file; -1: none is kept. */
void store_purge_hash(store_purge_t *p, int dir, uint64_t hash, bool soft);
void store_purge_everything(store_purge_t *p, int dir, bool soft);
/* -EAGAIN: the list is full. */
int store_purge_begin(store_purge_t *p, int dir, str_t prefix, bool soft);

/* Whether a prefix that is still kept is later than that; whether few more can be kept. */
bool store_purge_prefixed(const store_purge_t *p, uint32_t born);
bool store_purge_crowded(store_purge_t *p);

/* Reads the file, once in the life of the zone: before any object is. */
void store_purge_load(store_purge_t *p, int dir);

/* An object of an earlier run was asked for at that time: the clock does not go back, though its
   file may have been lost. */
void store_purge_seen(store_purge_t *p, uint32_t born);

/* All objects have been held against everything up to that time of the clock. */
void store_purge_settled(store_purge_t *p, int dir, uint32_t until);

#endif
