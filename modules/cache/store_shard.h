/*
 * store_shard: a part of the index: its lock, chains, queues and ghosts (store_index has the idea).
 * For store_index.c alone. All but what finds a place is called with the lock held.
 */
#ifndef MODULES_CACHE_STORE_SHARD_H
#define MODULES_CACHE_STORE_SHARD_H

#include "core/shared/shm.h"
#include "modules/cache/store_entry.h"

enum { STORE_SHARDS_MOST = 64 };

enum { STORE_QUEUE_NONE, STORE_QUEUE_SMALL, STORE_QUEUE_MAIN, STORE_QUEUES };

typedef struct store_queue {
    uint32_t first, last, count; /* first: the next to go */
} store_queue_t;

typedef struct store_shard {
    shm_lock_t lock;
    uint32_t version;      /* odd: chains are being changed */
    uint32_t recoveries;
    uint32_t first, count; /* its entries */
    /* Derived. */
    uint32_t free;         /* list by `next` */
    uint32_t free_count;
    uint64_t bytes;
    store_queue_t queues[STORE_QUEUES];
} __attribute__((aligned(64))) store_shard_t;

struct store_index {
    uint32_t capacity, shard_count;
    uint32_t per_shard, bucket_mask; /* entries; buckets of a shard less one */
    uint64_t seed; /* so that nobody can choose keys of one chain */
    store_entry_t *entries;
    uint32_t *buckets;
    uint32_t *ghosts; /* by hash, one for each bucket */
    store_shard_t shards[STORE_SHARDS_MOST];
};

static inline uint32_t store_shard_load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void store_shard_set(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* The number of shards is a power of two. */
static inline store_shard_t *store_shard_of(store_index_t *ix, const uint64_t key[2])
{
    return &ix->shards[key[0] >> 32 & (ix->shard_count - 1)];
}

static inline uint32_t *store_shard_bucket(store_index_t *ix, const store_shard_t *s,
                                           uint64_t hash)
{
    size_t base = (size_t)(s - ix->shards) * (ix->bucket_mask + 1);
    uint64_t mixed = (hash ^ ix->seed) * 0x9e3779b97f4a7c15;
    return &ix->buckets[base + (mixed >> 32 & ix->bucket_mask)];
}

static inline uint32_t *store_shard_buckets(store_index_t *ix, const store_shard_t *s)
{
    return &ix->buckets[(size_t)(s - ix->shards) * (ix->bucket_mask + 1)];
}

/* Takes the lock, and repairs what a process that died has left. */
void store_shard_lock(store_index_t *ix, store_shard_t *s);

/* The same around every change of chains: readers that find nothing meanwhile look again. */
void store_shard_open(store_index_t *ix, store_shard_t *s);
void store_shard_close(store_shard_t *s);

/* Everything that is derived, from the entries; one that was being changed is dropped. */
void store_shard_derive(store_index_t *ix, store_shard_t *s);

/* Around every change of what the generation covers. */
static inline void store_shard_begin(store_entry_t *e)
{
    __atomic_store_n(&e->gen, e->gen + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void store_shard_end(store_entry_t *e)
{
    store_shard_set(&e->gen, e->gen + 1);
}

/* The entry is what `from` is from now on, but for its place in chain and queue. */
void store_shard_assign(store_entry_t *e, const store_entry_t *from);

/* A new entry; *evicted: what had to go for it. Its place, or STORE_NO_ENTRY. */
uint32_t store_shard_add(store_index_t *ix, store_shard_t *s, const store_entry_t *e,
                         store_entry_t *evicted);

void store_shard_remove(store_index_t *ix, store_shard_t *s, uint32_t i, store_entry_t *gone);

/* Makes one go, by the policy. False: there is none. */
bool store_shard_evict(store_index_t *ix, store_shard_t *s, store_entry_t *gone);

/* Whether all invariants hold. */
bool store_shard_check(store_index_t *ix, store_shard_t *s);

#endif
