/* The shape of each method over many picks. */
#include "modules/upstream/balance.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/upstream/discover.h"
#include "tests/unit/modules/upstream/group.h"

TestSuite(balance_shape, .fini = group_end);

Test(balance_shape, shape_of_round_robin)
{
    unsigned count[4];
    upstream_t *g = group_new((unsigned[]){65535, 1000, 1, 33464}, 4); /* together 100,000 */
    group_count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 0.65535);
    EXPECT_SHARE(count[1], 0.01);
    EXPECT_SHARE(count[3], 0.33464);
    cr_expect(count[2] >= 1 && count[2] <= 20);
    group_count_picks(group_new((unsigned[]){5, 3, 2}, 3), PICKS, count);
    cr_expect(count[0] == 50000 && count[1] == 30000 && count[2] == 20000);
}

Test(balance_shape, shape_of_round_robin_without_one_peer)
{
    unsigned count[4];
    upstream_t *g = group_new((unsigned[]){1, 1, 1, 1}, 4);
    group_state(g, 1)->fails = 1;
    group_state(g, 1)->checked_ms = clock_ms();
    group_count_picks(g, PICKS, count);
    cr_expect_eq(count[1], 0);
    for (unsigned i = 0; i < 4; i++)
        if (i != 1) EXPECT_SHARE(count[i], 1.0 / 3);
}

/* Exchanges that last: the oldest of 300 ends when a new one begins. */
static void load_picks(upstream_t *g, unsigned *held)
{
    enum { LASTING = 300 };
    static choice_t b[LASTING];
    static upstream_peer_t *peer[LASTING];
    memset(held, 0, g->servers.n * sizeof(*held));
    for (unsigned i = 0; i < PICKS; i++) {
        unsigned at = i % LASTING;
        if (i >= LASTING) {
            held[group_index(g, peer[at])]--;
            balance_done(&b[at], peer[at], BALANCE_SERVED, NULL);
        }
        b[at] = group_request(g);
        peer[at] = balance_pick(&b[at]);
        cr_assert(peer[at]);
        held[group_index(g, peer[at])]++;
    }
}

Test(balance_shape, shape_of_least_conn)
{
    unsigned held[3];
    upstream_t *g = group_new((unsigned[]){3, 2, 1}, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    load_picks(g, held);
    cr_expect(held[0] >= 149 && held[0] <= 151, "%u", held[0]);
    cr_expect(held[1] >= 99 && held[1] <= 101, "%u", held[1]);
    cr_expect(held[2] >= 49 && held[2] <= 51, "%u", held[2]);
}

Test(balance_shape, least_conn_goes_by_turns_among_the_idle)
{
    unsigned count[3];
    upstream_t *g = group_new((unsigned[]){3, 2, 1}, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    group_count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 3.0 / 6);
    EXPECT_SHARE(count[1], 2.0 / 6);
    EXPECT_SHARE(count[2], 1.0 / 6);
}

Test(balance_shape, least_conn_avoids_who_is_busy)
{
    unsigned count[3];
    upstream_t *g = group_new(NULL, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    discover(g, NULL);
    *g->peers.v[1]->place.mine = 5;
    group_count_picks(g, PICKS, count);
    cr_expect_eq(count[1], 0);
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[2], 0.5);
}

Test(balance_shape, shape_of_random)
{
    unsigned count[3];
    upstream_t *g = group_new((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_RANDOM;
    group_count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
}

Test(balance_shape, shape_of_random_two)
{
    unsigned held[10];
    double squares = 0;
    upstream_t *g = group_new(NULL, 10);
    g->policy.method = UPSTREAM_RANDOM_TWO;
    load_picks(g, held);
    for (unsigned i = 0; i < 10; i++) squares += (held[i] - 30.0) * (held[i] - 30.0);
    /* Around 250 for plain chance; of 600 simulated runs of two choices the widest came to 88. */
    cr_expect_lt(squares, 150, "%f", squares);
}

/* Four answer in 10 ms, one in 100: of two by chance it is never the better one. */
Test(balance_shape, shape_of_least_time)
{
    unsigned count[5] = {0};
    upstream_t *g = group_new(NULL, 5);
    g->policy.method = UPSTREAM_LEAST_TIME;
    g->policy.by_time = true;
    for (unsigned i = 0; i < PICKS; i++) {
        choice_t b = group_request(g);
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        unsigned at = group_index(g, peer);
        upstream_attempt_t a = {.response_us = at == 2 ? 100000 : 10000};
        balance_done(&b, peer, BALANCE_SERVED, &a);
        count[at]++;
    }
    cr_expect(count[2] >= 1 && count[2] < 100, "%u picks of the slow one", count[2]);
    for (unsigned i = 0; i < 5; i++)
        if (i != 2) EXPECT_SHARE(count[i], 0.25);
}

Test(balance_shape, least_time_believes_a_peak_and_forgets_it)
{
    upstream_t *g = group_new(NULL, 2);
    g->policy.method = UPSTREAM_LEAST_TIME;
    g->policy.by_time = g->policy.until_header = true;
    choice_t b = group_request(g);
    upstream_attempt_t fast = {.header_us = 2000, .response_us = -1};
    upstream_attempt_t slow = {.header_us = 50000, .response_us = -1};
    upstream_peer_t *peer = g->peers.v[0];
    *peer->place.mine = 40;
    for (int i = 0; i < 3; i++) balance_done(&b, peer, BALANCE_SERVED, &fast);
    cr_expect_eq(peer->place.state->latency_us, 2000);
    balance_done(&b, peer, BALANCE_SERVED, &slow);
    cr_expect_eq(peer->place.state->latency_us, 50000);
    balance_done(&b, peer, BALANCE_SERVED, &fast);
    cr_expect_eq(peer->place.state->latency_us, 47000);
    clock_set(clock_ms() + 10 * 1000, 0);
    balance_done(&b, peer, BALANCE_SERVED, &fast);
    cr_expect(peer->place.state->latency_us < 24000, "half of it after ten seconds");
}

/* --- slow_start with every method: one of four has a quarter of its weight --- */

Test(balance_shape, slow_start_of_idle_peers)
{
    static const upstream_method_t methods[] = {
        UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_CONN, UPSTREAM_RANDOM, UPSTREAM_RANDOM_TWO};
    for (unsigned i = 0; i < 4; i++) {
        unsigned count[4];
        upstream_t *g = group_with_a_late_one(methods[i]);
        group_count_picks(g, PICKS, count);
        double share = (double)count[2] / PICKS; /* of two by chance: 1 - (3/3.25)^2, less ties */
        cr_expect(share > 0.06 && share < 0.14, "method %u: %.3f", methods[i], share);
        clock_set(clock_ms() + 75 * 1000, 0);
        group_count_picks(g, PICKS, count);
        EXPECT_SHARE(count[2], 0.25);
    }
}

Test(balance_shape, slow_start_of_busy_peers)
{
    static const upstream_method_t methods[] = {UPSTREAM_LEAST_CONN, UPSTREAM_RANDOM_TWO};
    for (unsigned i = 0; i < 2; i++) {
        unsigned held[4];
        upstream_t *g = group_with_a_late_one(methods[i]);
        load_picks(g, held);
        cr_expect(held[2] >= 15 && held[2] <= 30, "method %u: %u of 300", methods[i], held[2]);
    }
}

Test(balance_shape, slow_start_with_least_time)
{
    unsigned count[4] = {0};
    upstream_t *g = group_with_a_late_one(UPSTREAM_LEAST_TIME);
    g->policy.by_time = true;
    for (unsigned i = 0; i < PICKS; i++) {
        choice_t b = group_request(g);
        upstream_peer_t *peer = balance_pick(&b);
        upstream_attempt_t a = {.response_us = 10000};
        balance_done(&b, peer, BALANCE_SERVED, &a);
        count[group_index(g, peer)]++;
    }
    double share = (double)count[2] / PICKS;
    cr_expect(share > 0.05 && share < 0.12, "%.3f", share);
}
