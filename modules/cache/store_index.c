#include "modules/cache/store_index.h"

#include <string.h>

#include "core/base/hash.h"
#include "modules/cache/store_shard.h"

enum {
    SHARD_LEAST = 512, /* entries of a shard, when there is more than one */
    RETRIES = 64,      /* of a reader before it takes the lock */
    SPARE_SHARE = 100,
};

_Static_assert(sizeof(store_entry_t) == 96, "an entry takes up as much as it should");

static const uint32_t none = STORE_NO_ENTRY;

store_entry_t *store_index_at(store_index_t *ix, uint32_t at)
{
    return &ix->entries[at];
}

/* --- reading --- */

static void copy_words(store_entry_t *out, const store_entry_t *e)
{
    enum { WORDS = sizeof(*e) / sizeof(uint64_t) };
    const uint64_t *from = (const uint64_t *)(const void *)e;
    uint64_t *to = (uint64_t *)(void *)out;
#pragma GCC unroll 16 /* atomic loads are not vectorised; a loop costs as much again */
    for (unsigned i = 0; i < WORDS; i++) to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static bool copy_whole(store_entry_t *out, const store_entry_t *e)
{
    uint32_t gen = __atomic_load_n(&e->gen, __ATOMIC_ACQUIRE);
    if (gen & 1) return false;
    copy_words(out, e);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return store_shard_load(&e->gen) == gen;
}

bool store_index_copy(store_index_t *ix, uint32_t at, store_entry_t *copy)
{
    store_shard_t *s = &ix->shards[at / ix->per_shard];
    if (!copy_whole(copy, &ix->entries[at])) { /* whoever changes it is at work or dead */
        store_shard_lock(ix, s);
        copy_whole(copy, &ix->entries[at]);
        shm_unlock(&s->lock);
    }
    return copy->kind != STORE_KIND_FREE;
}

typedef struct wanted {
    const uint64_t *key;
    uint64_t variant;
    bool any; /* whatever object there is of the key */
} wanted_t;

static bool is_key(const store_entry_t *e, const uint64_t key[2])
{
    return __atomic_load_n(&e->key[0], __ATOMIC_RELAXED) == key[0] &&
           __atomic_load_n(&e->key[1], __ATOMIC_RELAXED) == key[1];
}

static bool is_wanted(const store_entry_t *e, const wanted_t *w)
{
    return is_key(e, w->key) &&
           (w->any || __atomic_load_n(&e->variant, __ATOMIC_RELAXED) == w->variant);
}

static bool is_it(const store_entry_t *e, const wanted_t *w)
{
    if (!is_wanted(e, w) || e->kind == STORE_KIND_FREE) return false;
    return !w->any || e->kind == STORE_KIND_OBJECT;
}

typedef enum walk { WALK_FOUND, WALK_NOTHING, WALK_CHANGED } walk_t;

static walk_t walk(store_index_t *ix, const store_shard_t *s, const wanted_t *w,
                   store_entry_t *copy, uint32_t *at)
{
    uint32_t version = __atomic_load_n(&s->version, __ATOMIC_ACQUIRE), steps = s->count;
    uint32_t i = __atomic_load_n(store_shard_bucket(ix, s, w->key[1]), __ATOMIC_ACQUIRE);
    for (; i < ix->capacity && steps-- > 0; i = __atomic_load_n(&ix->entries[i].next,
                                                               __ATOMIC_ACQUIRE)) {
        const store_entry_t *e = &ix->entries[i];
        if (!is_wanted(e, w)) continue;
        if (!copy_whole(copy, e)) return WALK_CHANGED;
        *at = i;
        if (is_it(copy, w)) return WALK_FOUND;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !(version & 1) && store_shard_load(&s->version) == version ? WALK_NOTHING : WALK_CHANGED;
}

static uint32_t find(store_index_t *ix, const wanted_t *w, store_entry_t *copy)
{
    store_shard_t *s = store_shard_of(ix, w->key);
    uint32_t at = none;
    walk_t got = WALK_CHANGED;
    for (unsigned i = 0; i < RETRIES && got == WALK_CHANGED; i++) got = walk(ix, s, w, copy, &at);
    if (got == WALK_CHANGED) {
        store_shard_lock(ix, s); /* whoever holds it is at work or dead */
        got = walk(ix, s, w, copy, &at);
        shm_unlock(&s->lock);
    }
    return got == WALK_FOUND ? at : none;
}

uint32_t store_index_find(store_index_t *ix, const uint64_t key[2], uint64_t variant,
                          store_entry_t *copy)
{
    wanted_t w = {.key = key, .variant = variant};
    return find(ix, &w, copy);
}

uint32_t store_index_any(store_index_t *ix, const uint64_t key[2], store_entry_t *copy)
{
    wanted_t w = {.key = key, .any = true};
    return find(ix, &w, copy);
}

/* --- changing; the lock is held --- */

static uint32_t locked_find(store_index_t *ix, store_shard_t *s, const wanted_t *w)
{
    uint32_t i = *store_shard_bucket(ix, s, w->key[1]);
    while (i != none && !is_it(&ix->entries[i], w)) i = ix->entries[i].next;
    return i;
}

static bool may_replace(const store_entry_t *there, const store_entry_t *e, bool found)
{
    return found ? there->flags & STORE_UNVERIFIED && there->id < e->id : there->id <= e->id;
}

/* found: e was found among the files. */
static uint32_t put(store_index_t *ix, const store_entry_t *e, bool found, store_put_t *out)
{
    store_shard_t *s = store_shard_of(ix, e->key);
    wanted_t w = {.key = e->key, .variant = e->variant};
    out->replaced.kind = out->evicted.kind = STORE_KIND_FREE;
    store_shard_open(ix, s);
    uint32_t i = locked_find(ix, s, &w);
    if (i == none) {
        i = store_shard_add(ix, s, e, &out->evicted);
    } else if (may_replace(&ix->entries[i], e, found)) {
        out->replaced = ix->entries[i];
        store_shard_assign(&ix->entries[i], e);
        s->bytes -= store_entry_bytes(&out->replaced);
    } else {
        i = none;
    }
    if (i != none) s->bytes += store_entry_bytes(e);
    store_shard_close(s);
    return i;
}

uint32_t store_index_put(store_index_t *ix, const store_entry_t *e, store_put_t *out)
{
    return put(ix, e, false, out);
}

uint32_t store_index_add(store_index_t *ix, const store_entry_t *e, store_put_t *out)
{
    return put(ix, e, true, out);
}

/* Locks the shard of the entry if that still has the id. */
static store_shard_t *hold(store_index_t *ix, uint32_t at, uint64_t id)
{
    store_shard_t *s = &ix->shards[at / ix->per_shard];
    const store_entry_t *e = &ix->entries[at];
    store_shard_lock(ix, s);
    if (e->kind != STORE_KIND_FREE && e->id == id) return s;
    shm_unlock(&s->lock);
    return NULL;
}

bool store_index_renew(store_index_t *ix, uint32_t at, const store_entry_t *e)
{
    store_entry_t *here = &ix->entries[at];
    store_shard_t *s = hold(ix, at, e->id);
    if (!s) return false;
    store_shard_begin(here);
    store_shard_set(&here->stored, e->stored);
    store_shard_set(&here->born, e->born);
    __atomic_store_n(&here->version, e->version, __ATOMIC_RELAXED);
    __atomic_store_n(&here->flags, e->flags, __ATOMIC_RELAXED);
    store_shard_set(&here->memory, 0);
    store_shard_set(&here->checked, e->born);
    store_shard_end(here);
    shm_unlock(&s->lock);
    return true;
}

bool store_index_flag(store_index_t *ix, uint32_t at, uint64_t id, uint8_t set, uint8_t clear)
{
    store_entry_t *e = &ix->entries[at];
    store_shard_t *s = hold(ix, at, id);
    if (!s) return false;
    store_shard_begin(e);
    __atomic_store_n(&e->flags, (uint8_t)((e->flags | set) & ~clear), __ATOMIC_RELAXED);
    store_shard_end(e);
    shm_unlock(&s->lock);
    return true;
}

bool store_index_drop(store_index_t *ix, uint32_t at, uint64_t id, store_entry_t *gone)
{
    store_shard_t *s = &ix->shards[at / ix->per_shard];
    const store_entry_t *e = &ix->entries[at];
    store_shard_open(ix, s);
    bool there = e->kind != STORE_KIND_FREE && e->id == id;
    if (there) store_shard_remove(ix, s, at, gone);
    store_shard_close(s);
    return there;
}

bool store_index_thin(store_index_t *ix, const uint64_t key[2], uint16_t vary, unsigned most,
                      store_entry_t *gone)
{
    store_shard_t *s = store_shard_of(ix, key);
    wanted_t w = {.key = key, .any = true};
    uint32_t victim = none, oldest = none;
    unsigned n = 0;
    store_shard_open(ix, s);
    for (uint32_t i = *store_shard_bucket(ix, s, key[1]); i != none; i = ix->entries[i].next) {
        const store_entry_t *e = &ix->entries[i];
        if (!is_it(e, &w)) continue;
        if (e->vary != vary) victim = i;
        n++;
        if (oldest == none || e->id < ix->entries[oldest].id) oldest = i;
    }
    if (victim == none && n > most) victim = oldest;
    if (victim != none) store_shard_remove(ix, s, victim, gone);
    store_shard_close(s);
    return victim != none;
}

unsigned store_index_variants(store_index_t *ix, const uint64_t key[2])
{
    store_shard_t *s = store_shard_of(ix, key);
    wanted_t w = {.key = key, .any = true};
    unsigned n = 0;
    store_shard_lock(ix, s);
    for (uint32_t i = *store_shard_bucket(ix, s, key[1]); i != none; i = ix->entries[i].next)
        n += is_it(&ix->entries[i], &w);
    shm_unlock(&s->lock);
    return n;
}

bool store_index_evict(store_index_t *ix, unsigned shard, store_entry_t *gone)
{
    store_shard_t *s = &ix->shards[shard];
    store_shard_open(ix, s);
    bool any = store_shard_evict(ix, s, gone);
    store_shard_close(s);
    return any;
}

/* --- the whole --- */

unsigned store_index_shards(const store_index_t *ix)
{
    return ix->shard_count;
}

unsigned store_index_capacity(const store_index_t *ix)
{
    return ix->capacity;
}

bool store_index_short(const store_index_t *ix, unsigned shard)
{
    const store_shard_t *s = &ix->shards[shard];
    return store_shard_load(&s->free_count) <= s->count / SPARE_SHARE;
}

store_index_stats_t store_index_stats(const store_index_t *ix)
{
    store_index_stats_t sum = {0};
    for (unsigned i = 0; i < ix->shard_count; i++) {
        const store_shard_t *s = &ix->shards[i];
        sum.entries += s->count - store_shard_load(&s->free_count);
        sum.bytes += __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
        sum.recoveries += store_shard_load(&s->recoveries);
    }
    return sum;
}

static uint32_t power_below(uint32_t n)
{
    return 1u << (31 - __builtin_clz(n));
}

/* Shards of equal size with a power of two of buckets, at least half as many as entries. */
static void lay_out(store_index_t *ix, size_t entries)
{
    uint32_t most = entries / SHARD_LEAST < STORE_SHARDS_MOST ? (uint32_t)(entries / SHARD_LEAST)
                                                        : (uint32_t)STORE_SHARDS_MOST;
    ix->shard_count = most ? power_below(most) : 1;
    ix->per_shard = (uint32_t)(entries / ix->shard_count);
    ix->capacity = ix->per_shard * ix->shard_count;
    ix->bucket_mask = power_below(ix->per_shard) - 1;
}

static bool make_arrays(store_index_t *ix, slab_t *slab)
{
    size_t buckets = (size_t)(ix->bucket_mask + 1) * ix->shard_count;
    ix->entries = slab_alloc(slab, ix->capacity * sizeof(*ix->entries));
    ix->buckets = slab_alloc(slab, buckets * sizeof(*ix->buckets));
    ix->ghosts = slab_alloc(slab, buckets * sizeof(*ix->ghosts));
    if (!ix->entries || !ix->buckets || !ix->ghosts) return false;
    memset(ix->entries, 0, ix->capacity * sizeof(*ix->entries));
    memset(ix->ghosts, 0, buckets * sizeof(*ix->ghosts));
    return true;
}

store_index_t *store_index_init(slab_t *slab, size_t spare)
{
    enum { EACH = sizeof(store_entry_t) + 2 * sizeof(uint32_t), LEAST = 64 };
    store_index_t *ix = slab_alloc(slab, sizeof(*ix));
    size_t room = slab_stats(slab).free_pages * SLAB_PAGE;
    if (!ix || room < spare + 4 * (size_t)SLAB_PAGE) return NULL;
    size_t entries = (room - spare - 4 * (size_t)SLAB_PAGE) / EACH;
    if (entries < LEAST) return NULL;
    if (entries > none / 2) entries = none / 2;
    memset(ix, 0, sizeof(*ix));
    ix->seed = hash_bytes(STR("store_index"));
    lay_out(ix, entries);
    if (!make_arrays(ix, slab)) return NULL;
    for (unsigned i = 0; i < ix->shard_count; i++) {
        store_shard_t *s = &ix->shards[i];
        shm_lock_init(&s->lock);
        s->first = i * ix->per_shard;
        s->count = ix->per_shard;
        store_shard_derive(ix, s);
    }
    return ix;
}

/* --- checking --- */

bool store_index_check(store_index_t *ix)
{
    bool good = true;
    for (unsigned i = 0; i < ix->shard_count && good; i++) {
        store_shard_t *s = &ix->shards[i];
        store_shard_lock(ix, s);
        good = store_shard_check(ix, s);
        shm_unlock(&s->lock);
    }
    return good;
}
