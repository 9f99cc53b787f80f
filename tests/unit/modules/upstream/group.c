#include "tests/unit/modules/upstream/group.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/upstream/discover.h"

pool_t *group_pool;

void group_end(void)
{
    pool_destroy(group_pool);
}

upstream_t *group_new(const unsigned *weights, unsigned n)
{
    pool_destroy(group_pool);
    group_pool = pool_create();
    clock_set(1000 * 1000, 0);
    upstream_t *g = POOL_NEW(group_pool, upstream_t);
    g->pool = group_pool;
    list_init(&g->waiting);
    for (unsigned i = 0; i < n; i++) {
        upstream_server_t *s = VEC_PUSH(group_pool, &g->servers);
        *s = (upstream_server_t){.weight = weights ? weights[i] : 1, .max_fails = 1,
                                 .fail_timeout = 60 * 1000};
        s->name = pool_printf(group_pool, "10.0.0.%u:80", i + 1);
        cr_assert(net_parse(s->name, 80, &s->addr));
    }
    return g;
}

unsigned group_index(const upstream_t *g, const upstream_peer_t *peer)
{
    return (unsigned)(peer->server - g->servers.v);
}

char group_name(const upstream_t *g, const upstream_peer_t *peer)
{
    return peer ? (char)('a' + group_index(g, peer)) : '-';
}

peer_state_t *group_state(upstream_t *g, unsigned i)
{
    discover(g, NULL);
    return g->peers.v[i]->place.state;
}

void group_change(upstream_t *g, unsigned i, peer_settings_t to)
{
    peers_set(g->known.shared, group_state(g, i), &to);
}

choice_t group_request(upstream_t *g)
{
    discover(g, NULL);
    return (choice_t){.group = g, .pool = group_pool};
}

char group_pick_one(upstream_t *g, balance_result_t result)
{
    choice_t b = group_request(g);
    upstream_peer_t *peer = balance_pick(&b);
    if (peer) balance_done(&b, peer, result, NULL);
    return group_name(g, peer);
}

const char *group_pick(upstream_t *g, unsigned n)
{
    static char out[64];
    for (unsigned i = 0; i < n; i++) out[i] = group_pick_one(g, BALANCE_SERVED);
    out[n] = '\0';
    return out;
}

void group_count_picks(upstream_t *g, unsigned n, unsigned *count)
{
    memset(count, 0, g->servers.n * sizeof(*count));
    for (unsigned i = 0; i < n; i++) {
        char c = group_pick_one(g, BALANCE_SERVED);
        cr_assert_neq(c, '-');
        count[c - 'a']++;
    }
}

unsigned group_pick_key(upstream_t *g, unsigned key)
{
    choice_t b = group_request(g);
    b.key = pool_printf(group_pool, "key-%u", key);
    upstream_peer_t *peer = balance_pick(&b);
    cr_assert(peer);
    balance_done(&b, peer, BALANCE_SERVED, NULL);
    return group_index(g, peer);
}

upstream_t *group_with_a_late_one(upstream_method_t method)
{
    upstream_t *g = group_new(NULL, 4);
    g->policy.method = method;
    for (unsigned i = 0; i < 4; i++) g->servers.v[i].alike = i;
    g->servers.v[2].slow_start = 100 * 1000;
    group_state(g, 2)->back_ms = clock_ms();
    clock_set(clock_ms() + 25 * 1000, 0);
    return g;
}
