#include "modules/upstream/balance.h"

#include "core/base/clock.h"

static bool was_tried(const balance_t *b, const upstream_peer_t *peer)
{
    for (unsigned i = 0; i < b->tried.n; i++)
        if (b->tried.v[i] == peer) return true;
    return false;
}

/* A group of one is never given up: there is no better choice. */
static bool rests(const balance_t *b, const upstream_peer_t *peer)
{
    const upstream_server_t *s = peer->server;
    return s->max_fails && peer->fails >= s->max_fails && b->group->peers.n > 1 &&
           clock_ms() - peer->checked_ms <= s->fail_timeout;
}

static bool may_serve(const balance_t *b, const upstream_peer_t *peer, bool backup)
{
    const upstream_server_t *s = peer->server;
    return !peer->gone && !s->down && s->backup == backup && !was_tried(b, peer) && !rests(b, peer);
}

static upstream_peer_t *pick_from(balance_t *b, bool backup)
{
    upstream_peer_t *best = NULL;
    int total = 0;
    VEC_EACH(upstream_peer_t *, it, &b->group->peers)
    {
        upstream_peer_t *peer = *it;
        if (!may_serve(b, peer, backup)) continue;
        peer->current += peer->effective;
        total += peer->effective;
        if (peer->effective < (int)peer->server->weight) peer->effective++;
        if (!best || peer->current > best->current) best = peer;
    }
    if (best) best->current -= total;
    return best;
}

/* One try after a rest, not one by each request that comes meanwhile. */
static void note_check(upstream_peer_t *peer)
{
    if (clock_ms() - peer->checked_ms > peer->server->fail_timeout) peer->checked_ms = clock_ms();
}

upstream_peer_t *balance_pick(balance_t *b)
{
    upstream_peer_t *peer = pick_from(b, false);
    if (!peer) peer = pick_from(b, true);
    if (!peer) return NULL;
    note_check(peer);
    peer->users++;
    if (b->group->peers.n > 1 || b->tried.n) *VEC_PUSH(b->pool, &b->tried) = peer;
    return peer;
}

static bool note_failure(upstream_peer_t *peer)
{
    const upstream_server_t *s = peer->server;
    peer->fails++;
    peer->failed_ms = peer->checked_ms = clock_ms();
    if (s->max_fails) peer->effective -= (int)(s->weight / s->max_fails);
    if (peer->effective < 0) peer->effective = 0;
    return s->max_fails && peer->fails == s->max_fails;
}

bool balance_done(const balance_t *b, upstream_peer_t *peer, balance_result_t result)
{
    peer->users--;
    if (result == BALANCE_FAILED) return note_failure(peer) && b->group->peers.n > 1;
    if (result == BALANCE_SERVED && peer->failed_ms < peer->checked_ms) peer->fails = 0;
    return false;
}

unsigned balance_candidates(const balance_t *b)
{
    unsigned n = 0;
    VEC_EACH(upstream_peer_t *, it, &b->group->peers)
        n += !(*it)->gone && !(*it)->server->down;
    return n;
}
