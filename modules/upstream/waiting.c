#include "modules/upstream/waiting.h"

#include <errno.h>

#include "core/base/clock.h"

static upstream_peer_t *stand_in_line(choice_t *c, upstream_waiter_t *w, int *err)
{
    upstream_t *g = c->group;
    uint64_t until = clock_ms() + g->policy.queue_timeout;
    for (;;) {
        bool first = g->waiting.next == &w->link;
        upstream_peer_t *peer = first ? balance_pick(c) : NULL;
        if (peer || (first && !c->saturated)) return peer;
        uint64_t left = until > clock_ms() ? until - clock_ms() : 0;
        if (left == 0) *err = -ETIMEDOUT;
        if (left == 0) return NULL;
        int woken = fiber_suspend(first && left > WAITING_POLL_MS ? WAITING_POLL_MS : left);
        if (woken < 0 && woken != -ETIMEDOUT) *err = woken;
        if (*err) return NULL;
    }
}

upstream_peer_t *waiting_pick(choice_t *c, int *err)
{
    upstream_t *g = c->group;
    *err = 0;
    if (g->waiting_count == 0) {
        upstream_peer_t *peer = balance_pick(c);
        if (peer || !c->saturated || g->policy.queue == 0) return peer;
    }
    if (g->waiting_count >= g->policy.queue) *err = -EAGAIN;
    if (*err) return NULL;
    upstream_waiter_t w = {.fiber = fiber_self()};
    list_push(&g->waiting, &w.link);
    g->waiting_count++;
    upstream_peer_t *peer = stand_in_line(c, &w, err);
    list_remove(&w.link);
    g->waiting_count--;
    upstream_wake(g);
    return peer;
}
