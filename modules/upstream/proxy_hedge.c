#include "modules/upstream/proxy_hedge.h"

#include <errno.h>

#include "core/base/clock.h"
#include "modules/upstream/proxy_attempt.h"
#include "modules/upstream/proxy_failure.h"
#include "modules/upstream/proxy_next.h"
#include "modules/upstream/proxy_response.h"

typedef struct runner { /* an attempt in a fiber of its own */
    struct hedge *h;
    proxy_t *p;
    fiber_t *fiber;
    verdict_t verdict;          /* when it is done */
    bool done;
} runner_t;

typedef struct hedge {
    proxy_t *p;                 /* the request's; the first attempt's at first */
    runner_t first, second;     /* p NULL: there is none, or it has failed and is over */
    fiber_t *waiting;           /* the request's */
    const parse_response_t *interim; /* the first one's, which waits until it is passed on */
    int interim_err;
} hedge_t;

/* --- when --- */

static histogram_t *times_of(const proxy_t *p)
{
    return &p->target.group->known.shared->times;
}

/* In milliseconds; 0: too little is known. */
static uint64_t look_up(const histogram_t *times, unsigned percent)
{
    enum { TAIL_LEAST = 5 }; /* values beyond the percentile that it takes to tell it */
    if (histogram_count(times) * (100 - percent) < TAIL_LEAST * 100) return 0;
    return histogram_percentile(times, percent) / 1000 + 1;
}

/* The histogram is long: it is not gone through for each request. */
static uint64_t delay_of(const proxy_t *p)
{
    enum { HOLDS_MS = 100 };
    const proxy_hedge_t *c = &p->conf->hedge;
    upstream_usual_t *usual = &p->target.group->usual;
    if (!c->percent) return c->after;
    if (usual->percent != c->percent || clock_ms() >= usual->until_ms)
        *usual = (upstream_usual_t){.percent = c->percent, .until_ms = clock_ms() + HOLDS_MS,
                                    .ms = look_up(times_of(p), c->percent)};
    return usual->ms;
}

static void note_time(const proxy_t *p)
{
    uint64_t us = clock_ms() * 1000 - proxy_attempt(p)->started_us;
    if (p->conf->hedge.percent) histogram_add(times_of(p), us);
}

/* --- an attempt beside the request's fiber --- */

static void run(void *arg)
{
    runner_t *it = arg;
    it->verdict = proxy_attempt_ask(it->p);
    it->done = true;
    fiber_wake(it->h->waiting);
}

static bool start(hedge_t *h, runner_t *it, proxy_t *p)
{
    *it = (runner_t){.h = h, .p = p};
    p->hedge = true;
    it->fiber = fiber_start(run, it);
    if (!it->fiber) it->p = NULL;
    return it->fiber;
}

/* Ends it wherever it is. Its waits all fail at once then, so it needs no more than its turn to get
   out. */
static void stop(runner_t *it)
{
    if (!it->done) fiber_cancel(it->fiber, -ECANCELED);
    while (!it->done) fiber_yield();
}

static void drop(runner_t *it, verdict_t v)
{
    stop(it);
    proxy_attempt_end(it->p, v);
    it->p = NULL;
}

/* The client is written to by the request's fiber alone: the first one's waits for that. */
static int hand_over(void *arg, const parse_response_t *head)
{
    const proxy_t *p = arg;
    hedge_t *h = p->race;
    int r = 0;
    h->interim = head;
    fiber_wake(h->waiting);
    while (h->interim && r == 0) r = fiber_suspend(UINT64_MAX);
    h->interim = NULL;
    return r < 0 ? r : h->interim_err;
}

static void pass_interim(hedge_t *h)
{
    h->p->hedge = false;
    h->interim_err = proxy_response_interim(h->p, h->interim);
    h->p->hedge = true;
    h->interim = NULL;
    fiber_wake(h->first.fiber);
}

/* --- the race --- */

static runner_t *done_one(hedge_t *h)
{
    if (h->first.p && h->first.done) return &h->first;
    return h->second.p && h->second.done ? &h->second : NULL;
}

/* Until one is done: 0; or -ETIMEDOUT, or why the request's fiber was cancelled. Suspends. */
static int await_one(hedge_t *h, uint64_t until_ms)
{
    while (!done_one(h)) {
        uint64_t now = clock_ms();
        if (now >= until_ms) return -ETIMEDOUT;
        int r = fiber_suspend(until_ms == UINT64_MAX ? until_ms : until_ms - now);
        if (h->interim) pass_interim(h);
        if (r < 0 && r != -ETIMEDOUT) return r;
    }
    return 0;
}

static void start_second(hedge_t *h)
{
    const verdict_t too_many = verdict_refuse(499, LOG_INFO, NULL);
    proxy_t *p = h->p;
    if (!proxy_next_may_hedge(p)) return;
    upstream_peer_t *peer = balance_pick(&p->choice);
    if (!peer) return;
    proxy_t *second = pool_memdup(p->r->pool, p, sizeof(*p));
    second->peer = peer;
    second->interim = NULL;
    second->raced = p->raced = true;
    proxy_attempt_begin(second);
    p->tries = second->tries;
    if (start(h, &h->second, second)) return;
    proxy_attempt_end(second, too_many);
    p->raced = false;
}

/* What is left of the race is the request's from now on. */
static void take(hedge_t *h, const runner_t *it)
{
    if (it->p != h->p) *h->p = *it->p;
    if (h->p->client) h->p->client->arg = h->p;
    h->p->hedge = h->p->raced = false;
}

/* The client has left, or the worker stops: both go. */
static verdict_t leave(hedge_t *h)
{
    runner_t *it = h->first.p ? &h->first : &h->second;
    if (it == &h->first && h->second.p) drop(&h->second, verdict_refuse(499, LOG_INFO, NULL));
    stop(it);
    take(h, it);
    h->p->failure = 0;
    h->p->again = false;
    return proxy_failure_client(h->p);
}

static verdict_t win(hedge_t *h, const runner_t *it, runner_t *other)
{
    if (h->first.p) note_time(h->first.p);
    if (other->p) drop(other, verdict_refuse(499, LOG_INFO, NULL));
    take(h, it);
    h->p->r->upstream_headers = &h->p->client->head.headers;
    return VERDICT(NEXT);
}

/* One is done. False: it has failed, and the other one is still to be awaited. */
static bool settle(hedge_t *h, verdict_t *v)
{
    runner_t *it = done_one(h), *other = it == &h->first ? &h->second : &h->first;
    *v = it->verdict;
    if (v->kind == VERDICT_NEXT) *v = win(h, it, other);
    else if (v->status == 499) *v = leave(h);
    else if (!other->p) take(h, it);
    else {
        drop(it, *v);
        other->p->raced = false;
        return false;
    }
    return true;
}

static verdict_t race(hedge_t *h, uint64_t delay)
{
    verdict_t v;
    if (await_one(h, clock_ms() + delay) == -ETIMEDOUT) start_second(h);
    do if (await_one(h, UINT64_MAX) < 0) return leave(h);
    while (!settle(h, &v));
    return v;
}

/* --- the door --- */

/* False: no fiber could be had. */
static bool ask_beside(proxy_t *p, uint64_t delay, verdict_t *v)
{
    hedge_t *h = POOL_NEW(p->r->pool, hedge_t);
    h->p = p;
    h->waiting = fiber_self();
    p->race = h;
    p->interim = hand_over;
    proxy_watch_client(p, true);
    bool started = start(h, &h->first, p);
    if (started) *v = race(h, delay);
    p->hedge = false;
    p->race = NULL;
    p->interim = proxy_response_interim;
    proxy_watch_client(p, false);
    return started;
}

verdict_t proxy_hedge_ask(proxy_t *p)
{
    const proxy_hedge_t *c = &p->conf->hedge;
    verdict_t v;
    if ((!c->percent && !c->after) || !upstream_has_choice(p->target.group))
        return proxy_attempt_ask(p);
    uint64_t delay = proxy_next_may_race(p) ? delay_of(p) : 0;
    if (delay && ask_beside(p, delay, &v)) return v;
    v = proxy_attempt_ask(p);
    if (v.kind == VERDICT_NEXT) note_time(p);
    return v;
}
