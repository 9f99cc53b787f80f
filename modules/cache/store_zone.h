/*
 * store_zone: one store: its settings, what it shares with all processes, and what a process has of
 * its own (store_setup makes them). For the rooms of the store alone.
 */
#ifndef MODULES_CACHE_STORE_ZONE_H
#define MODULES_CACHE_STORE_ZONE_H

#include "core/config/value.h"
#include "core/shared/zone.h"
#include "modules/cache/store.h"
#include "modules/cache/store_file.h"
#include "modules/cache/store_index.h"
#include "modules/cache/store_memory.h"
#include "modules/cache/store_purge.h"

enum {
    STORE_VARIANT_PASS = 1,  /* under these the index keeps what is no object */
    STORE_VARIANT_COUNT = 2,
    STORE_VARY_FULL = 0xffff,
    STORE_FULL_MS = 10000,   /* how long nothing is stored when the disk is full */
};

typedef struct store_options {
    str_t name, path; /* path: absolute, NUL-terminated */
    uint8_t levels[STORE_FILE_LEVELS];
    size_t keys_size, memory_size; /* bytes; memory_size 0: no memory tier */
    uint64_t max_size, min_free;   /* bytes; 0: none */
    msec_t inactive;
    unsigned manager_files, loader_files; /* at one go */
    msec_t manager_threshold, manager_sleep, loader_threshold, loader_sleep;
    unsigned rows; /* processes at one time */
} store_options_t;

/* What a process counts, one writer each: store_stats_t up to `broken`. */
typedef struct store_counts {
    uint64_t answers[STORE_ANSWERS], coalesced, opened, opened_memory, absent, passes, waited,
        followed, packed, stored, refreshed, abandoned, evicted, inactive, purged, broken;
} store_counts_t;

typedef struct store_varies store_varies_t;

enum { STORE_LOAD_NONE, STORE_LOAD_RUNNING, STORE_LOAD_DONE };

typedef struct store_shared {
    store_index_t *index;
    store_purge_t *purge;
    struct store_fills *fills;
    store_varies_t *varies;
    store_counts_t *counts; /* rows */
    uint64_t next_id;
    uint64_t full_until;    /* clock_ms; 0: the disk has room */
    uint32_t room_wanted;   /* by somebody in the middle of a body */
    uint64_t manager;       /* who it is (store_lane) */
    uint32_t load;          /* STORE_LOAD_... */
} store_shared_t;

struct store {
    store_t *next;
    store_options_t options;
    zone_t *keys, *memory_zone; /* memory_zone NULL: no memory tier */
    bool declared, entered;
    const tree_node_t *node; /* the first directive that names it */
    /* Of this process, since store_enter. */
    store_shared_t *shared;
    store_memory_t *memory; /* NULL: none */
    store_counts_t *counts;
    store_dir_t dir;
};

/* Where the numbers of lists of selecting fields stand. NULL: no room. */
store_varies_t *store_zone_varies(slab_t *slab);

/* A number for a list of selecting fields, the same as ever; STORE_VARY_FULL: there are too many.
   And back. */
uint16_t store_zone_vary(store_t *s, str_t vary);
str_t store_zone_vary_text(const store_t *s, uint16_t number);

uint64_t store_zone_next_id(store_t *s);

/* Later bodies get ids above this one. */
void store_zone_seen_id(store_t *s, uint64_t id);

/* The disk is full: nothing is stored for a while, which is said once. And whether that is so. */
void store_zone_full(store_t *s, int err);
bool store_zone_is_full(store_t *s);

/* The hash of a variant's text; 0 of "". */
uint64_t store_zone_variant(str_t variant);

/* The name of an object's file. */
static inline store_file_t store_zone_file(const store_entry_t *e)
{
    return (store_file_t){{e->key[0], e->key[1]}, e->variant, e->id};
}

/* What of an entry that has gone is still there: its memory, its file. */
void store_zone_clear(store_t *s, const store_entry_t *gone);

/* The same for an entry that had to go for want of room (STORE_KIND_FREE: none had). */
void store_zone_evicted(store_t *s, const store_entry_t *gone);

#define STORE_COUNT(s, what) ((s)->counts->what++)

#endif
