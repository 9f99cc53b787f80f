#include "modules/cache/store_fill.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/list.h"
#include "core/io/fiber.h"
#include "core/process/bell.h"
#include "core/shared/shm.h"
#include "modules/cache/store_lane.h"

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

static void (*show_wanted)(void); /* what others wait for of this process */

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

static void clear(shard_t *shard, store_row_t *row)
{
    __atomic_store_n(&row->turn, row->turn + 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&row->state, STORE_ROW_FREE, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shard->used, shard->used - 1, __ATOMIC_RELAXED);
    tell(row);
}

/* What its dead owner has left is taken away. */
static void bury(store_t *s, shard_t *shard, store_row_t *row)
{
    if (row->state >= STORE_ROW_HEADED) store_file_discard(&s->dir, row->id); /* if it is there */
    clear(shard, row);
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

/* Whether nothing has come for so long that one more may try; from then on all wait for that. */
static bool is_late(store_row_t *row, uint64_t age_ms)
{
    uint64_t now = clock_ms(), since = __atomic_load_n(&row->since, __ATOMIC_RELAXED);
    if (now > since && now - since >= age_ms) row->late = true;
    return row->late;
}

/* The row of who fetches it, or one that is free, or NULL. */
static store_row_t *find_row(store_t *s, shard_t *shard, const uint64_t key[2], uint64_t variant,
                             uint64_t age_ms)
{
    store_row_t *free = NULL;
    uint32_t others = shard->used; /* rows in use that have not been looked at */
    for (uint32_t i = 0; i < s->shared->fills->per_shard && (others || !free); i++) {
        store_row_t *row = &shard->rows[i];
        others -= row->state != STORE_ROW_FREE;
        if (row->state != STORE_ROW_FREE && !store_lane_lives(row->owner)) bury(s, shard, row);
        if (answers(row, key, variant) && !is_void(s, row) && !is_late(row, age_ms)) return row;
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
    row->since = clock_ms();
    row->late = row->doomed = false;
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

void store_fills_alive(store_row_t *row)
{
    __atomic_store_n(&row->since, clock_ms(), __ATOMIC_RELAXED);
}

void store_fills_end(store_t *s, store_row_t *row)
{
    shard_t *shard = shard_of(s, row->key);
    lock(s, shard);
    clear(shard, row);
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
    show_wanted();
}

int store_fills_enter(void (*show)(void))
{
    static bell_ear_t ear = {.heard = heard};
    show_wanted = show;
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

store_look_t store_fills_look(store_t *s, const uint64_t key[2], uint64_t variant,
                              uint64_t age_ms, store_row_t **row, store_row_t *as)
{
    shard_t *shard = shard_of(s, key);
    lock(s, shard);
    *row = find_row(s, shard, key, variant, age_ms);
    store_look_t got = !*row                            ? STORE_LOOK_NONE
                       : (*row)->state == STORE_ROW_FREE ? STORE_LOOK_TAKEN
                                                         : STORE_LOOK_SOMEBODY;
    if (got == STORE_LOOK_TAKEN) claim(s, shard, *row, key, variant);
    if (got == STORE_LOOK_SOMEBODY) *as = **row;
    shm_unlock(&shard->lock);
    return got;
}

int store_fills_wait(store_row_t *row, const store_row_t *as, uint64_t timeout_ms)
{
    waiter_t w = {.row = row,
                  .turn = as->turn,
                  .state = as->state,
                  .bytes = as->bytes,
                  .owner = as->owner};
    return wait_for_change(&w, timeout_ms);
}

bool store_fills_ended(const store_row_t *row, const store_row_t *as)
{
    return __atomic_load_n(&row->turn, __ATOMIC_SEQ_CST) != as->turn;
}

uint32_t store_fills_number(const store_t *s, const store_row_t *row)
{
    return (uint32_t)(row - s->shared->fills->shards[0].rows) + 1;
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

uint32_t store_fills_oldest(store_t *s, uint32_t now)
{
    store_fills_t *f = s->shared->fills;
    for (unsigned i = 0; i < SHARDS; i++) {
        lock(s, &f->shards[i]); /* who takes a row now has seen the clock at `now` */
        for (uint32_t n = 0; n < f->per_shard; n++) {
            const store_row_t *row = &f->shards[i].rows[n];
            bool old = row->state != STORE_ROW_FREE && row->born < now;
            if (old && store_lane_lives(row->owner)) now = row->born;
        }
        shm_unlock(&f->shards[i].lock);
    }
    return now;
}

void store_fills_doom(store_t *s, uint32_t before)
{
    store_fills_t *f = s->shared->fills;
    for (unsigned i = 0; i < SHARDS; i++) {
        lock(s, &f->shards[i]);
        for (uint32_t n = 0; n < f->per_shard; n++) {
            store_row_t *row = &f->shards[i].rows[n];
            bool old = row->state != STORE_ROW_FREE && row->born < before;
            if (old) __atomic_store_n(&row->doomed, true, __ATOMIC_SEQ_CST);
        }
        shm_unlock(&f->shards[i].lock);
    }
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
