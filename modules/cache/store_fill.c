#include "modules/cache/store_fill.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/list.h"
#include "core/io/fiber.h"
#include "core/process/bell.h"
#include "core/shared/shm.h"
#include "modules/cache/store_filler.h"
#include "modules/cache/store_lane.h"
#include "modules/cache/store_object.h"

enum { SHARDS = 16, ROWS_LEAST = 64, ROWS_MOST = 4096, ZONE_PER_ROW = 2048 };

typedef struct shard {
    shm_lock_t lock;
    store_row_t *rows;
    uint32_t used; /* rows that are not free; a hint, so that an empty shard costs no lock */
} shard_t;

struct store_fills {
    uint32_t per_shard;
    shard_t shards[SHARDS];
};

typedef struct waiter { /* a fiber of this process */
    list_t link;
    fiber_t *fiber;
    store_row_t *row;
    uint32_t turn, state;
    uint64_t bytes, owner;
} waiter_t;

static list_t waiters = {&waiters, &waiters};

store_fills_t *store_fills_init(slab_t *slab, size_t zone)
{
    size_t rows = zone / ZONE_PER_ROW;
    if (rows < ROWS_LEAST) rows = ROWS_LEAST;
    if (rows > ROWS_MOST) rows = ROWS_MOST;
    store_fills_t *f = slab_alloc(slab, sizeof(*f));
    store_row_t *all = slab_alloc(slab, rows * sizeof(*all));
    if (!f || !all) return NULL;
    memset(all, 0, rows * sizeof(*all));
    memset(f, 0, sizeof(*f));
    f->per_shard = (uint32_t)(rows / SHARDS);
    for (unsigned i = 0; i < SHARDS; i++) {
        shm_lock_init(&f->shards[i].lock);
        f->shards[i].rows = all + (size_t)i * f->per_shard;
    }
    return f;
}

/* --- rows --- */

static shard_t *shard_of(store_t *s, const uint64_t key[2])
{
    return &s->shared->fills->shards[key[0] % SHARDS];
}

/* A row is taken and given by a single store, so there is nothing to repair but the hint. */
static void lock(store_t *s, shard_t *shard)
{
    if (shm_lock(&shard->lock) == SHM_LOCK_TAKEN) return;
    uint32_t used = 0;
    for (uint32_t i = 0; i < s->shared->fills->per_shard; i++)
        used += shard->rows[i].state != STORE_ROW_FREE;
    shard->used = used;
    shm_lock_repaired(&shard->lock);
}

static uint32_t state_of(const store_row_t *row)
{
    return __atomic_load_n(&row->state, __ATOMIC_ACQUIRE);
}

static void tell(store_row_t *row)
{
    uint32_t mask = __atomic_exchange_n(&row->waiting, 0, __ATOMIC_SEQ_CST);
    if (mask) bell_ring(mask);
}

static void clear(store_t *s, shard_t *shard, store_row_t *row)
{
    (void)s;
    __atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&row->state, STORE_ROW_FREE, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shard->used, shard->used - 1, __ATOMIC_RELAXED);
    tell(row);
}

/* What its dead owner has left is taken away. */
static void bury(store_t *s, shard_t *shard, store_row_t *row)
{
    if (row->state >= STORE_ROW_HEADED) store_file_discard(&s->dir, row->id); /* if it is there */
    clear(s, shard, row);
}

static bool is_void(store_t *s, const store_row_t *row)
{
    store_suspect_t suspect = {.born = row->born, .key_hash = row->key[0]};
    return store_purge_check(s->shared->purge, &suspect) != STORE_GOOD;
}

static bool answers(const store_row_t *row, const uint64_t key[2], uint64_t variant)
{
    return row->state != STORE_ROW_FREE && row->key[0] == key[0] && row->key[1] == key[1] &&
           (row->asked == variant ||
            (row->state >= STORE_ROW_HEADED && row->variant == variant));
}

/* The row of who fetches it, or one that is free, or NULL. */
static store_row_t *find_row(store_t *s, shard_t *shard, const uint64_t key[2], uint64_t variant)
{
    store_row_t *free = NULL;
    uint32_t others = shard->used; /* rows in use that have not been looked at */
    for (uint32_t i = 0; i < s->shared->fills->per_shard && (others || !free); i++) {
        store_row_t *row = &shard->rows[i];
        others -= row->state != STORE_ROW_FREE;
        if (row->state != STORE_ROW_FREE && !store_lane_lives(row->owner)) bury(s, shard, row);
        if (answers(row, key, variant) && !is_void(s, row)) return row;
        if (row->state == STORE_ROW_FREE && !free) free = row;
    }
    return free;
}

static void claim(store_t *s, shard_t *shard, store_row_t *row, const uint64_t key[2],
                  uint64_t variant)
{
    row->key[0] = key[0];
    row->key[1] = key[1];
    row->asked = variant;
    row->variant = row->id = row->bytes = 0;
    row->owner = store_lane_me();
    row->born = store_purge_clock(s->shared->purge);
    __atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shard->used, shard->used + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&row->state, STORE_ROW_ASKING, __ATOMIC_SEQ_CST);
}

void store_fills_change(store_t *s, store_row_t *row, const store_row_t *next)
{
    shard_t *shard = shard_of(s, row->key);
    lock(s, shard);
    row->variant = next->variant;
    row->id = next->id;
    row->length = next->length;
    row->room = next->room;
    row->vary = next->vary;
    __atomic_store_n(&row->bytes, next->bytes, __ATOMIC_RELEASE);
    __atomic_store_n(&row->state, next->state, __ATOMIC_SEQ_CST);
    shm_unlock(&shard->lock);
    if (next->state == STORE_ROW_FILLING) tell(row);
}

void store_fills_more(store_row_t *row, uint64_t bytes)
{
    __atomic_store_n(&row->bytes, bytes, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&row->waiting, __ATOMIC_SEQ_CST)) tell(row);
}

void store_fills_end(store_t *s, store_row_t *row)
{
    shard_t *shard = shard_of(s, row->key);
    lock(s, shard);
    clear(s, shard, row);
    shm_unlock(&shard->lock);
}

/* --- waiting --- */

static bool has_changed(const waiter_t *w)
{
    const store_row_t *row = w->row;
    return __atomic_load_n(&row->turn, __ATOMIC_SEQ_CST) != w->turn || state_of(row) != w->state ||
           __atomic_load_n(&row->bytes, __ATOMIC_SEQ_CST) != w->bytes ||
           !store_lane_lives(w->owner);
}

static void heard(bell_ear_t *ear)
{
    (void)ear;
    LIST_EACH(it, &waiters)
    {
        waiter_t *w = LIST_OF(it, waiter_t, link);
        if (has_changed(w)) fiber_wake(w->fiber);
    }
    store_filler_show_wanted();
}

int store_fills_enter(void)
{
    static bell_ear_t ear = {.heard = heard};
    if (ear.link.next && !list_empty(&ear.link)) return 0;
    return bell_listen(&ear);
}

/* Puts itself down first, then looks, then sleeps: nothing is missed. */
static int wait_for_change(waiter_t *w, uint64_t timeout_ms)
{
    uint64_t now = clock_ms();
    uint64_t until = timeout_ms < UINT64_MAX - now ? now + timeout_ms : UINT64_MAX;
    int err = 0;
    w->fiber = fiber_self();
    list_push(&waiters, &w->link);
    for (;;) {
        __atomic_fetch_or(&w->row->waiting, 1u << bell_mine(), __ATOMIC_SEQ_CST);
        if (has_changed(w)) break;
        if (w->state == STORE_ROW_HEADED) bell_ring(1u << (w->owner >> 32) % BELLS);
        now = clock_ms();
        if (until != UINT64_MAX && now >= until) err = -ETIMEDOUT;
        if (!err) err = fiber_suspend(until == UINT64_MAX ? UINT64_MAX : until - now);
        if (err) break;
    }
    list_remove(&w->link);
    return err;
}

static waiter_t waiter_of(store_row_t *row)
{
    return (waiter_t){.row = row,
                      .turn = row->turn,
                      .state = row->state,
                      .bytes = row->bytes,
                      .owner = row->owner};
}

int64_t store_fills_follow(const store_object_t *o, uint64_t at, uint64_t timeout_ms)
{
    const store_fills_t *fills = o->store->shared->fills;
    store_row_t *row = fills->shards[0].rows + (o->fill - 1);
    for (;;) {
        waiter_t w = {.row = row, .turn = o->turn, .state = STORE_ROW_FILLING};
        w.bytes = __atomic_load_n(&row->bytes, __ATOMIC_SEQ_CST);
        w.owner = row->owner;
        bool here = __atomic_load_n(&row->turn, __ATOMIC_SEQ_CST) == o->turn;
        if (here && w.bytes > at) return (int64_t)w.bytes;
        if (!here || !store_lane_lives(w.owner)) return 0;
        int err = wait_for_change(&w, timeout_ms);
        if (err) return err;
    }
}

/* --- asking for the turn --- */

typedef enum look { LOOK_TAKEN, LOOK_NONE, LOOK_SOMEBODY } look_t;

/* Takes a row if nobody has one for it; else *as is what it looked like. */
static look_t look(store_t *s, const uint64_t key[2], uint64_t variant, store_row_t **row,
                   store_row_t *as)
{
    shard_t *shard = shard_of(s, key);
    lock(s, shard);
    *row = find_row(s, shard, key, variant);
    look_t got = !*row ? LOOK_NONE : (*row)->state == STORE_ROW_FREE ? LOOK_TAKEN : LOOK_SOMEBODY;
    if (got == LOOK_TAKEN) claim(s, shard, *row, key, variant);
    if (got == LOOK_SOMEBODY) *as = **row;
    shm_unlock(&shard->lock);
    return got;
}

/* Whether something else is stored now than the caller has seen. */
static bool was_stored(store_t *s, const store_key_t *key, uint64_t variant,
                       const store_object_t *seen)
{
    store_entry_t e;
    if (!seen) return false;
    uint32_t at = store_index_find(s->shared->index, key->hash, variant, &e);
    if (at == STORE_NO_ENTRY) return false;
    return e.id != seen->id || e.version != seen->version;
}

static store_turn_t begin(store_t *s, const store_key_t *key, uint64_t variant, store_row_t *row,
                          const store_object_t *seen, store_fill_t **fill)
{
    if (was_stored(s, key, variant, seen)) {
        store_fills_end(s, row);
        return STORE_RETRY;
    }
    *fill = store_filler_new(s, key, row);
    return STORE_FILLER;
}

static uint32_t number_of(const store_t *s, const store_row_t *row)
{
    return (uint32_t)(row - s->shared->fills->shards[0].rows) + 1;
}

store_turn_t store_join(store_t *s, const store_key_t *key, str_t variant, uint64_t timeout_ms,
                        pool_t *pool, const store_object_t *seen, store_object_t *o,
                        store_fill_t **fill)
{
    uint64_t v = store_zone_variant(variant);
    store_row_t *row, as;
    *fill = NULL;
    if (!s->entered || !store_lane_any() || store_zone_is_full(s)) return STORE_ALONE;
    for (bool waited = false;; waited = true) {
        look_t got = look(s, key->hash, v, &row, &as);
        if (got == LOOK_NONE) return STORE_ALONE;
        if (got == LOOK_TAKEN) return begin(s, key, v, row, seen, fill);
        if (as.state >= STORE_ROW_HEADED && as.variant != v) return STORE_RETRY;
        if (as.state == STORE_ROW_FILLING)
            return store_object_follow(s, key, &as, number_of(s, row), pool, o);
        if (timeout_ms == 0) return STORE_BUSY;
        if (!waited) STORE_COUNT(s, waited);
        waiter_t w = waiter_of(&as);
        w.row = row;
        int err = wait_for_change(&w, timeout_ms);
        if (err) return err == -ETIMEDOUT ? STORE_BUSY : STORE_GONE;
        bool ended = __atomic_load_n(&row->turn, __ATOMIC_SEQ_CST) != as.turn;
        if (ended) return STORE_RETRY;
    }
}

/* --- what there is --- */

uint16_t store_fills_vary(store_t *s, const uint64_t key[2])
{
    shard_t *shard = shard_of(s, key);
    uint16_t vary = 0;
    if (__atomic_load_n(&shard->used, __ATOMIC_RELAXED) == 0) return 0;
    lock(s, shard);
    for (uint32_t i = 0; i < s->shared->fills->per_shard && !vary; i++) {
        const store_row_t *row = &shard->rows[i];
        if (row->state >= STORE_ROW_HEADED && row->key[0] == key[0] && row->key[1] == key[1])
            vary = row->vary;
    }
    shm_unlock(&shard->lock);
    return vary;
}

bool store_fills_id(store_t *s, uint64_t id)
{
    const store_fills_t *f = s->shared->fills;
    for (uint32_t i = 0; i < f->per_shard * SHARDS; i++) {
        const store_row_t *row = &f->shards[0].rows[i];
        /* The id is told before the file is made. */
        if (state_of(row) >= STORE_ROW_HEADED && row->id == id && store_lane_lives(row->owner))
            return true;
    }
    return false;
}
