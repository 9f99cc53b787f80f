#include "modules/cache/store_index.h"

#include <string.h>

#include "core/base/panic.h"
#include "core/shared/shm.h"

enum {
    SHARDS_MOST = 64,
    SHARD_LEAST = 512,  /* entries of a shard, when there is more than one */
    SMALL_SHARE = 10,   /* the small queue has a tenth */
    RETRIES = 64,       /* of a reader before it takes the lock */
    EVICT_STEPS = 256,  /* entries that are given another round in one eviction */
    SPARE_SHARE = 100,
    BLOCK = 4096,       /* of a file system */
};

enum { QUEUE_NONE, QUEUE_SMALL, QUEUE_MAIN, QUEUES };

typedef struct queue {
    uint32_t first, last, count; /* first: the next to go */
} queue_t;

typedef struct shard {
    shm_lock_t lock;
    uint32_t version;      /* odd: chains are being changed */
    uint32_t recoveries;
    uint32_t first, count; /* its entries */
    /* Derived. */
    uint32_t free;         /* list by `next` */
    uint32_t free_count;
    uint64_t bytes;
    queue_t queues[QUEUES];
} __attribute__((aligned(64))) shard_t;

struct store_index {
    uint32_t capacity, shard_count;
    uint32_t per_shard, bucket_mask; /* entries; buckets of a shard less one */
    store_entry_t *entries;
    uint32_t *buckets;
    uint32_t *ghosts; /* by hash, one for each bucket */
    shard_t shards[SHARDS_MOST];
};

_Static_assert(sizeof(store_entry_t) == 96, "an entry takes up as much as it should");

static const uint32_t none = STORE_NO_ENTRY;

/* --- where things are --- */

static shard_t *shard_of(store_index_t *ix, const uint64_t key[2])
{
    return &ix->shards[(key[0] >> 32) % ix->shard_count];
}

static uint32_t *bucket_of(store_index_t *ix, const shard_t *s, uint64_t hash)
{
    size_t base = (size_t)(s - ix->shards) * (ix->bucket_mask + 1);
    return &ix->buckets[base + (hash & ix->bucket_mask)];
}

/* Variants of one key compete with each other as different things do. */
static uint32_t *ghost_of(store_index_t *ix, const shard_t *s, const store_entry_t *e)
{
    return ix->ghosts + (bucket_of(ix, s, e->key[1] ^ e->variant) - ix->buckets);
}

static uint32_t print_of(const store_entry_t *e)
{
    return (uint32_t)((e->key[0] ^ e->variant) | 1);
}

store_entry_t *store_index_at(store_index_t *ix, uint32_t at)
{
    return &ix->entries[at];
}

uint64_t store_index_bytes(const store_entry_t *e)
{
    if (e->kind != STORE_KIND_OBJECT) return 0;
    return (e->body_at + e->length + BLOCK - 1) / BLOCK * BLOCK;
}

/* --- reading --- */

static uint32_t load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static void copy_words(store_entry_t *out, const store_entry_t *e)
{
    enum { WORDS = sizeof(*e) / sizeof(uint64_t) };
    const uint64_t *from = (const uint64_t *)(const void *)e;
    uint64_t *to = (uint64_t *)(void *)out;
    for (unsigned i = 0; i < WORDS; i++) to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static bool copy_whole(store_entry_t *out, const store_entry_t *e)
{
    uint32_t gen = __atomic_load_n(&e->gen, __ATOMIC_ACQUIRE);
    if (gen & 1) return false;
    copy_words(out, e);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return load(&e->gen) == gen;
}

bool store_index_copy(store_index_t *ix, uint32_t at, store_entry_t *copy)
{
    return copy_whole(copy, &ix->entries[at]) && copy->kind != STORE_KIND_FREE;
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

static walk_t walk(store_index_t *ix, const shard_t *s, const wanted_t *w, store_entry_t *copy,
                   uint32_t *at)
{
    uint32_t version = __atomic_load_n(&s->version, __ATOMIC_ACQUIRE), steps = s->count;
    uint32_t i = __atomic_load_n(bucket_of(ix, s, w->key[1]), __ATOMIC_ACQUIRE);
    for (; i < ix->capacity && steps-- > 0; i = __atomic_load_n(&ix->entries[i].next,
                                                               __ATOMIC_ACQUIRE)) {
        const store_entry_t *e = &ix->entries[i];
        if (!is_wanted(e, w)) continue;
        if (!copy_whole(copy, e)) return WALK_CHANGED;
        *at = i;
        if (is_it(copy, w)) return WALK_FOUND;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !(version & 1) && load(&s->version) == version ? WALK_NOTHING : WALK_CHANGED;
}

static void lock(store_index_t *ix, shard_t *s);

static uint32_t find(store_index_t *ix, const wanted_t *w, store_entry_t *copy)
{
    shard_t *s = shard_of(ix, w->key);
    uint32_t at = none;
    walk_t got = WALK_CHANGED;
    for (unsigned i = 0; i < RETRIES && got == WALK_CHANGED; i++) got = walk(ix, s, w, copy, &at);
    if (got == WALK_CHANGED) {
        lock(ix, s); /* whoever holds it is at work or dead */
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

/* --- what is derived --- */

static void enqueue(store_index_t *ix, shard_t *s, uint32_t i, unsigned queue)
{
    queue_t *q = &s->queues[queue];
    store_entry_t *e = &ix->entries[i];
    e->queue = (uint8_t)queue;
    e->behind = none;
    e->ahead = q->last;
    if (q->last != none) ix->entries[q->last].behind = i;
    else q->first = i;
    q->last = i;
    q->count++;
}

static void dequeue(store_index_t *ix, shard_t *s, uint32_t i)
{
    store_entry_t *e = &ix->entries[i];
    queue_t *q = &s->queues[e->queue];
    if (e->ahead != none) ix->entries[e->ahead].behind = e->behind;
    else q->first = e->behind;
    if (e->behind != none) ix->entries[e->behind].ahead = e->ahead;
    else q->last = e->ahead;
    q->count--;
    e->queue = QUEUE_NONE;
}

static void chain(store_index_t *ix, shard_t *s, uint32_t i)
{
    uint32_t *bucket = bucket_of(ix, s, ix->entries[i].key[1]);
    store(&ix->entries[i].next, *bucket);
    store(bucket, i);
}

static void unchain(store_index_t *ix, shard_t *s, uint32_t i)
{
    uint32_t *at = bucket_of(ix, s, ix->entries[i].key[1]);
    while (*at != i) {
        ASSERT(*at != none);
        at = &ix->entries[*at].next;
    }
    store(at, ix->entries[i].next);
}

static void give_back(store_index_t *ix, shard_t *s, uint32_t i)
{
    store(&ix->entries[i].next, s->free);
    s->free = i;
    s->free_count++;
}

static void forget_derived(store_index_t *ix, shard_t *s)
{
    uint32_t *buckets = bucket_of(ix, s, 0);
    for (uint32_t b = 0; b <= ix->bucket_mask; b++) store(&buckets[b], none);
    for (unsigned q = 0; q < QUEUES; q++) s->queues[q] = (queue_t){none, none, 0};
    s->free = none;
    s->free_count = 0;
    s->bytes = 0;
}

/* Everything from the entries; one that was being changed is dropped. */
static void derive(store_index_t *ix, shard_t *s)
{
    forget_derived(ix, s);
    for (uint32_t i = s->first + s->count; i-- > s->first;) {
        store_entry_t *e = &ix->entries[i];
        if (e->gen & 1) e->kind = STORE_KIND_FREE;
        if (e->gen & 1) store(&e->gen, e->gen + 1);
        if (e->kind == STORE_KIND_FREE) {
            give_back(ix, s, i);
            continue;
        }
        chain(ix, s, i);
        enqueue(ix, s, i, e->queue == QUEUE_MAIN ? QUEUE_MAIN : QUEUE_SMALL);
        s->bytes += store_index_bytes(e);
    }
}

static void lock(store_index_t *ix, shard_t *s)
{
    if (shm_lock(&s->lock) == SHM_LOCK_TAKEN) return;
    store(&s->version, s->version | 1);
    derive(ix, s);
    store(&s->version, s->version + 1);
    s->recoveries++;
    shm_lock_repaired(&s->lock);
}

/* Around every change of chains. */
static void open_shard(store_index_t *ix, shard_t *s)
{
    lock(ix, s);
    __atomic_store_n(&s->version, s->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void close_shard(shard_t *s)
{
    store(&s->version, s->version + 1);
    shm_unlock(&s->lock);
}

/* --- changing; the lock is held --- */

static void begin_change(store_entry_t *e)
{
    __atomic_store_n(&e->gen, e->gen + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_change(store_entry_t *e)
{
    store(&e->gen, e->gen + 1);
}

/* Words that a reader may be copying. */
static void set64(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static void assign(store_entry_t *e, const store_entry_t *from)
{
    begin_change(e);
    set64(&e->key[0], from->key[0]);
    set64(&e->key[1], from->key[1]);
    set64(&e->variant, from->variant);
    set64(&e->id, from->id);
    set64(&e->length, from->length);
    store(&e->born, from->born);
    store(&e->stored, from->stored);
    store(&e->until, from->until);
    store(&e->body_at, from->body_at);
    __atomic_store_n(&e->vary, from->vary, __ATOMIC_RELAXED);
    __atomic_store_n(&e->version, from->version, __ATOMIC_RELAXED);
    __atomic_store_n(&e->kind, from->kind, __ATOMIC_RELAXED);
    __atomic_store_n(&e->flags, from->flags, __ATOMIC_RELAXED);
    store(&e->checked, from->born);
    store(&e->used, from->used);
    store(&e->memory, 0);
    store(&e->requests, from->requests);
    end_change(e);
}

static void remove_entry(store_index_t *ix, shard_t *s, uint32_t i, store_entry_t *gone)
{
    store_entry_t *e = &ix->entries[i];
    *gone = *e;
    begin_change(e);
    __atomic_store_n(&e->kind, STORE_KIND_FREE, __ATOMIC_RELAXED);
    end_change(e);
    s->bytes -= store_index_bytes(gone);
    unchain(ix, s, i);
    dequeue(ix, s, i);
    give_back(ix, s, i);
}

/* The next to go of the queue, or none: one that was asked for goes round instead. */
static uint32_t victim_of(store_index_t *ix, shard_t *s, unsigned queue)
{
    uint32_t i = s->queues[queue].first;
    if (i == none || !store_index_cool(&ix->entries[i], STORE_HOT_QUEUE)) return i;
    dequeue(ix, s, i);
    enqueue(ix, s, i, QUEUE_MAIN);
    return none;
}

static bool evict(store_index_t *ix, shard_t *s, store_entry_t *gone)
{
    uint32_t i = none;
    for (unsigned steps = 0; i == none; steps++) {
        const queue_t *small = &s->queues[QUEUE_SMALL], *full = &s->queues[QUEUE_MAIN];
        bool from_small = small->count > 0 &&
                          (full->count == 0 || small->count * SMALL_SHARE >= small->count + full->count);
        unsigned queue = from_small ? QUEUE_SMALL : QUEUE_MAIN;
        if (s->queues[queue].first == none) return false;
        i = steps < EVICT_STEPS ? victim_of(ix, s, queue) : s->queues[queue].first;
    }
    const store_entry_t *e = &ix->entries[i];
    if (e->queue == QUEUE_SMALL) *ghost_of(ix, s, e) = print_of(e);
    remove_entry(ix, s, i, gone);
    return true;
}

static uint32_t locked_find(store_index_t *ix, shard_t *s, const wanted_t *w)
{
    uint32_t i = *bucket_of(ix, s, w->key[1]);
    while (i != none && !is_it(&ix->entries[i], w)) i = ix->entries[i].next;
    return i;
}

static uint32_t take_free(store_index_t *ix, shard_t *s, store_entry_t *evicted)
{
    if (s->free == none && !evict(ix, s, evicted)) return none;
    uint32_t i = s->free;
    s->free = ix->entries[i].next;
    s->free_count--;
    return i;
}

static uint32_t add(store_index_t *ix, shard_t *s, const store_entry_t *e, store_entry_t *evicted)
{
    uint32_t i = take_free(ix, s, evicted);
    if (i == none) return none;
    uint32_t *ghost = ghost_of(ix, s, e);
    bool back = *ghost == print_of(e);
    if (back) *ghost = 0;
    ix->entries[i].hot = 0;
    assign(&ix->entries[i], e);
    chain(ix, s, i);
    enqueue(ix, s, i, back ? QUEUE_MAIN : QUEUE_SMALL);
    return i;
}

uint32_t store_index_put(store_index_t *ix, const store_entry_t *e, store_put_t *out)
{
    shard_t *s = shard_of(ix, e->key);
    wanted_t w = {.key = e->key, .variant = e->variant};
    out->replaced.kind = out->evicted.kind = STORE_KIND_FREE;
    open_shard(ix, s);
    uint32_t i = locked_find(ix, s, &w);
    if (i == none) {
        i = add(ix, s, e, &out->evicted);
    } else {
        out->replaced = ix->entries[i];
        assign(&ix->entries[i], e);
        s->bytes -= store_index_bytes(&out->replaced);
    }
    if (i != none) s->bytes += store_index_bytes(e);
    close_shard(s);
    return i;
}

uint32_t store_index_add(store_index_t *ix, const store_entry_t *e, store_entry_t *evicted)
{
    shard_t *s = shard_of(ix, e->key);
    wanted_t w = {.key = e->key, .variant = e->variant};
    evicted->kind = STORE_KIND_FREE;
    open_shard(ix, s);
    uint32_t i = locked_find(ix, s, &w) == none ? add(ix, s, e, evicted) : none;
    if (i != none) s->bytes += store_index_bytes(e);
    close_shard(s);
    return i;
}

/* Locks the shard of the entry if that still has the id. */
static shard_t *hold(store_index_t *ix, uint32_t at, uint64_t id)
{
    shard_t *s = &ix->shards[at / ix->per_shard];
    const store_entry_t *e = &ix->entries[at];
    lock(ix, s);
    if (e->kind != STORE_KIND_FREE && e->id == id) return s;
    shm_unlock(&s->lock);
    return NULL;
}

bool store_index_renew(store_index_t *ix, uint32_t at, const store_entry_t *e)
{
    store_entry_t *here = &ix->entries[at];
    shard_t *s = hold(ix, at, e->id);
    if (!s) return false;
    begin_change(here);
    store(&here->stored, e->stored);
    store(&here->born, e->born);
    __atomic_store_n(&here->version, e->version, __ATOMIC_RELAXED);
    __atomic_store_n(&here->flags, e->flags, __ATOMIC_RELAXED);
    store(&here->memory, 0);
    store(&here->checked, e->born);
    end_change(here);
    shm_unlock(&s->lock);
    return true;
}

bool store_index_flag(store_index_t *ix, uint32_t at, uint64_t id, uint8_t set, uint8_t clear)
{
    store_entry_t *e = &ix->entries[at];
    shard_t *s = hold(ix, at, id);
    if (!s) return false;
    begin_change(e);
    __atomic_store_n(&e->flags, (uint8_t)((e->flags | set) & ~clear), __ATOMIC_RELAXED);
    end_change(e);
    shm_unlock(&s->lock);
    return true;
}

bool store_index_drop(store_index_t *ix, uint32_t at, uint64_t id, store_entry_t *gone)
{
    shard_t *s = &ix->shards[at / ix->per_shard];
    const store_entry_t *e = &ix->entries[at];
    open_shard(ix, s);
    bool there = e->kind != STORE_KIND_FREE && e->id == id;
    if (there) remove_entry(ix, s, at, gone);
    close_shard(s);
    return there;
}

bool store_index_thin(store_index_t *ix, const uint64_t key[2], uint16_t vary, unsigned most,
                      store_entry_t *gone)
{
    shard_t *s = shard_of(ix, key);
    wanted_t w = {.key = key, .any = true};
    uint32_t victim = none, oldest = none;
    unsigned n = 0;
    open_shard(ix, s);
    for (uint32_t i = *bucket_of(ix, s, key[1]); i != none; i = ix->entries[i].next) {
        const store_entry_t *e = &ix->entries[i];
        if (!is_it(e, &w)) continue;
        if (e->vary != vary) victim = i;
        n++;
        if (oldest == none || e->id < ix->entries[oldest].id) oldest = i;
    }
    if (victim == none && n > most) victim = oldest;
    if (victim != none) remove_entry(ix, s, victim, gone);
    close_shard(s);
    return victim != none;
}

unsigned store_index_variants(store_index_t *ix, const uint64_t key[2])
{
    shard_t *s = shard_of(ix, key);
    wanted_t w = {.key = key, .any = true};
    unsigned n = 0;
    lock(ix, s);
    for (uint32_t i = *bucket_of(ix, s, key[1]); i != none; i = ix->entries[i].next)
        n += is_it(&ix->entries[i], &w);
    shm_unlock(&s->lock);
    return n;
}

bool store_index_evict(store_index_t *ix, unsigned shard, store_entry_t *gone)
{
    shard_t *s = &ix->shards[shard];
    open_shard(ix, s);
    bool any = evict(ix, s, gone);
    close_shard(s);
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
    const shard_t *s = &ix->shards[shard];
    return load(&s->free_count) <= s->count / SPARE_SHARE;
}

store_index_stats_t store_index_stats(const store_index_t *ix)
{
    store_index_stats_t sum = {0};
    for (unsigned i = 0; i < ix->shard_count; i++) {
        const shard_t *s = &ix->shards[i];
        sum.entries += s->count - load(&s->free_count);
        sum.bytes += __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
        sum.recoveries += load(&s->recoveries);
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
    uint32_t most = entries / SHARD_LEAST < SHARDS_MOST ? (uint32_t)(entries / SHARD_LEAST)
                                                        : (uint32_t)SHARDS_MOST;
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
    lay_out(ix, entries);
    if (!make_arrays(ix, slab)) return NULL;
    for (unsigned i = 0; i < ix->shard_count; i++) {
        shard_t *s = &ix->shards[i];
        shm_lock_init(&s->lock);
        s->first = i * ix->per_shard;
        s->count = ix->per_shard;
        derive(ix, s);
    }
    return ix;
}

/* --- checking --- */

static uint32_t count_chained(store_index_t *ix, shard_t *s)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b <= ix->bucket_mask; b++)
        for (uint32_t i = bucket_of(ix, s, 0)[b]; i != none; i = ix->entries[i].next) {
            const store_entry_t *e = &ix->entries[i];
            bool right = e->kind != STORE_KIND_FREE && !(e->gen & 1) &&
                         (e->key[1] & ix->bucket_mask) == b && shard_of(ix, e->key) == s;
            if (!right || n++ > s->count) return none;
        }
    return n;
}

static uint32_t count_queued(store_index_t *ix, const shard_t *s)
{
    uint32_t n = 0;
    for (unsigned q = QUEUE_SMALL; q < QUEUES; q++) {
        uint32_t last = none, before = n;
        for (uint32_t i = s->queues[q].first; i != none; last = i, i = ix->entries[i].behind)
            if (ix->entries[i].queue != q || ix->entries[i].ahead != last || n++ > s->count)
                return none;
        if (s->queues[q].last != last || s->queues[q].count != n - before) return none;
    }
    return n;
}

static bool check_shard(store_index_t *ix, shard_t *s)
{
    uint64_t bytes = 0;
    uint32_t used = 0, free = 0;
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        used += ix->entries[i].kind != STORE_KIND_FREE;
        bytes += store_index_bytes(&ix->entries[i]);
    }
    for (uint32_t i = s->free; i != none && free <= s->count; i = ix->entries[i].next) free++;
    return bytes == s->bytes && free == s->free_count && used + free == s->count &&
           count_chained(ix, s) == used && count_queued(ix, s) == used;
}

bool store_index_check(store_index_t *ix)
{
    bool good = true;
    for (unsigned i = 0; i < ix->shard_count && good; i++) {
        shard_t *s = &ix->shards[i];
        lock(ix, s);
        good = check_shard(ix, s);
        shm_unlock(&s->lock);
    }
    return good;
}
