#include "modules/upstream/method.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/crc32.h"
#include "modules/upstream/latency.h"

enum { TRIES = 20, WHOLE = 1024 }; /* of hashing, as nginx; of shares */

/* --- weights --- */

/* How much of its weight a peer that came back has, in WHOLE-ths. */
static unsigned share_of(const upstream_peer_t *peer)
{
    msec_t slow = peer->server->slow_start;
    uint64_t back = slow ? PEER_GET(peer->place.state->back_ms) : 0;
    if (!back) return WHOLE;
    uint64_t age = peers_age(back);
    if (age >= slow) return WHOLE;
    unsigned share = (unsigned)(age * WHOLE / slow);
    return share ? share : 1;
}

static uint64_t weight_of(const upstream_peer_t *peer)
{
    return (uint64_t)peer->settings.weight * share_of(peer);
}

/* A peer whose weight is less than usual at present passes some of its turns on. */
static bool use_turn(upstream_peer_t *peer)
{
    peer_state_t *s = peer->place.state;
    int32_t effective = PEER_GET(s->effective), weight = (int32_t)peer->settings.weight;
    if (effective < weight) PEER_SET(s->effective, effective + 1);
    uint64_t gain = effective > 0 ? (uint64_t)effective : 0;
    if (peer->server->slow_start) gain = gain * share_of(peer) / WHOLE;
    peer->credit += (unsigned)gain;
    if (peer->credit < peer->cost) return false;
    peer->credit = (peer->credit - peer->cost) % peer->cost;
    return true;
}

/* --- turns --- */

static uint64_t take_ticket(const upstream_t *g)
{
    return PEER_ADD(g->known.shared->ticket, 1);
}

/* Others draw at the same time: who has not been drawn after all turns is looked for. */
static upstream_peer_t *any(choice_t *c, bool backup)
{
    VEC_EACH(const schedule_member_t, m, &c->group->turns[backup].members)
        if (choice_fits(c, c->group->peers.v[m->id], backup)) return c->group->peers.v[m->id];
    return NULL;
}

static upstream_peer_t *by_turns(choice_t *c, bool backup)
{
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    upstream_peer_t *resting = NULL;
    for (unsigned i = 0; i < s->turns.n; i++) {
        upstream_peer_t *peer = g->peers.v[s->turns.v[take_ticket(g) % s->turns.n]];
        if (!choice_fits(c, peer, backup)) continue;
        if (use_turn(peer)) return peer;
        resting = peer;
    }
    return resting ? resting : any(c, backup);
}

/* --- fewest exchanges --- */

static int compare_load(const upstream_t *g, const upstream_peer_t *a, const upstream_peer_t *b)
{
    uint64_t x = peers_active(&g->known, &a->place) * weight_of(b);
    uint64_t y = peers_active(&g->known, &b->place) * weight_of(a);
    return x < y ? -1 : x > y;
}

/* Among equals whose turn it is. */
static upstream_peer_t *among_equals(choice_t *c, bool backup, upstream_peer_t *best)
{
    enum { DRAWS = 8 };
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    for (unsigned i = 0; i < DRAWS; i++) {
        upstream_peer_t *peer = g->peers.v[s->turns.v[take_ticket(g) % s->turns.n]];
        if (peer == best) return best;
        if (compare_load(g, peer, best) == 0 && choice_fits(c, peer, backup)) return peer;
    }
    return best;
}

static upstream_peer_t *by_load(choice_t *c, bool backup)
{
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    if (s->turns.n == 0) return NULL;
    upstream_peer_t *best = g->peers.v[s->turns.v[take_ticket(g) % s->turns.n]];
    if (!choice_fits(c, best, backup)) best = by_turns(c, backup);
    if (!best) return NULL;
    const upstream_peer_t *drawn = best;
    uint64_t least = peers_active(&g->known, &best->place), weight = weight_of(best);
    for (unsigned i = 0; least > 0 && i < s->members.n; i++) {
        upstream_peer_t *peer = g->peers.v[s->members.v[i].id];
        uint64_t active = peers_active(&g->known, &peer->place);
        /* Most are passed over before their weight of the moment is asked for. */
        if (active * weight >= least * peer->settings.weight * WHOLE) continue;
        if (active * weight >= least * weight_of(peer) || !choice_fits(c, peer, backup)) continue;
        best = peer;
        least = active;
        weight = weight_of(peer);
    }
    return best == drawn ? best : among_equals(c, backup, best);
}

/* --- chance --- */

/* xorshift64 (Marsaglia 2003): to spread load, not to keep secrets. */
static uint32_t random_number(void)
{
    static uint64_t state;
    if (!state) state = clock_us_now() ^ (uint64_t)getpid() << 32 ^ 0x9e3779b97f4a7c15ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

/* By weight, for each stands in the schedule as often. */
static upstream_peer_t *by_chance(choice_t *c, bool backup, const upstream_peer_t *but)
{
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    for (unsigned i = 0; i < TRIES && s->turns.n; i++) {
        unsigned turn = (unsigned)((uint64_t)random_number() * s->turns.n >> 32);
        upstream_peer_t *peer = g->peers.v[s->turns.v[turn]];
        if (peer != but && choice_fits(c, peer, backup)) return peer;
    }
    return NULL;
}

/* What one more request would wait. Of a peer that never answered, yet was asked: long. */
static uint64_t cost_of(const upstream_t *g, const upstream_peer_t *peer)
{
    enum { UNKNOWN_US = 1000 * 1000 };
    uint64_t active = peers_active(&g->known, &peer->place), us = latency_of(peer->place.state);
    if (us == 0) return active * UNKNOWN_US;
    return us * (active + 1);
}

static bool is_better(const upstream_t *g, const upstream_peer_t *a, const upstream_peer_t *b)
{
    if (g->policy.by_time) return cost_of(g, a) < cost_of(g, b);
    return compare_load(g, a, b) < 0;
}

static upstream_peer_t *better_of_two(choice_t *c, bool backup)
{
    upstream_peer_t *one = by_chance(c, backup, NULL);
    if (!one) return by_turns(c, backup);
    upstream_peer_t *other = by_chance(c, backup, one);
    return other && is_better(c->group, other, one) ? other : one;
}

static upstream_peer_t *random_one(choice_t *c, bool backup)
{
    upstream_peer_t *peer = by_chance(c, backup, NULL);
    return peer ? peer : by_turns(c, backup);
}

/* --- hashing --- */

/* Of all peers that are no backups, those that are down, too: their keys move, others' do not. */
static upstream_peer_t *peer_at(const upstream_t *g, uint64_t hash)
{
    uint64_t total = 0;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone && !upstream_peer_is_backup(*it)) total += (*it)->settings.weight;
    if (total == 0) return NULL;
    uint64_t at = hash % total;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        if ((*it)->gone || upstream_peer_is_backup(*it)) continue;
        if (at < (*it)->settings.weight) return *it;
        at -= (*it)->settings.weight;
    }
    return NULL;
}

static void prepare_key(choice_t *c)
{
    if (!c->key.p) c->key = text_eval(&c->group->policy.key, c->r);
}

/* As Cache::Memcached: crc32([number of the round] KEY) >> 16 & 0x7fff, added up. */
static upstream_peer_t *by_key(choice_t *c)
{
    char digits[24];
    prepare_key(c);
    while (c->key.n && c->rounds < TRIES) {
        size_t n = c->rounds ? str_put_u64(digits, c->rounds) : 0;
        c->hash += crc32_add(crc32_add(0, str_make(digits, n)), c->key) >> 16 & 0x7fff;
        c->rounds++;
        upstream_peer_t *peer = peer_at(c->group, c->hash);
        if (peer && choice_fits(c, peer, false)) return peer;
    }
    return NULL;
}

/* The first three bytes of an IPv4 address, all of an IPv6 one; of others three zeros. */
static str_t address_key(const request_t *r)
{
    str_t bytes = net_bytes(&r->client);
    if (bytes.n == 0) return str_make("\0\0", 3);
    return str_sub(bytes, 0, bytes.n == 4 ? 3 : bytes.n);
}

static upstream_peer_t *by_address(choice_t *c)
{
    if (!c->key.p) {
        c->key = address_key(c->r);
        c->hash = 89;
    }
    while (c->rounds < TRIES) {
        for (size_t i = 0; i < c->key.n; i++)
            c->hash = (c->hash * 113 + (unsigned char)c->key.p[i]) % 6271;
        c->rounds++;
        upstream_peer_t *peer = peer_at(c->group, c->hash);
        if (peer && choice_fits(c, peer, false)) return peer;
    }
    return NULL;
}

/* --- the ring --- */

/* The exchanges that a peer may have: its share of all, times the bound. */
static bool within_bound(const upstream_t *g, const upstream_peer_t *peer)
{
    uint64_t all = 1, weights = 0;
    if (!g->policy.bound) return true;
    VEC_EACH(const schedule_member_t, m, &g->turns[0].members)
    {
        all += peers_active(&g->known, &g->peers.v[m->id]->place);
        weights += m->weight;
    }
    uint64_t fair = all * g->policy.bound * peer->settings.weight;
    uint64_t most = (fair + weights * 100 - 1) / (weights * 100);
    return peers_active(&g->known, &peer->place) < most;
}

/* The addresses of one name take turns. */
static upstream_peer_t *peer_of(choice_t *c, const upstream_server_t *server)
{
    upstream_peer_t *first = NULL;
    const upstream_t *g = c->group;
    unsigned n = 0;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        if ((*it)->server->alike != server->alike || !choice_fits(c, *it, false)) continue;
        if (!first || (*it)->place.state->requests < first->place.state->requests) first = *it;
        n++;
    }
    return n ? first : NULL;
}

static upstream_peer_t *by_ring(choice_t *c)
{
    const upstream_t *g = c->group;
    upstream_peer_t *spare = NULL;
    const ring_t *ring = &g->ring;
    unsigned n = ring->points.n, last = ~0u;
    prepare_key(c);
    if (c->key.n == 0 || n == 0) return NULL;
    unsigned at = ring_find(ring, c->key);
    for (unsigned i = 0; i < n; i++) {
        unsigned server = ring->points.v[(at + i) % n].server;
        if (server == last) continue;
        last = server;
        upstream_peer_t *peer = peer_of(c, &g->servers.v[server]);
        if (peer && within_bound(g, peer)) return peer;
        if (!spare) spare = peer;
    }
    return spare;
}

/* --- all of them --- */

bool method_counts(const upstream_policy_t *policy)
{
    switch (policy->method) {
    case UPSTREAM_LEAST_CONN:
    case UPSTREAM_LEAST_TIME:
    case UPSTREAM_RANDOM_TWO: return true;
    default: return policy->bound > 0;
    }
}

static upstream_peer_t *by_hash(choice_t *c)
{
    switch (c->group->policy.method) {
    case UPSTREAM_HASH: return by_key(c);
    case UPSTREAM_RING: return by_ring(c);
    case UPSTREAM_IP_HASH: return by_address(c);
    default: return NULL;
    }
}

upstream_peer_t *method_pick(choice_t *c, bool backup)
{
    switch (c->group->policy.method) {
    case UPSTREAM_ROUND_ROBIN: return by_turns(c, backup);
    case UPSTREAM_LEAST_CONN: return by_load(c, backup);
    case UPSTREAM_RANDOM: return random_one(c, backup);
    case UPSTREAM_RANDOM_TWO:
    case UPSTREAM_LEAST_TIME: return better_of_two(c, backup);
    default: break;
    }
    upstream_peer_t *peer = backup ? NULL : by_hash(c);
    return peer ? peer : by_turns(c, backup);
}
