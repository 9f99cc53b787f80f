#include "modules/cache/store_manager.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/io/fiber.h"
#include "modules/cache/store_fill.h"
#include "modules/cache/store_lane.h"
#include "modules/cache/store_loader.h"
#include "modules/cache/store_renew.h"

enum {
    TURN_MS = 500,
    SETTLE_MS = 10000,     /* between two looks for what was purged */
    SWEEP_LEAST = 1024,    /* entries looked at in a turn */
    SWEEP_TURNS_MOST = 64, /* turns in which all entries are looked at */
    PURGED_BATCH = 500,    /* records read at one go */
    FULL_SHARE = 16,       /* a full disk: so much of what there is goes */
    HASH_STEP = 31,
    LOAD_SHARE = 10,       /* at most a tenth of the time goes into looking at all files */
};

typedef struct manager {
    struct manager *next;
    store_t *s;
    fiber_t *fiber;
    uint32_t at;        /* the sweep comes to this entry next */
    unsigned shard;     /* the next one that is evicted from */
    uint32_t settled;   /* the purge clock up to which everything was looked at */
    uint64_t settle_at; /* clock_ms of the next look */
    uint64_t company;   /* who there was when the files were looked at last */
    uint64_t load_at;   /* clock_ms of the next look at the earliest */
    bool relieved;      /* room was made on the full disk */
    unsigned done;      /* files since the last rest */
    uint64_t rested_us; /* when that was */
} manager_t;

static manager_t *managers; /* of this process */
static bool stopping;

/* --- dropping --- */

static bool drop(store_t *s, uint32_t at, uint64_t id)
{
    store_entry_t gone;
    if (!store_index_drop(s->shared->index, at, id, &gone)) return false;
    store_zone_clear(s, &gone);
    return true;
}

static bool is_out(const store_t *s, store_entry_t *here, const store_entry_t *e)
{
    uint32_t now = (uint32_t)clock_unix();
    if (e->kind == STORE_KIND_PASS) return e->until <= now;
    if (store_entry_cool(here, STORE_HOT_USED)) {
        __atomic_store_n(&here->used, now, __ATOMIC_RELAXED);
        return false;
    }
    return now >= e->used && (uint64_t)(now - e->used) * 1000 >= s->options.inactive;
}

static void look_at(store_t *s, uint32_t at)
{
    store_entry_t e;
    if (!store_index_copy(s->shared->index, at, &e)) return;
    if (!is_out(s, store_index_at(s->shared->index, at), &e)) return;
    if (drop(s, at, e.id) && e.kind == STORE_KIND_OBJECT) STORE_COUNT(s, inactive);
}

/* Some of the entries in each turn: all of them within a quarter of `inactive`. */
static int sweep(manager_t *m)
{
    store_t *s = m->s;
    uint32_t all = store_index_capacity(s->shared->index);
    uint64_t turns = s->options.inactive / 4 / TURN_MS + 1;
    if (turns > SWEEP_TURNS_MOST) turns = SWEEP_TURNS_MOST;
    uint32_t n = (uint32_t)(all / turns) + SWEEP_LEAST;
    for (uint32_t i = 0; i < n && i < all; i++) {
        look_at(s, m->at);
        m->at = m->at + 1 < all ? m->at + 1 : 0;
        if (i % SWEEP_LEAST == SWEEP_LEAST - 1) fiber_yield();
    }
    return fiber_cancelled(fiber_self());
}

/* --- what was purged --- */

static bool read_record(store_t *s, const store_entry_t *e, pool_t *pool, store_record_t *r)
{
    uint32_t room = e->body_at / 2;
    store_file_t name = store_zone_file(e);
    int fd = store_file_open(&s->dir, &name, false);
    if (fd < 0) return false;
    char *bytes = pool_bytes(pool, room);
    ssize_t n = store_file_read(fd, bytes, room, e->flags & STORE_SECOND ? room : 0);
    close(fd);
    return n > 0 && store_record_get(str_make(bytes, (size_t)n), r) && r->id == e->id;
}

/* The file remembers it when the purge is forgotten; one that cannot goes. */
static int make_stale(store_t *s, uint32_t at, const store_entry_t *e, store_record_t *r)
{
    r->stale = true;
    int err = store_renew(s, at, e, r);
    if (err && err != -ESTALE && err != -EAGAIN) drop(s, at, e->id);
    return err;
}

/* What becomes of an object that is held against the purges as a request would do it. One that
   cannot be read does not outlive a purge that will be forgotten. */
static store_verdict_t verdict_of(store_t *s, const store_entry_t *e, pool_t *pool,
                                  store_record_t *r)
{
    if (!read_record(s, e, pool, r)) return STORE_VOID;
    store_suspect_t suspect = {.born = e->born,
                               .key_hash = e->key[0],
                               .key = r->key,
                               .tags = r->tags.p,
                               .tag_count = store_record_tags(r)};
    return store_purge_check(s->shared->purge, &suspect);
}

/* -EAGAIN: it has been renewed meanwhile. */
static int judge(store_t *s, uint32_t at, const store_entry_t *e, pool_t *pool)
{
    store_record_t r;
    store_entry_t now;
    store_verdict_t verdict = verdict_of(s, e, pool, &r);
    if (verdict == STORE_SOFT && !r.stale) return make_stale(s, at, e, &r);
    if (verdict != STORE_VOID) return 0;
    if (!store_index_copy(s->shared->index, at, &now) || now.id != e->id) return 0;
    if (now.version != e->version) return -EAGAIN;
    if (drop(s, at, e->id)) STORE_COUNT(s, purged);
    return 0;
}

/* One that is neither tagged nor older than a prefix is known by its key alone. */
static bool must_judge(store_t *s, const store_entry_t *e, uint32_t clock)
{
    if (e->kind != STORE_KIND_OBJECT) return false;
    if (e->checked >= clock && !(e->flags & STORE_STALE)) return false;
    store_suspect_t suspect = {.born = e->born, .key_hash = e->key[0]};
    if (e->flags & STORE_TAGGED || store_purge_prefixed(s->shared->purge, e->born)) return true;
    return store_purge_check(s->shared->purge, &suspect) != STORE_GOOD;
}

static void judge_entry(store_t *s, uint32_t at, uint32_t clock, pool_t *pool, unsigned *reads)
{
    store_entry_t e;
    int err = -EAGAIN;
    while (err == -EAGAIN && store_index_copy(s->shared->index, at, &e) &&
           must_judge(s, &e, clock)) {
        err = judge(s, at, &e, pool);
        (*reads)++;
    }
}

static bool must_settle(const manager_t *m, uint32_t clock)
{
    if (clock == m->settled || clock == STORE_PURGE_START) return false;
    return clock_ms() >= m->settle_at || store_purge_crowded(m->s->shared->purge);
}

static int settle(manager_t *m)
{
    store_t *s = m->s;
    uint32_t clock = store_purge_clock(s->shared->purge);
    if (!must_settle(m, clock)) return 0;
    uint32_t oldest = store_fills_oldest(s, clock); /* what is being stored may still be older */
    uint32_t all = store_index_capacity(s->shared->index);
    pool_t *pool = pool_create();
    int err = 0;
    unsigned reads = 0;
    for (uint32_t at = 0; at < all && !err; at++) {
        judge_entry(s, at, clock, pool, &reads);
        if (at % SWEEP_LEAST != 0 && reads < PURGED_BATCH) continue;
        if (reads >= PURGED_BATCH) err = fiber_sleep(s->options.manager_sleep);
        else fiber_yield();
        if (reads >= PURGED_BATCH) reads = 0;
        pool_destroy(pool);
        pool = pool_create();
        if (!err) err = fiber_cancelled(fiber_self());
    }
    pool_destroy(pool);
    if (err) return err;
    if (oldest < clock && store_purge_crowded(s->shared->purge)) {
        store_fills_doom(s, clock);
        oldest = clock;
    }
    store_purge_settled(s->shared->purge, s->dir.fd, oldest);
    m->settled = oldest;
    m->settle_at = clock_ms() + SETTLE_MS;
    return 0;
}

/* --- room --- */

static bool evict_one(manager_t *m)
{
    store_t *s = m->s;
    store_entry_t gone;
    unsigned shards = store_index_shards(s->shared->index);
    for (unsigned i = 0; i < shards; i++) {
        m->shard = (m->shard + 1) % shards;
        if (!store_index_evict(s->shared->index, m->shard, &gone)) continue;
        store_zone_evicted(s, &gone);
        return true;
    }
    return false;
}

static int rest(manager_t *m)
{
    const store_options_t *o = &m->s->options;
    bool long_enough = (clock_us_now() - m->rested_us) / 1000 >= o->manager_threshold;
    if (++m->done < o->manager_files && !long_enough) return 0;
    int err = fiber_sleep(o->manager_sleep);
    m->done = 0;
    m->rested_us = clock_us_now();
    return err;
}

static int shrink_to(manager_t *m, uint64_t bytes)
{
    int err = 0;
    while (!err && store_index_stats(m->s->shared->index).bytes > bytes && evict_one(m))
        err = rest(m);
    return err;
}

static uint64_t disk_free(const store_t *s)
{
    struct statvfs v;
    if (fstatvfs(s->dir.fd, &v) < 0) return UINT64_MAX;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static int keep_free(manager_t *m)
{
    int err = 0;
    uint64_t least = m->s->options.min_free;
    while (least && !err && disk_free(m->s) < least && evict_one(m)) err = rest(m);
    return err;
}

/* Once for each time that the disk is found full, since it may be full of something else; and for
   those who cannot go on without. */
static int relieve(manager_t *m)
{
    store_shared_t *sh = m->s->shared;
    bool full = __atomic_load_n(&sh->full_until, __ATOMIC_RELAXED);
    if (!full || __atomic_exchange_n(&sh->room_wanted, 0, __ATOMIC_RELAXED)) m->relieved = false;
    if (!full || m->relieved) return 0;
    m->relieved = true;
    uint64_t bytes = store_index_stats(m->s->shared->index).bytes;
    return shrink_to(m, bytes - bytes / FULL_SHARE);
}

static int keep_spare_entries(manager_t *m)
{
    store_t *s = m->s;
    store_entry_t gone;
    int err = 0;
    for (unsigned i = 0; i < store_index_shards(s->shared->index) && !err; i++)
        while (!err && store_index_short(s->shared->index, i) &&
               store_index_evict(s->shared->index, i, &gone)) {
            store_zone_evicted(s, &gone);
            err = rest(m);
        }
    return err;
}

/* --- loading --- */

static void tell_load(const store_t *s, const store_load_t *got, uint64_t ms)
{
    LOG(&log_main, LOG_NOTICE, 0,
        "cache \"%s\": %llu objects of %llu files loaded in %llu ms, %llu files dropped",
        s->options.path.p, (unsigned long long)got->loaded, (unsigned long long)got->files,
        (unsigned long long)ms, (unsigned long long)got->dropped);
}

static int load(manager_t *m, bool first)
{
    store_t *s = m->s;
    store_load_t got;
    uint64_t started = clock_us_now();
    if (first) __atomic_store_n(&s->shared->load, STORE_LOAD_RUNNING, __ATOMIC_RELAXED);
    int err = store_loader_run(s, first, &got);
    if (err) return err;
    uint64_t ms = (clock_us_now() - started) / 1000;
    __atomic_store_n(&s->shared->load, STORE_LOAD_DONE, __ATOMIC_RELEASE);
    if (first) s->counts->broken += got.dropped;
    m->load_at = clock_ms() + ms * LOAD_SHARE;
    if (first || got.loaded || got.dropped) tell_load(s, &got, ms);
    return 0;
}

/* Changes when a process goes. */
static uint64_t company(void)
{
    uint64_t sum = 0;
    for (unsigned row = 0; row < worker_rows(); row++)
        sum = sum * HASH_STEP + worker_row_owner(row);
    return sum;
}

/* A process that was killed may have left a file that the index does not know: one it was making,
   one it had just put into place, one it was about to remove. */
static int load_if_needed(manager_t *m)
{
    bool first = __atomic_load_n(&m->s->shared->load, __ATOMIC_ACQUIRE) != STORE_LOAD_DONE;
    uint64_t now = company();
    if (!first && (now == m->company || clock_ms() < m->load_at)) return 0;
    m->company = now;
    return load(m, first);
}

/* --- the process --- */

static int turn(manager_t *m)
{
    m->done = 0;
    m->rested_us = clock_us_now();
    int err = load_if_needed(m);
    if (!err) err = sweep(m);
    if (!err) err = settle(m);
    if (!err && m->s->options.max_size) err = shrink_to(m, m->s->options.max_size);
    if (!err) err = keep_free(m);
    if (!err) err = relieve(m);
    if (!err) err = keep_spare_entries(m);
    return err;
}

int store_manager_turn(store_t *s)
{
    static manager_t m;
    if (m.s != s) m = (manager_t){.s = s};
    m.settle_at = m.load_at = m.company = 0;
    return turn(&m);
}

/* One manager at a time: the one of the configuration before is leaving. */
static bool is_mine(store_t *s)
{
    uint64_t now = __atomic_load_n(&s->shared->manager, __ATOMIC_RELAXED), me = store_lane_me();
    if (now == me) return true;
    if (store_lane_lives(now)) return false;
    return __atomic_compare_exchange_n(&s->shared->manager, &now, me, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

static void manage(void *arg)
{
    manager_t *m = arg;
    int err = 0;
    while (!err && !stopping) {
        if (is_mine(m->s)) err = turn(m);
        if (!err) err = fiber_sleep(TURN_MS);
    }
    m->fiber = NULL;
}

int store_manager_start(store_t *s)
{
    manager_t *m = calloc(1, sizeof(*m));
    if (!m) return -ENOMEM;
    *m = (manager_t){.next = managers, .s = s};
    managers = m;
    m->fiber = fiber_start(manage, m);
    return m->fiber ? 0 : -ENOMEM;
}

void store_manager_stop(void)
{
    stopping = true;
    for (const manager_t *m = managers; m; m = m->next)
        if (m->fiber) fiber_cancel(m->fiber, -ECANCELED);
}
