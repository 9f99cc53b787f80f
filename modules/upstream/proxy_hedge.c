#include "modules/upstream/proxy_hedge.h"

#include <errno.h>

#include "core/base/clock.h"
#include "modules/upstream/proxy_attempt.h"
#include "modules/upstream/proxy_failure.h"
#include "modules/upstream/proxy_next.h"

typedef struct hedge {
    proxy_t *first, *second;
    fiber_t *waiting, *running; /* the request's fiber; the second attempt's */
    verdict_t verdict;          /* of the second attempt, when it is */
    bool done;
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

/* --- the second attempt --- */

static void run(void *arg)
{
    hedge_t *h = arg;
    h->verdict = proxy_attempt_ask(h->second);
    h->done = true;
    fiber_wake(h->waiting);
}

static hedge_t *start(proxy_t *p)
{
    if (!proxy_next_may_hedge(p)) return NULL;
    upstream_peer_t *peer = balance_pick(&p->choice);
    if (!peer) return NULL;
    hedge_t *h = POOL_NEW(p->r->pool, hedge_t);
    proxy_t *second = h->second = pool_memdup(p->r->pool, p, sizeof(*p));
    h->first = p;
    h->waiting = fiber_self();
    second->peer = peer;
    second->race = NULL;
    second->hedge = second->raced = p->raced = true;
    proxy_attempt_begin(second);
    p->tries = second->tries;
    h->running = fiber_start(run, h);
    if (h->running) return h;
    proxy_attempt_end(second, verdict_refuse(499, LOG_INFO, NULL));
    p->raced = false;
    return NULL;
}

/* Ends the second attempt wherever it is. Its waits all fail at once then, so it needs no more than
   its turn to get out. */
static void stop(hedge_t *h)
{
    if (!h->done) fiber_cancel(h->running, -ECANCELED);
    while (!h->done) fiber_yield();
}

/* The second one wins, or is all that is left: it takes the first one's place. */
static verdict_t take_second(hedge_t *h)
{
    proxy_t *p = h->first;
    *p = *h->second;
    p->hedge = p->raced = false;
    if (p->client) p->client->arg = p;
    return h->verdict;
}

/* --- the race --- */

/* The first one's head is there (1), it has failed, or the second one is done (0). Suspends. */
static int await_either(hedge_t *h)
{
    client_t *c = h->first->client;
    uint64_t until = clock_ms() + c->read_timeout;
    int r = 0;
    while ((r = client_poll(c)) == 0 && !h->done) {
        if (clock_ms() >= until) return -ETIMEDOUT;
        r = client_wait(c, until - clock_ms());
        if (r < 0) return r;
    }
    return r;
}

static verdict_t await_second(hedge_t *h)
{
    h->second->raced = false;
    while (!h->done && fiber_suspend(UINT64_MAX) == 0) continue;
    stop(h);
    return take_second(h);
}

static verdict_t second_wins(hedge_t *h)
{
    note_time(h->first);
    proxy_attempt_end(h->first, verdict_refuse(499, LOG_INFO, NULL));
    return take_second(h);
}

static verdict_t first_wins(hedge_t *h, verdict_t v)
{
    stop(h);
    proxy_attempt_end(h->second, verdict_refuse(499, LOG_INFO, NULL));
    h->first->raced = false;
    h->first->r->upstream_headers = &h->first->client->head.headers;
    return v;
}

static verdict_t first_fails(hedge_t *h, verdict_t v)
{
    if (!h->first->failure) { /* cancelled: the client has left both */
        stop(h);
        proxy_attempt_end(h->second, verdict_refuse(499, LOG_INFO, NULL));
        return v;
    }
    proxy_attempt_end(h->first, v);
    return await_second(h);
}

/* False: the second one has failed, and the first is still to be awaited. */
static bool decide(hedge_t *h, verdict_t *v)
{
    proxy_t *p = h->first;
    int r = await_either(h);
    if (r == 0 && h->verdict.kind != VERDICT_NEXT) {
        proxy_attempt_end(h->second, h->verdict);
        p->raced = false;
        return false;
    }
    if (r == 0) {
        *v = second_wins(h);
        return true;
    }
    if (r > 0) note_time(p);
    *v = r > 0 ? proxy_attempt_head(p) : proxy_failure_exchange(p, r, false);
    *v = v->kind == VERDICT_NEXT ? first_wins(h, *v) : first_fails(h, *v);
    return true;
}

static int await_first(proxy_t *p, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;
    int r = 0;
    while ((r = client_poll(p->client)) == 0) {
        if (clock_ms() >= until) return -EAGAIN;
        r = client_wait(p->client, until - clock_ms());
        if (r < 0 && r != -ETIMEDOUT) return r;
    }
    return r < 0 ? r : 0;
}

/* As proxy_t's race. */
static bool race(proxy_t *p, int *err, verdict_t *v)
{
    uint64_t delay = delay_of(p);
    *err = delay && delay < p->client->read_timeout ? await_first(p, delay) : -EAGAIN;
    if (*err == -EAGAIN) {
        hedge_t *h = delay ? start(p) : NULL;
        if (h && decide(h, v)) return true;
        *err = client_head(p->client);
    }
    if (*err == 0) note_time(p);
    return false;
}

void proxy_hedge_prepare(proxy_t *p)
{
    const proxy_hedge_t *c = &p->conf->hedge;
    if ((c->percent || c->after) && upstream_has_choice(p->target.group)) p->race = race;
}
