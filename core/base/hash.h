/*
 * hash: a keyed hash of bytes, and a map from text to pointer.
 *
 * The key is random per start of the master and shared by its workers, so a peer cannot choose
 * colliding names. Maps live in a pool, grow, and are never shrunk; keys are not copied (they must
 * outlive the map). To fold case, lower the key before. Nothing suspends.
 */
#ifndef CORE_BASE_HASH_H
#define CORE_BASE_HASH_H

#include "core/base/pool.h"

/* SipHash-1-3 (Aumasson and Bernstein 2012, reduced rounds) under the process key. */
uint64_t hash_bytes(str_t s);

/*
 * SipHash-1-3 with 128 bits of output under a fixed key: the same in every run, for names on disk.
 * Whoever knows the key can make collisions, so the text itself must be compared as well.
 */
void hash_wide(str_t s, uint64_t out[2]);

/* The same with SipHash-2-4 and the given key: what the known answers are for. */
void hash_wide_24(str_t s, const unsigned char key[16], uint64_t out[2]);

/* Sets the process key (16 random bytes); called once, before any map is made. */
void hash_seed(const unsigned char key[16]);

typedef struct hash_slot {
    str_t key;
    uint64_t hash;
    void *value; /* NULL: slot is empty */
} hash_slot_t;

typedef struct hash_map {
    pool_t *pool;
    hash_slot_t *slots;
    size_t mask, count;
} hash_map_t;

void hash_map_init(hash_map_t *map, pool_t *pool);

/* The value under key, or NULL. */
void *hash_map_get(const hash_map_t *map, str_t key);

/* Stores value (not NULL) under key. Returns the value that was there before (replaced), or NULL.
   */
void *hash_map_set(hash_map_t *map, str_t key, void *value);

#endif
