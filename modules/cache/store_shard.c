#include "modules/cache/store_shard.h"

#include "core/base/panic.h"

enum {
    SMALL_SHARE = 10,  /* the small queue has a tenth */
    EVICT_STEPS = 256, /* entries that are given another round in one eviction */
};

static const uint32_t none = STORE_NO_ENTRY;

/* Variants of one key compete with each other as different things do. */
static uint32_t *ghost_of(store_index_t *ix, const store_shard_t *s, const store_entry_t *e)
{
    return ix->ghosts + (store_shard_bucket(ix, s, e->key[1] ^ e->variant) - ix->buckets);
}

static uint32_t print_of(const store_entry_t *e)
{
    return (uint32_t)((e->key[0] ^ e->variant) | 1);
}

/* --- what is derived --- */

static void enqueue(store_index_t *ix, store_shard_t *s, uint32_t i, unsigned queue)
{
    store_queue_t *q = &s->queues[queue];
    store_entry_t *e = &ix->entries[i];
    e->queue = (uint8_t)queue;
    e->behind = none;
    e->ahead = q->last;
    if (q->last != none) ix->entries[q->last].behind = i;
    else q->first = i;
    q->last = i;
    q->count++;
}

static void dequeue(store_index_t *ix, store_shard_t *s, uint32_t i)
{
    store_entry_t *e = &ix->entries[i];
    store_queue_t *q = &s->queues[e->queue];
    if (e->ahead != none) ix->entries[e->ahead].behind = e->behind;
    else q->first = e->behind;
    if (e->behind != none) ix->entries[e->behind].ahead = e->ahead;
    else q->last = e->ahead;
    q->count--;
    e->queue = STORE_QUEUE_NONE;
}

static void chain(store_index_t *ix, store_shard_t *s, uint32_t i)
{
    uint32_t *bucket = store_shard_bucket(ix, s, ix->entries[i].key[1]);
    store_shard_set(&ix->entries[i].next, *bucket);
    store_shard_set(bucket, i);
}

static void unchain(store_index_t *ix, store_shard_t *s, uint32_t i)
{
    uint32_t *at = store_shard_bucket(ix, s, ix->entries[i].key[1]);
    while (*at != i) {
        ASSERT(*at != none);
        at = &ix->entries[*at].next;
    }
    store_shard_set(at, ix->entries[i].next);
}

static void give_back(store_index_t *ix, store_shard_t *s, uint32_t i)
{
    store_shard_set(&ix->entries[i].next, s->free);
    s->free = i;
    s->free_count++;
}

static void forget_derived(store_index_t *ix, store_shard_t *s)
{
    uint32_t *buckets = store_shard_buckets(ix, s);
    for (uint32_t b = 0; b <= ix->bucket_mask; b++) store_shard_set(&buckets[b], none);
    for (unsigned q = 0; q < STORE_QUEUES; q++) s->queues[q] = (store_queue_t){none, none, 0};
    s->free = none;
    s->free_count = 0;
    s->bytes = 0;
}

/* Everything from the entries; one that was being changed is dropped. */
void store_shard_derive(store_index_t *ix, store_shard_t *s)
{
    forget_derived(ix, s);
    for (uint32_t i = s->first + s->count; i-- > s->first;) {
        store_entry_t *e = &ix->entries[i];
        if (e->gen & 1) e->kind = STORE_KIND_FREE;
        if (e->gen & 1) store_shard_set(&e->gen, e->gen + 1);
        if (e->kind == STORE_KIND_FREE) {
            give_back(ix, s, i);
            continue;
        }
        chain(ix, s, i);
        enqueue(ix, s, i, e->queue == STORE_QUEUE_MAIN ? STORE_QUEUE_MAIN : STORE_QUEUE_SMALL);
        s->bytes += store_entry_bytes(e);
    }
}

void store_shard_lock(store_index_t *ix, store_shard_t *s)
{
    if (shm_lock(&s->lock) == SHM_LOCK_TAKEN) return;
    store_shard_set(&s->version, s->version | 1);
    store_shard_derive(ix, s);
    store_shard_set(&s->version, s->version + 1);
    s->recoveries++;
    shm_lock_repaired(&s->lock);
}

/* Around every change of chains. */
void store_shard_open(store_index_t *ix, store_shard_t *s)
{
    store_shard_lock(ix, s);
    __atomic_store_n(&s->version, s->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

void store_shard_close(store_shard_t *s)
{
    store_shard_set(&s->version, s->version + 1);
    shm_unlock(&s->lock);
}

/* --- changing --- */

/* Words that a reader may be copying. */
static void set64(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

void store_shard_assign(store_entry_t *e, const store_entry_t *from)
{
    store_shard_begin(e);
    set64(&e->key[0], from->key[0]);
    set64(&e->key[1], from->key[1]);
    set64(&e->variant, from->variant);
    set64(&e->id, from->id);
    set64(&e->length, from->length);
    store_shard_set(&e->born, from->born);
    store_shard_set(&e->stored, from->stored);
    store_shard_set(&e->until, from->until);
    store_shard_set(&e->body_at, from->body_at);
    __atomic_store_n(&e->vary, from->vary, __ATOMIC_RELAXED);
    __atomic_store_n(&e->version, from->version, __ATOMIC_RELAXED);
    __atomic_store_n(&e->kind, from->kind, __ATOMIC_RELAXED);
    __atomic_store_n(&e->flags, from->flags, __ATOMIC_RELAXED);
    store_shard_set(&e->checked, from->born);
    store_shard_set(&e->used, from->used);
    store_shard_set(&e->memory, 0);
    store_shard_set(&e->requests, from->requests);
    store_shard_end(e);
}

void store_shard_remove(store_index_t *ix, store_shard_t *s, uint32_t i, store_entry_t *gone)
{
    store_entry_t *e = &ix->entries[i];
    *gone = *e;
    store_shard_begin(e);
    __atomic_store_n(&e->kind, STORE_KIND_FREE, __ATOMIC_RELAXED);
    store_shard_end(e);
    s->bytes -= store_entry_bytes(gone);
    unchain(ix, s, i);
    dequeue(ix, s, i);
    give_back(ix, s, i);
}

/* The next to go of the queue, or none: one that was asked for goes round instead. */
static uint32_t victim_of(store_index_t *ix, store_shard_t *s, unsigned queue)
{
    uint32_t i = s->queues[queue].first;
    if (i == none || !store_entry_cool(&ix->entries[i], STORE_HOT_QUEUE)) return i;
    dequeue(ix, s, i);
    enqueue(ix, s, i, STORE_QUEUE_MAIN);
    return none;
}

bool store_shard_evict(store_index_t *ix, store_shard_t *s, store_entry_t *gone)
{
    uint32_t i = none;
    for (unsigned steps = 0; i == none; steps++) {
        uint32_t few = s->queues[STORE_QUEUE_SMALL].count;
        uint32_t rest = s->queues[STORE_QUEUE_MAIN].count;
        bool from_small = few > 0 && (rest == 0 || few * SMALL_SHARE >= few + rest);
        unsigned queue = from_small ? STORE_QUEUE_SMALL : STORE_QUEUE_MAIN;
        if (s->queues[queue].first == none) return false;
        i = steps < EVICT_STEPS ? victim_of(ix, s, queue) : s->queues[queue].first;
    }
    const store_entry_t *e = &ix->entries[i];
    if (e->queue == STORE_QUEUE_SMALL) *ghost_of(ix, s, e) = print_of(e);
    store_shard_remove(ix, s, i, gone);
    return true;
}

static uint32_t take_free(store_index_t *ix, store_shard_t *s, store_entry_t *evicted)
{
    if (s->free == none && !store_shard_evict(ix, s, evicted)) return none;
    uint32_t i = s->free;
    s->free = ix->entries[i].next;
    s->free_count--;
    return i;
}

uint32_t store_shard_add(store_index_t *ix, store_shard_t *s, const store_entry_t *e,
                         store_entry_t *evicted)
{
    uint32_t i = take_free(ix, s, evicted);
    if (i == none) return none;
    uint32_t *ghost = ghost_of(ix, s, e);
    bool back = *ghost == print_of(e);
    if (back) *ghost = 0;
    ix->entries[i].hot = 0;
    store_shard_assign(&ix->entries[i], e);
    chain(ix, s, i);
    enqueue(ix, s, i, back ? STORE_QUEUE_MAIN : STORE_QUEUE_SMALL);
    return i;
}

/* --- checking --- */

static uint32_t count_chained(store_index_t *ix, store_shard_t *s)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b <= ix->bucket_mask; b++)
        for (uint32_t i = store_shard_buckets(ix, s)[b]; i != none; i = ix->entries[i].next) {
            const store_entry_t *e = &ix->entries[i];
            bool right = e->kind != STORE_KIND_FREE && !(e->gen & 1) &&
                         store_shard_bucket(ix, s, e->key[1]) == store_shard_buckets(ix, s) + b &&
                         store_shard_of(ix, e->key) == s;
            if (!right || n++ > s->count) return none;
        }
    return n;
}

static uint32_t count_queued(store_index_t *ix, const store_shard_t *s)
{
    uint32_t n = 0;
    for (unsigned q = STORE_QUEUE_SMALL; q < STORE_QUEUES; q++) {
        uint32_t last = none, before = n;
        for (uint32_t i = s->queues[q].first; i != none; last = i, i = ix->entries[i].behind)
            if (ix->entries[i].queue != q || ix->entries[i].ahead != last || n++ > s->count)
                return none;
        if (s->queues[q].last != last || s->queues[q].count != n - before) return none;
    }
    return n;
}

bool store_shard_check(store_index_t *ix, store_shard_t *s)
{
    uint64_t bytes = 0;
    uint32_t used = 0, free = 0;
    for (uint32_t i = s->first; i < s->first + s->count; i++) {
        used += ix->entries[i].kind != STORE_KIND_FREE;
        bytes += store_entry_bytes(&ix->entries[i]);
    }
    for (uint32_t i = s->free; i != none && free <= s->count; i = ix->entries[i].next) free++;
    return bytes == s->bytes && free == s->free_count && used + free == s->count &&
           count_chained(ix, s) == used && count_queued(ix, s) == used;
}

