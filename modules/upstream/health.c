#include "modules/upstream/health.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/io/timer.h"
#include "core/process/bell.h"
#include "core/process/worker.h"
#include "http/hooks.h"
#include "modules/upstream/health_conf.h"
#include "modules/upstream/lot.h"
#include "modules/upstream/probe.h"

enum { CLAIM_MS = 1000 }; /* how often a worker looks whether the one that checks has gone */

/* This worker's hands on the checks of one group. */
typedef struct guard {
    list_t link;           /* guards */
    const health_t *h;
    struct timer claim;
    fiber_t *fiber;        /* NULL: another worker checks */
    list_t rounds;         /* checks going on */
    unsigned first;        /* so many had their first check here */
} guard_t;

typedef struct round { /* one check of one peer */
    list_t link;
    pool_t *pool;          /* holds it, too */
    guard_t *guard;
    upstream_peer_t *peer;
    fiber_t *fiber;
    struct timer limit;
} round_t;

static unsigned index_;
static list_t guards = {&guards, &guards};

/* --- what a check found --- */

/* It comes back from wherever it was: slowly, if it is to. */
static void bring_back(peer_state_t *s)
{
    PEER_SET(s->fails, 0);
    PEER_SET(s->back_ms, clock_ms());
}

static void turn_healthy(const upstream_t *g, const upstream_peer_t *peer)
{
    peer_state_t *s = peer->place.state;
    if (PEER_GET(s->health) == PEER_UNHEALTHY) {
        bring_back(s);
        LOG(&log_main, LOG_NOTICE, 0,
            "upstream server " STR_FMT " of \"" STR_FMT "\" is healthy again",
            STR_ARG(peer->name), STR_ARG(g->name));
    }
    peers_set_health(g->known.shared, s, PEER_HEALTHY);
}

/* What exchanges failed of meanwhile is over, too, when as many checks say so. */
static void note_pass(const health_t *h, const upstream_peer_t *peer, uint64_t began_ms)
{
    peer_state_t *s = peer->place.state;
    uint32_t passes = PEER_ADD(s->check_passes, 1) + 1, health = PEER_GET(s->health);
    PEER_SET(s->check_fails, 0);
    if (passes < h->passes && health != PEER_UNCHECKED) return;
    if (choice_has_failed(peer) && PEER_GET(s->failed_ms) < began_ms) bring_back(s);
    if (health != PEER_HEALTHY) turn_healthy(h->group, peer);
}

static void note_fail(const health_t *h, const upstream_peer_t *peer, fault_t fault)
{
    char text[FAULT_TEXT];
    peer_state_t *s = peer->place.state;
    uint32_t fails = PEER_ADD(s->check_fails, 1) + 1;
    PEER_SET(s->check_passes, 0);
    peers_note_error(s, 0, fault_text(fault, text));
    if (fails < h->fails || PEER_GET(s->health) == PEER_UNHEALTHY) return;
    LOG(&log_main, LOG_WARNING, 0,
        "upstream server " STR_FMT " of \"" STR_FMT "\" is unhealthy: %s", STR_ARG(peer->name),
        STR_ARG(h->group->name), text);
    peers_set_health(h->group->known.shared, s, PEER_UNHEALTHY);
}

/* --- one check --- */

static void on_limit(struct timer *t)
{
    fiber_cancel(LIST_OF(t, round_t, limit)->fiber, -ETIMEDOUT);
}

/* A check that was cut off, or for which something lacked here, teaches nothing. */
static void ask(round_t *r)
{
    const health_t *h = r->guard->h;
    uint64_t began_ms = clock_ms();
    timer_arm(&r->limit, h->timeout);
    fault_t fault = probe_run(r->pool, h, r->peer);
    timer_disarm(&r->limit);
    if (fiber_cancelled(r->fiber) == -ECANCELED || fault_is_ours(fault)) return;
    if (fault) note_fail(h, r->peer, fault);
    else note_pass(h, r->peer, began_ms);
}

static void check(void *arg)
{
    round_t *r = arg;
    ask(r);
    r->peer->checking = false;
    r->peer->users--;
    list_remove(&r->link);
    pool_destroy(r->pool);
}

static void start(guard_t *guard, upstream_peer_t *peer)
{
    pool_t *pool = pool_create();
    round_t *r = POOL_NEW(pool, round_t);
    *r = (round_t){.pool = pool, .guard = guard, .peer = peer, .limit.fire = on_limit};
    r->fiber = fiber_start(check, r);
    if (!r->fiber) {
        pool_destroy(pool);
        return;
    }
    peer->checking = true;
    peer->users++;
    list_push(&guard->rounds, &r->link);
}

/* --- all of a group --- */

/* The first checks come at once, the next ones spread over the interval: servers take turns. */
static uint64_t next_check(guard_t *guard, bool is_first)
{
    const health_t *h = guard->h;
    uint64_t n = h->group->peers.n, after = h->interval;
    if (is_first) after = after * (guard->first++ % n + 1) / n;
    return clock_ms() + after + (h->jitter ? lot_below((uint32_t)h->jitter) : 0);
}

static bool is_checked(const upstream_peer_t *peer)
{
    return !peer->gone && !peer->checking && !(peer->settings.flags & PEER_DOWN);
}

/* Starts what is due. How long nothing else will be. */
static uint64_t start_due(guard_t *guard)
{
    uint64_t now = clock_ms(), next = now + guard->h->interval;
    VEC_EACH(upstream_peer_t *, it, &guard->h->group->peers)
    {
        upstream_peer_t *peer = *it;
        if (!is_checked(peer)) continue;
        if (peer->check_ms <= now) {
            peer->check_ms = next_check(guard, peer->check_ms == 0);
            start(guard, peer);
        }
        if (peer->check_ms < next) next = peer->check_ms;
    }
    return next - now;
}

static void keep(void *arg)
{
    guard_t *guard = arg;
    upstream_t *g = guard->h->group;
    do upstream_refresh(g);
    while (!worker_stopping && fiber_suspend(start_due(guard)) != -ECANCELED);
    guard->fiber = NULL;
}

static void claim(guard_t *guard)
{
    if (worker_stopping || guard->fiber) return;
    if (peers_claim(&guard->h->group->known)) guard->fiber = fiber_start(keep, guard);
    if (!guard->fiber) timer_arm(&guard->claim, CLAIM_MS);
}

static void on_claim(struct timer *t)
{
    claim(LIST_OF(t, guard_t, claim));
}

/* Some process has died: perhaps the one that checked. */
static void on_bell(bell_ear_t *ear)
{
    (void)ear;
    LIST_EACH(it, &guards) claim(LIST_OF(it, guard_t, link));
}

/* The next generation's workers take over at once. */
static void stop(guard_t *guard)
{
    timer_disarm(&guard->claim);
    LIST_EACH(it, &guard->rounds) fiber_cancel(LIST_OF(it, round_t, link)->fiber, -ECANCELED);
    if (guard->fiber) fiber_cancel(guard->fiber, -ECANCELED);
    peers_disclaim(&guard->h->group->known);
}

static void on_stop(void)
{
    LIST_EACH(it, &guards) stop(LIST_OF(it, guard_t, link));
}

/* --- the module --- */

static int worker_start(const void *conf)
{
    static bell_ear_t ear = {.heard = on_bell};
    const health_all_t *all = ((const health_conf_t *)conf)->all;
    if (!all || all->checks.n == 0) return 0;
    VEC_EACH(health_t *, it, &all->checks)
    {
        upstream_t *g = (*it)->group;
        if (!g) continue;
        guard_t *guard = POOL_NEW(g->pool, guard_t);
        *guard = (guard_t){.h = *it, .claim.fire = on_claim};
        list_init(&guard->rounds);
        list_push(&guards, &guard->link);
        upstream_join(g);
        claim(guard);
    }
    worker_on_stop(on_stop, on_stop);
    return bell_listen(&ear);
}

static const http_hooks_t hooks = {.begin = health_conf_begin, .finish = health_conf_finish};

const module_t health_module = {
    .name = "health",
    .index = &index_,
    .rows = health_conf_rows,
    .conf_size = sizeof(health_conf_t),
    .check = health_conf_check,
    .worker_start = worker_start,
    .hooks = &hooks,
};
