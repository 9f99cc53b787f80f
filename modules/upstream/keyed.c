#include "modules/upstream/keyed.h"

#include "core/base/crc32.h"
#include "modules/upstream/weight.h"

enum { ROUNDS = 20 }; /* of hashing, as nginx */

/* Where the key goes, unless the peer is coming back and has to wait for this one: `spare` then. */
static bool takes(const choice_t *c, upstream_peer_t *peer, upstream_peer_t **spare)
{
    const uint32_t golden = 2654435769u; /* 2^32 over the golden ratio (Knuth 6.4): spreads */
    if (!peer->server->slow_start || weight_takes(peer, crc32_add(0, c->key) * golden >> 22))
        return true;
    if (!*spare) *spare = peer;
    return false;
}

/* --- hash, ip_hash --- */

/* Of all peers that are no backups, those that are down, too: their keys move, others' do not. */
static upstream_peer_t *peer_at(const upstream_t *g, uint64_t hash)
{
    unsigned low = 0, high = g->peers.n;
    if (g->weights == 0) return NULL;
    uint64_t at = hash % g->weights;
    while (low + 1 < high) {
        unsigned middle = (low + high) / 2;
        if (g->peers.v[middle]->before <= at) low = middle;
        else high = middle;
    }
    return g->peers.v[low];
}

/* As Cache::Memcached: crc32([number of the round] KEY) >> 16 & 0x7fff, added up. */
static void next_of_key(choice_t *c)
{
    char digits[24];
    size_t n = c->rounds ? str_put_u64(digits, c->rounds) : 0;
    c->hash += crc32_add(crc32_add(0, str_make(digits, n)), c->key) >> 16 & 0x7fff;
}

static void next_of_address(choice_t *c)
{
    if (c->rounds == 0) c->hash = 89;
    for (size_t i = 0; i < c->key.n; i++)
        c->hash = (c->hash * 113 + (unsigned char)c->key.p[i]) % 6271;
}

static upstream_peer_t *by_rounds(choice_t *c, void (*next)(choice_t *c))
{
    upstream_peer_t *spare = NULL;
    for (; c->key.n && c->rounds < ROUNDS; c->rounds++) {
        next(c);
        upstream_peer_t *peer = peer_at(c->group, c->hash);
        if (!peer || !choice_fits(c, peer, false) || !takes(c, peer, &spare)) continue;
        c->rounds++;
        return peer;
    }
    return spare;
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
    for (upstream_peer_t *peer = server->first; peer; peer = peer->next) {
        const peer_state_t *state = peer->place.state, *least = first ? first->place.state : NULL;
        if (choice_fits(c, peer, false) &&
            (!least || PEER_GET(state->requests) < PEER_GET(least->requests)))
            first = peer;
    }
    return first;
}

static upstream_peer_t *by_ring(choice_t *c)
{
    const upstream_t *g = c->group;
    const ring_t *ring = &g->ring;
    upstream_peer_t *spare = NULL;
    unsigned n = ring->points.n, last = ~0u;
    if (c->key.n == 0 || n == 0) return NULL;
    unsigned at = ring_find(ring, c->key);
    for (unsigned i = 0; i < n; i++) {
        unsigned server = ring->points.v[at].server;
        if (++at == n) at = 0;
        if (server == last) continue;
        last = server;
        upstream_peer_t *peer = peer_of(c, &g->servers.v[server]);
        if (!peer) continue;
        if (!within_bound(g, peer)) spare = spare ? spare : peer;
        else if (takes(c, peer, &spare)) return peer;
    }
    return spare;
}

/* --- all of them --- */

/* The first three bytes of an IPv4 address, all of an IPv6 one; of others three zeros. */
static str_t address_key(const request_t *r)
{
    str_t bytes = net_bytes(&r->client);
    if (bytes.n == 0) return str_make("\0\0", 3);
    return str_sub(bytes, 0, bytes.n == 4 ? 3 : bytes.n);
}

upstream_peer_t *keyed_pick(choice_t *c)
{
    const upstream_policy_t *policy = &c->group->policy;
    bool by_address = policy->method == UPSTREAM_IP_HASH;
    if (!c->key.p) c->key = by_address ? address_key(c->r) : text_eval(&policy->key, c->r);
    if (policy->method == UPSTREAM_RING) return by_ring(c);
    return by_rounds(c, by_address ? next_of_address : next_of_key);
}
