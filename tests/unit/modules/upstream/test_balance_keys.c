/* Picks by a key: hashes and rings. */
#include "modules/upstream/balance.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/upstream/discover.h"
#include "tests/unit/modules/upstream/group.h"

TestSuite(balance_keys, .fini = group_end);

static void make_ring(upstream_t *g)
{
    g->policy.method = UPSTREAM_RING;
    for (unsigned i = 0; i < g->servers.n; i++) g->servers.v[i].alike = i;
}

Test(balance_keys, shape_of_hash)
{
    unsigned count[3] = {0};
    upstream_t *g = group_new((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_HASH;
    for (unsigned i = 0; i < PICKS; i++) count[group_pick_key(g, i)]++;
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
    unsigned at = group_pick_key(g, 7);
    for (unsigned i = 0; i < 10; i++) cr_expect_eq(group_pick_key(g, 7), at);
}

/* Every network of 256 addresses of 10.0.0.0/8 and more; nginx's sums spread them fairly evenly. */
Test(balance_keys, shape_of_ip_hash)
{
    unsigned count[3] = {0};
    upstream_t *g = group_new((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_IP_HASH;
    for (unsigned i = 0; i < PICKS; i++) {
        char network[3] = {(char)(10 + i / 65536), (char)(i / 256), (char)i};
        choice_t b = group_request(g);
        b.key = str_make(network, 3);
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        balance_done(&b, peer, BALANCE_SERVED, NULL);
        count[group_index(g, peer)]++;
    }
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
}

/* Points fall by chance: shares differ by some percent of themselves. */
Test(balance_keys, shape_of_the_ring)
{
    unsigned count[4] = {0};
    upstream_t *g = group_new((unsigned[]){4, 3, 2, 1}, 4);
    make_ring(g);
    for (unsigned i = 0; i < PICKS; i++) count[group_pick_key(g, i)]++;
    for (unsigned i = 0; i < 4; i++) {
        double fair = PICKS / 10.0 * (4 - i);
        cr_expect(count[i] > fair * 0.8 && count[i] < fair * 1.2, "%u of %.0f", count[i], fair);
    }
}

Test(balance_keys, a_server_that_leaves_the_ring_moves_its_own_keys_alone)
{
    enum { KEYS = PICKS };
    static uint8_t before[KEYS];
    unsigned moved = 0, strays = 0;
    upstream_t *g = group_new(NULL, 20);
    make_ring(g);
    for (unsigned i = 0; i < KEYS; i++) before[i] = (uint8_t)group_pick_key(g, i);
    group_change(g, 7, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned now = group_pick_key(g, i);
        moved += now != before[i];
        strays += now != before[i] && before[i] != 7;
    }
    cr_expect_eq(strays, 0);
    cr_expect(moved > KEYS / 20 * 0.75 && moved < KEYS / 20 * 1.25, "%u of %u", moved, KEYS);
}

/* All ask for one key, and nobody gets more than 1.25 times the share that is fair. */
Test(balance_keys, a_bounded_ring_spreads_a_hot_key)
{
    enum { LASTING = 100 };
    unsigned held[10] = {0};
    upstream_t *g = group_new(NULL, 10);
    make_ring(g);
    g->policy.bound = 125;
    for (unsigned i = 0; i < LASTING; i++) {
        choice_t b = group_request(g);
        b.key = STR("hot");
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        held[group_index(g, peer)]++;
    }
    unsigned most = 0, busy = 0;
    for (unsigned i = 0; i < 10; i++) most = held[i] > most ? held[i] : most, busy += held[i] > 0;
    cr_expect_eq(most, 13, "ceil(1.25 * 100 / 10), not %u", most);
    cr_expect_eq(busy, 8);
}

/* --- slow_start --- */

/* A quarter of its keys are back at first, and stay while others follow; nobody else's move. */
Test(balance_keys, slow_start_with_keys)
{
    enum { KEYS = 20000 };
    static const upstream_method_t methods[] = {UPSTREAM_HASH, UPSTREAM_RING};
    static uint8_t home[KEYS];
    for (unsigned m = 0; m < 2; m++) {
        unsigned back = 0, all = 0, strays = 0, lost = 0;
        upstream_t *g = group_with_a_late_one(methods[m]);
        discover(g, NULL);
        g->peers.v[2]->place.state->back_ms = 0;
        for (unsigned i = 0; i < KEYS; i++) home[i] = (uint8_t)group_pick_key(g, i);
        g->peers.v[2]->place.state->back_ms = clock_ms() - 25 * 1000;
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned now = group_pick_key(g, i);
            all += home[i] == 2;
            back += now == 2;
            strays += home[i] != 2 && now != home[i];
            if (now == 2) home[i] = 9;
        }
        cr_expect_eq(strays, 0);
        cr_expect(back > all * 0.22 && back < all * 0.28, "%u of %u", back, all);
        clock_set(clock_ms() + 30 * 1000, 0);
        for (unsigned i = 0; i < KEYS; i++) lost += group_pick_key(g, i) != 2 && home[i] == 9;
        cr_expect_eq(lost, 0);
    }
}

/* All have come back at once: their keys have nowhere better to go. */
Test(balance_keys, slow_start_of_all_keeps_keys_at_home)
{
    upstream_t *g = group_with_a_late_one(UPSTREAM_RING);
    unsigned home[100];
    for (unsigned i = 0; i < 4; i++) g->servers.v[i].slow_start = 100 * 1000;
    g->peers.v[2]->place.state->back_ms = 0;
    for (unsigned i = 0; i < 100; i++) home[i] = group_pick_key(g, i);
    for (unsigned i = 0; i < 4; i++) g->peers.v[i]->place.state->back_ms = clock_ms() - 1000;
    for (unsigned i = 0; i < 100; i++) cr_expect_eq(group_pick_key(g, i), home[i]);
}

/* --- weights on the ring change while it serves --- */

Test(balance_keys, the_ring_follows_changed_weights)
{
    unsigned count[4] = {0};
    upstream_t *g = group_new(NULL, 4);
    make_ring(g);
    group_pick_key(g, 0);
    cr_assert_eq(g->ring.points.n, 4 * RING_POINTS);
    group_change(g, 1, (peer_settings_t){.weight = 5});
    for (unsigned i = 0; i < PICKS; i++) count[group_pick_key(g, i)]++;
    cr_expect_eq(g->ring.points.n, 8 * RING_POINTS);
    cr_expect(count[1] > PICKS * 0.5 && count[1] < PICKS * 0.75, "%u", count[1]);
}

/* Of many keys, each in flight for a while, nobody holds more than its bound, nor do keys stray. */
Test(balance_keys, shape_of_a_bounded_ring)
{
    enum { LASTING = 300 };
    static choice_t b[LASTING];
    static upstream_peer_t *peer[LASTING];
    unsigned held[10] = {0}, most = 0, home = 0;
    upstream_t *g = group_new(NULL, 10);
    make_ring(g);
    group_pick_key(g, 0);
    for (unsigned i = 0; i < PICKS; i++) {
        unsigned at = i % LASTING;
        if (i >= LASTING) {
            held[group_index(g, peer[at])]--;
            balance_done(&b[at], peer[at], BALANCE_SERVED, NULL);
        }
        g->policy.bound = 125;
        b[at] = group_request(g);
        b[at].key = pool_printf(group_pool, "key-%u", i);
        peer[at] = balance_pick(&b[at]);
        cr_assert(peer[at]);
        unsigned now = ++held[group_index(g, peer[at])];
        most = now > most ? now : most;
        home += g->ring.points.v[ring_find(&g->ring, b[at].key)].server == group_index(g, peer[at]);
    }
    cr_expect_leq(most, 38, "ceil(1.25 * 300 / 10), not %u", most);
    cr_expect_geq(home, PICKS * 0.85, "%u at home", home);
}
