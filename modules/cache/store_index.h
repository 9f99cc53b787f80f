/*
 * store_index: what is stored under which key, in shared memory, and who has to go first.
 *
 * Entries stand in an array, cut into shards; each shard has its lock, its chains by hash, its two
 * queues of S3-FIFO and its ghosts. A reader takes no lock: it walks a chain and copies an entry,
 * and the entry's generation tells whether the copy is of one piece; only that nothing was found
 * must be confirmed by the shard's version. So the worst that a writer does to a reader is to make
 * it look again. All that a hit writes is a bit, and only when it is not set already.
 *
 * What is stored is told by the entries alone (kind, under generation). Chains, queues and counts
 * are derived, and whoever takes the lock of a shard in which a process died derives them anew; an
 * entry it died over is dropped.
 *
 * Eviction (Yang et al., FIFO queues are all you need for cache eviction, 2023): what is new goes
 * through a small queue of a tenth of the entries, and only what is asked for there, or comes back
 * soon after it had to go (a ghost), gets into the main queue, where being asked for buys another
 * round. One bit of use is enough. Nothing suspends.
 */
#ifndef MODULES_CACHE_STORE_INDEX_H
#define MODULES_CACHE_STORE_INDEX_H

#include "core/shared/slab.h"
#include "modules/cache/store_entry.h"

/* In a zone of its own. NULL: no room. spare: bytes of the slab that are to be left for others. */
store_index_t *store_index_init(slab_t *slab, size_t spare);

unsigned store_index_capacity(const store_index_t *ix);

/* A copy of the entry of key and variant; its place, or STORE_NO_ENTRY. */
uint32_t store_index_find(store_index_t *ix, const uint64_t key[2], uint64_t variant,
                          store_entry_t *copy);

/* The same for whatever object is stored under the key, in any variant: the latest. */
uint32_t store_index_any(store_index_t *ix, const uint64_t key[2], store_entry_t *copy);

/* The entry itself, for the fields that the generation does not cover. */
store_entry_t *store_index_at(store_index_t *ix, uint32_t at);

/* A copy of one piece; false: it is free. */
bool store_index_copy(store_index_t *ix, uint32_t at, store_entry_t *copy);

/*
 * Stores e (all that the generation covers counts, and `used`) in the place of what has its key and
 * variant. *out: what was replaced, what had to go for want of room (kind STORE_KIND_FREE:
 * nothing). The place, or STORE_NO_ENTRY: there is no room, or a later body (id) is stored there.
 */
typedef struct store_put {
    store_entry_t replaced, evicted;
} store_put_t;
uint32_t store_index_put(store_index_t *ix, const store_entry_t *e, store_put_t *out);

/* The same for what was found among the files: nothing but an earlier body that was found there as
   well, and has not been looked at since (STORE_UNVERIFIED), is replaced. */
uint32_t store_index_add(store_index_t *ix, const store_entry_t *e, store_put_t *out);

/* Gives the entry a new head: e's stored, version, flags. False: it is not that one any more. */
bool store_index_renew(store_index_t *ix, uint32_t at, const store_entry_t *e);

/* Sets or clears flags of the entry. False: it is not that one any more. */
bool store_index_flag(store_index_t *ix, uint32_t at, uint64_t id, uint8_t set, uint8_t clear);

/* Drops the entry if it still is the one with that id. */
bool store_index_drop(store_index_t *ix, uint32_t at, uint64_t id, store_entry_t *gone);

/* Drops one object of the key that has another list of selecting fields, or, when more than most
   are stored, the oldest. False: there is none (left). */
bool store_index_thin(store_index_t *ix, const uint64_t key[2], uint16_t vary, unsigned most,
                      store_entry_t *gone);

/* Makes one entry of the shard go, by the policy. False: it has none. */
bool store_index_evict(store_index_t *ix, unsigned shard, store_entry_t *gone);

/* How many objects are stored under the key. */
unsigned store_index_variants(store_index_t *ix, const uint64_t key[2]);

unsigned store_index_shards(const store_index_t *ix);

/* The shards whose free entries have become few (less than a hundredth). */
bool store_index_short(const store_index_t *ix, unsigned shard);

typedef struct store_index_stats {
    uint64_t entries, bytes, recoveries;
} store_index_stats_t;

/* Sums of what the shards hold; bytes are those of files, as they take up a disk. */
store_index_stats_t store_index_stats(const store_index_t *ix);

/* Walks everything; true when all invariants hold (for tests). Takes the locks. */
bool store_index_check(store_index_t *ix);

#endif
