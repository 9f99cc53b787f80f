/*
 * sticky_table: sessions and the servers they belong to, in a zone: `sticky learn`.
 *
 * A session stands in one of the few places that its key leads to; where all are taken, the one
 * that was asked for longest ago gives way. A process that is killed in the middle leaves a place
 * empty at worst. Keys and owners are hashes under the process key (hash.h), so nobody outside can
 * make two collide. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_STICKY_TABLE_H
#define MODULES_UPSTREAM_STICKY_TABLE_H

#include <stdint.h>

#include "core/shared/shm.h"
#include "core/shared/slab.h"

typedef struct sticky_session {
    uint64_t key;
    uint64_t owner;   /* whose it is; 0: a free place */
    uint64_t used_ms; /* clock_ms when it was last asked for */
} sticky_session_t;

typedef struct sticky_table {
    shm_lock_t lock;
    size_t rows;
    sticky_session_t *sessions; /* rows x STICKY_ROW */
} sticky_table_t;

enum { STICKY_ROW = 8 };

/* Makes the content: init of the zone; size points to the zone's bytes. */
void *sticky_table_init(slab_t *slab, void *size);

/* Whose session it is, unless it was not asked for in timeout_ms; 0: nobody's. */
uint64_t sticky_table_find(sticky_table_t *t, uint64_t key, uint64_t timeout_ms);

/* It is the owner's from now on. */
void sticky_table_put(sticky_table_t *t, uint64_t key, uint64_t owner);

#endif
