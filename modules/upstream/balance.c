#include "modules/upstream/balance.h"

#include "core/base/clock.h"
#include "modules/upstream/latency.h"
#include "modules/upstream/method.h"
#include "modules/upstream/outlier.h"
#include "modules/upstream/sticky.h"

/* One try after a rest, by one worker, and not by each request that comes meanwhile. */
static bool may_check(upstream_peer_t *peer)
{
    uint64_t now = clock_ms(), before = PEER_GET(peer->place.state->checked_ms);
    if (now - before <= peer->server->fail_timeout) return true;
    return __atomic_compare_exchange_n(&peer->place.state->checked_ms, &before, now, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
           !choice_has_failed(peer);
}

static void count(upstream_peer_t *peer, int n)
{
    peer->users += (unsigned)n;
    PEER_SET(*peer->place.mine, *peer->place.mine + (unsigned)n);
}

/* Others choose at the same time: false when one of them was faster. */
static bool take(choice_t *c, upstream_peer_t *peer)
{
    if (!may_check(peer)) return false;
    count(peer, 1);
    if (peer->settings.max_conns) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (choice_is_full(c->group, peer, 0)) {
            count(peer, -1);
            c->saturated = true;
            return false;
        }
    }
    PEER_ADD(peer->place.state->requests, 1);
    c->began_ms = clock_ms();
    if (upstream_has_choice(c->group) || c->tried.n) *VEC_PUSH(c->pool, &c->tried) = peer;
    return true;
}

static upstream_peer_t *own_peer(choice_t *c)
{
    if (!c->sought && c->r) c->wanted = sticky_find(c->group, c->r);
    c->sought = true;
    if (!c->wanted.n) return NULL;
    VEC_EACH(upstream_peer_t *, it, &c->group->peers)
        if (sticky_is(*it, c->wanted) && choice_fits_own(c, *it)) return *it;
    return NULL;
}

/* An outlier is better than nobody. */
static upstream_peer_t *choose(choice_t *c)
{
    upstream_peer_t *peer;
    c->take_outliers = false;
    if (c->group->policy.sticky && (peer = own_peer(c))) return peer;
    if ((peer = method_pick(c, false)) || (peer = method_pick(c, true))) return peer;
    if (!c->group->policy.outlier_factor) return NULL;
    c->take_outliers = true;
    return method_pick(c, false);
}

upstream_peer_t *balance_pick(choice_t *c)
{
    enum { TRIES = 8 };
    upstream_t *g = c->group;
    c->saturated = false;
    upstream_refresh(g);
    if (g->limited || method_counts(&g->policy)) peers_look(&g->known);
    for (unsigned i = 0; i < TRIES; i++) {
        upstream_peer_t *peer = choose(c);
        if (!peer || take(c, peer)) return peer;
    }
    return NULL;
}

static bool note_failure(const choice_t *c, upstream_peer_t *peer, const upstream_attempt_t *a)
{
    const upstream_server_t *s = peer->server;
    peer_state_t *state = peer->place.state;
    unsigned fails = PEER_ADD(state->fails, 1) + 1;
    PEER_ADD(state->failures, 1);
    PEER_SET(state->check_passes, 0);
    PEER_SET(state->failed_ms, clock_ms());
    PEER_SET(state->checked_ms, clock_ms());
    if (a) PEER_SET(state->last_status, (uint32_t)a->status);
    if (s->max_fails) {
        int32_t left = PEER_GET(state->effective) -
                       (int32_t)(peer->settings.weight / s->max_fails);
        PEER_SET(state->effective, left > 0 ? left : 0);
    }
    return s->max_fails && fails == s->max_fails && upstream_has_choice(c->group);
}

/* Who was away comes back slowly, if it is to. */
static void forgive(upstream_peer_t *peer)
{
    peer_state_t *s = peer->place.state;
    if (PEER_GET(s->fails) == 0 || PEER_GET(s->failed_ms) >= PEER_GET(s->checked_ms)) return;
    if (choice_has_failed(peer)) PEER_SET(s->back_ms, clock_ms());
    PEER_SET(s->fails, 0);
}

/* A failure may be quick: it makes nobody look fast. */
static void note_latency(const choice_t *c, upstream_peer_t *peer, balance_result_t result,
                         const upstream_attempt_t *a)
{
    const upstream_policy_t *policy = &c->group->policy;
    peer_state_t *state = peer->place.state;
    if (!policy->by_time && !policy->outlier_factor) return;
    int64_t us = policy->until_header ? a->header_us : a->response_us;
    if (result == BALANCE_FAILED) {
        us = (int64_t)(clock_ms() - c->began_ms) * 1000;
        if ((uint64_t)us < latency_of(state)) return;
    }
    if (us < 0) return;
    latency_note(state, (uint64_t)us);
    outlier_judge(c->group, c->pool, c->r ? &c->r->log : NULL);
}

bool balance_done(const choice_t *c, upstream_peer_t *peer, balance_result_t result,
                  const upstream_attempt_t *attempt)
{
    bool rest = false;
    count(peer, -1);
    if (result == BALANCE_SERVED) forgive(peer);
    if (result == BALANCE_FAILED) rest = note_failure(c, peer, attempt);
    if (attempt && peer->place.tally) tally_note(peer->place.tally, attempt);
    if (attempt && result != BALANCE_ABANDONED) note_latency(c, peer, result, attempt);
    upstream_wake(c->group);
    return rest;
}

bool balance_has_more(choice_t *c)
{
    const upstream_t *g = c->group;
    if (!upstream_has_choice(g)) return false;
    c->saturated = false;
    c->take_outliers = true;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (choice_fits(c, *it, upstream_peer_is_backup(*it))) return true;
    return c->saturated && g->policy.queue;
}
