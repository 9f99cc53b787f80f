#include "modules/upstream/balance.h"

#include "core/base/clock.h"
#include "modules/upstream/method.h"
#include "modules/upstream/outlier.h"

static bool was_tried(const balance_t *b, const upstream_peer_t *peer)
{
    for (unsigned i = 0; i < b->tried.n; i++)
        if (b->tried.v[i] == peer) return true;
    return false;
}

static bool has_failed(const upstream_peer_t *peer)
{
    unsigned most = peer->server->max_fails;
    return most && PEER_GET(peer->place.state->fails) >= most;
}

/* A group of one is never given up: there is no better choice. */
static bool rests(const upstream_t *g, const upstream_peer_t *peer)
{
    return has_failed(peer) && upstream_has_choice(g) &&
           clock_ms() - PEER_GET(peer->place.state->checked_ms) <= peer->server->fail_timeout;
}

static bool is_full(const upstream_t *g, const upstream_peer_t *peer, unsigned more)
{
    unsigned most = peer->server->max_conns;
    return most && peers_active(&g->known, &peer->place) + more > most;
}

bool balance_fits(balance_t *b, const upstream_peer_t *peer, bool backup)
{
    const upstream_t *g = b->group;
    if (!upstream_peer_serves(peer) || peer->server->backup != backup || was_tried(b, peer) ||
        rests(g, peer) || (!b->take_outliers && outlier_is_out(g, peer)))
        return false;
    if (!is_full(g, peer, 1)) return true;
    b->saturated = true;
    return false;
}

/* One try after a rest, by one worker, and not by each request that comes meanwhile. */
static bool may_check(upstream_peer_t *peer)
{
    uint64_t now = clock_ms(), before = PEER_GET(peer->place.state->checked_ms);
    if (now - before <= peer->server->fail_timeout) return true;
    return __atomic_compare_exchange_n(&peer->place.state->checked_ms, &before, now, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
           !has_failed(peer);
}

static void count(upstream_peer_t *peer, int n)
{
    peer->users += (unsigned)n;
    PEER_SET(*peer->place.mine, *peer->place.mine + (unsigned)n);
}

/* Others choose at the same time: false when one of them was faster. */
static bool take(balance_t *b, upstream_peer_t *peer)
{
    if (!may_check(peer)) return false;
    count(peer, 1);
    if (peer->server->max_conns) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (is_full(b->group, peer, 0)) {
            count(peer, -1);
            b->saturated = true;
            return false;
        }
    }
    PEER_ADD(peer->place.state->requests, 1);
    b->began_ms = clock_ms();
    if (upstream_has_choice(b->group) || b->tried.n) *VEC_PUSH(b->pool, &b->tried) = peer;
    return true;
}

/* An outlier is better than nobody. */
static upstream_peer_t *choose(balance_t *b)
{
    upstream_peer_t *peer;
    b->take_outliers = false;
    if ((peer = method_pick(b, false)) || (peer = method_pick(b, true))) return peer;
    if (!b->group->policy.outlier_factor) return NULL;
    b->take_outliers = true;
    return method_pick(b, false);
}

upstream_peer_t *balance_pick(balance_t *b)
{
    enum { TRIES = 8 };
    upstream_t *g = b->group;
    b->saturated = false;
    if (g->limited || method_counts(&g->policy)) peers_look(&g->known);
    for (unsigned i = 0; i < TRIES; i++) {
        upstream_peer_t *peer = choose(b);
        if (!peer || take(b, peer)) return peer;
    }
    return NULL;
}

static bool note_failure(const balance_t *b, upstream_peer_t *peer, const upstream_attempt_t *a)
{
    const upstream_server_t *s = peer->server;
    peer_state_t *state = peer->place.state;
    unsigned fails = PEER_ADD(state->fails, 1) + 1;
    PEER_ADD(state->failures, 1);
    PEER_SET(state->failed_ms, clock_ms());
    PEER_SET(state->checked_ms, clock_ms());
    if (a) PEER_SET(state->last_status, (uint32_t)a->status);
    if (s->max_fails) {
        int32_t left = PEER_GET(state->effective) - (int32_t)(s->weight / s->max_fails);
        PEER_SET(state->effective, left > 0 ? left : 0);
    }
    return s->max_fails && fails == s->max_fails && upstream_has_choice(b->group);
}

/* Who was away comes back slowly, if it is to. */
static void forgive(upstream_peer_t *peer)
{
    peer_state_t *s = peer->place.state;
    if (PEER_GET(s->fails) == 0 || PEER_GET(s->failed_ms) >= PEER_GET(s->checked_ms)) return;
    if (has_failed(peer)) PEER_SET(s->back_ms, clock_ms());
    PEER_SET(s->fails, 0);
}

bool balance_done(const balance_t *b, upstream_peer_t *peer, balance_result_t result,
                  const upstream_attempt_t *attempt)
{
    bool rest = false;
    count(peer, -1);
    if (result == BALANCE_SERVED) forgive(peer);
    if (result == BALANCE_FAILED) rest = note_failure(b, peer, attempt);
    if (attempt && result != BALANCE_ABANDONED) outlier_note(b, peer, result, attempt);
    upstream_wake(b->group);
    return rest;
}

unsigned balance_candidates(const balance_t *b)
{
    unsigned n = 0;
    VEC_EACH(upstream_peer_t *, it, &b->group->peers) n += upstream_peer_serves(*it);
    return n;
}
