#include "modules/upstream/discover.h"
#include "modules/upstream/balance.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/clock.h"

static pool_t *pool;

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(balance, .fini = teardown);

/* A group of servers with these weights; the peers are named a, b, c, ... */
static upstream_t *group(const unsigned *weights, unsigned n)
{
    pool_destroy(pool);
    pool = pool_create();
    clock_set(1000 * 1000, 0);
    upstream_t *g = POOL_NEW(pool, upstream_t);
    g->pool = pool;
    list_init(&g->waiting);
    for (unsigned i = 0; i < n; i++) {
        upstream_server_t *s = VEC_PUSH(pool, &g->servers);
        *s = (upstream_server_t){.weight = weights ? weights[i] : 1, .max_fails = 1,
                                 .fail_timeout = 60 * 1000};
        s->name = pool_printf(pool, "10.0.0.%u:80", i + 1);
        cr_assert(net_parse(s->name, 80, &s->addr));
    }
    return g;
}

static unsigned index_of(const upstream_t *g, const upstream_peer_t *peer)
{
    return (unsigned)(peer->server - g->servers.v);
}

static char name_of(const upstream_t *g, const upstream_peer_t *peer)
{
    return peer ? (char)('a' + index_of(g, peer)) : '-';
}

static peer_state_t *state_of(upstream_t *g, unsigned i)
{
    discover(g, NULL);
    return g->peers.v[i]->place.state;
}

/* Somebody changes what holds for the peer. */
static void change(upstream_t *g, unsigned i, peer_settings_t to)
{
    peers_set(g->known.shared, state_of(g, i), &to);
}

/* A request that has not picked yet. */
static choice_t request(upstream_t *g)
{
    discover(g, NULL);
    return (choice_t){.group = g, .pool = pool};
}

static char pick_one(upstream_t *g, balance_result_t result)
{
    choice_t b = request(g);
    upstream_peer_t *peer = balance_pick(&b);
    if (peer) balance_done(&b, peer, result, NULL);
    return name_of(g, peer);
}

static const char *pick(upstream_t *g, unsigned n)
{
    static char out[64];
    for (unsigned i = 0; i < n; i++) out[i] = pick_one(g, BALANCE_SERVED);
    out[n] = '\0';
    return out;
}

/* The sequence that nginx's documentation of the algorithm gives for weights 5, 1, 1. */
Test(balance, spreads_turns_evenly_by_weight)
{
    upstream_t *g = group((unsigned[]){5, 1, 1}, 3);
    cr_expect_str_eq(pick(g, 14), "aabacaaaabacaa");
    cr_expect_str_eq(pick(group((unsigned[]){1, 1, 1}, 3), 7), "abcabca");
}

Test(balance, keeps_the_ratio_over_many_requests)
{
    upstream_t *g = group((unsigned[]){7, 2, 1}, 3);
    unsigned count[3] = {0};
    for (int i = 0; i < 1000; i++) count[pick_one(g, BALANCE_SERVED) - 'a']++;
    cr_expect_eq(count[0], 700);
    cr_expect_eq(count[1], 200);
    cr_expect_eq(count[2], 100);
}

Test(balance, gives_each_try_of_a_request_another_peer)
{
    upstream_t *g = group((unsigned[]){1, 1, 1}, 3);
    choice_t b = request(g);
    char seen[4] = "";
    for (int i = 0; i < 3; i++) {
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        seen[i] = name_of(g, peer);
        balance_done(&b, peer, BALANCE_ABANDONED, NULL);
    }
    cr_expect_str_eq(seen, "abc");
    cr_expect_null(balance_pick(&b));
}

Test(balance, lets_a_failed_peer_rest)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(pick(g, 4), "bbbb");
    clock_set(clock_ms() + 60 * 1000 + 1, 0); /* the rest is over */
    cr_expect(strchr(pick(g, 3), 'a'));
    cr_expect_eq(state_of(g, 0)->fails, 0, "a success forgives");
}

Test(balance, says_when_a_peer_begins_to_rest)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    g->servers.v[0].max_fails = 2;
    choice_t b = request(g);
    upstream_peer_t *peer = g->peers.v[0];
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED, NULL));
    cr_expect(balance_done(&b, peer, BALANCE_FAILED, NULL));
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED, NULL));
}

Test(balance, never_gives_a_single_peer_up)
{
    upstream_t *g = group((unsigned[]){1}, 1);
    for (int i = 0; i < 5; i++) cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
}

Test(balance, counts_no_failures_with_max_fails_0)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    g->servers.v[0].max_fails = g->servers.v[1].max_fails = 0;
    char seen[5] = "";
    for (int i = 0; i < 4; i++) seen[i] = pick_one(g, BALANCE_FAILED);
    cr_expect_str_eq(seen, "abab");
}

Test(balance, asks_backups_only_when_nobody_else_can)
{
    upstream_t *g = group((unsigned[]){1, 1, 1}, 3);
    change(g, 1, (peer_settings_t){.weight = 1, .flags = PEER_BACKUP});
    change(g, 2, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    cr_expect_str_eq(pick(g, 3), "aaa");
    cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(pick(g, 3), "bbb");
    change(g, 1, (peer_settings_t){.weight = 1, .flags = PEER_BACKUP | PEER_DOWN});
    cr_expect_eq(pick_one(g, BALANCE_SERVED), '-');
    choice_t b = request(g);
    cr_expect(!balance_has_more(&b));
}

Test(balance, passes_over_addresses_that_are_gone)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    discover(g, NULL);
    g->peers.v[0]->gone = true;
    upstream_reorder(g);
    cr_expect_str_eq(pick(g, 3), "bbb");
}

Test(balance, follows_what_is_changed_while_it_serves)
{
    upstream_t *g = group((unsigned[]){1, 1, 1}, 3);
    cr_expect_str_eq(pick(g, 3), "abc");
    change(g, 0, (peer_settings_t){.weight = 5});
    unsigned count[3] = {0};
    for (int i = 0; i < 700; i++) count[pick_one(g, BALANCE_SERVED) - 'a']++;
    cr_expect(count[0] == 500 && count[1] == 100 && count[2] == 100);
    change(g, 0, (peer_settings_t){.weight = 5, .flags = PEER_DRAIN});
    change(g, 1, (peer_settings_t){.weight = 1, .max_conns = 1});
    choice_t b = request(g);
    while (name_of(g, balance_pick(&b)) != 'b') b = request(g);
    cr_expect_str_eq(pick(g, 3), "ccc");
    change(g, 0, (peer_settings_t){.weight = 1});
    change(g, 1, (peer_settings_t){.weight = 1});
    const char *seen = pick(g, 3);
    cr_expect(strchr(seen, 'a') && strchr(seen, 'b') && strchr(seen, 'c'), "%s", seen);
}

/* --- one try after a rest, max_conns, slow_start --- */

Test(balance, tries_a_rested_peer_once_until_it_has_answered)
{
    upstream_t *g = group(NULL, 2);
    cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
    clock_set(clock_ms() + 60 * 1000 + 1, 0);
    choice_t first = request(g);
    upstream_peer_t *peer = balance_pick(&first);
    for (int i = 0; i < 4 && name_of(g, peer) == 'b'; i++) {
        balance_done(&first, peer, BALANCE_SERVED, NULL);
        first = request(g);
        peer = balance_pick(&first);
    }
    cr_assert_eq(name_of(g, peer), 'a');
    cr_expect_str_eq(pick(g, 4), "bbbb");
    balance_done(&first, peer, BALANCE_SERVED, NULL);
    cr_expect(strchr(pick(g, 4), 'a'));
}

Test(balance, keeps_to_max_conns_and_says_that_it_was_that)
{
    upstream_t *g = group(NULL, 2);
    g->servers.v[0].max_conns = 2;
    g->servers.v[1].max_conns = 1;
    choice_t b[4] = {request(g), request(g), request(g), request(g)};
    upstream_peer_t *peer[4];
    unsigned count[2] = {0};
    for (int i = 0; i < 3; i++) {
        peer[i] = balance_pick(&b[i]);
        cr_assert(peer[i]);
        count[index_of(g, peer[i])]++;
    }
    cr_expect_eq(count[0], 2);
    cr_expect_eq(count[1], 1);
    cr_expect_null(balance_pick(&b[3]));
    cr_expect(b[3].saturated);
    balance_done(&b[0], peer[0], BALANCE_SERVED, NULL);
    cr_expect_eq(balance_pick(&b[3]), peer[0]);
    for (unsigned i = 0; i < 2; i++)
        change(g, i, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    choice_t other = request(g);
    cr_expect_null(balance_pick(&other));
    cr_expect_not(other.saturated, "there is nothing to wait for");
}

Test(balance, sends_nothing_to_who_drains)
{
    upstream_t *g = group(NULL, 2);
    g->servers.v[0].drain = true;
    cr_expect_str_eq(pick(g, 3), "bbb");
}

static void count_picks(upstream_t *g, unsigned n, unsigned *count)
{
    memset(count, 0, g->servers.n * sizeof(*count));
    for (unsigned i = 0; i < n; i++) {
        char c = pick_one(g, BALANCE_SERVED);
        cr_assert_neq(c, '-');
        count[c - 'a']++;
    }
}

Test(balance, brings_a_peer_back_slowly)
{
    unsigned count[2];
    upstream_t *g = group((unsigned[]){4, 4}, 2);
    g->servers.v[0].slow_start = 100 * 1000;
    state_of(g, 0)->back_ms = clock_ms();
    clock_set(clock_ms() + 25 * 1000, 0);
    count_picks(g, 1000, count);
    cr_expect(count[0] >= 190 && count[0] <= 210, "a quarter of its weight is 1 in 5, not %u",
              count[0]);
    clock_set(clock_ms() + 75 * 1000, 0);
    count_picks(g, 1000, count);
    cr_expect_eq(count[0], 500);
}

/* --- the shape of each method over many picks --- */

enum { PICKS = 100 * 1000 };

#define EXPECT_SHARE(n, share) \
    cr_expect(labs((long)(n) - (long)((share) * PICKS)) < PICKS / 100, "%u picks instead of %.0f", \
              (n), (share) * PICKS)

Test(balance, shape_of_round_robin)
{
    unsigned count[4];
    upstream_t *g = group((unsigned[]){65535, 1000, 1, 33464}, 4); /* together 100,000 */
    count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 0.65535);
    EXPECT_SHARE(count[1], 0.01);
    EXPECT_SHARE(count[3], 0.33464);
    cr_expect(count[2] >= 1 && count[2] <= 20);
    count_picks(group((unsigned[]){5, 3, 2}, 3), PICKS, count);
    cr_expect(count[0] == 50000 && count[1] == 30000 && count[2] == 20000);
}

Test(balance, shape_of_round_robin_without_one_peer)
{
    unsigned count[4];
    upstream_t *g = group((unsigned[]){1, 1, 1, 1}, 4);
    state_of(g, 1)->fails = 1;
    state_of(g, 1)->checked_ms = clock_ms();
    count_picks(g, PICKS, count);
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
            held[index_of(g, peer[at])]--;
            balance_done(&b[at], peer[at], BALANCE_SERVED, NULL);
        }
        b[at] = request(g);
        peer[at] = balance_pick(&b[at]);
        cr_assert(peer[at]);
        held[index_of(g, peer[at])]++;
    }
}

Test(balance, shape_of_least_conn)
{
    unsigned held[3];
    upstream_t *g = group((unsigned[]){3, 2, 1}, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    load_picks(g, held);
    cr_expect(held[0] >= 149 && held[0] <= 151, "%u", held[0]);
    cr_expect(held[1] >= 99 && held[1] <= 101, "%u", held[1]);
    cr_expect(held[2] >= 49 && held[2] <= 51, "%u", held[2]);
}

Test(balance, least_conn_goes_by_turns_among_the_idle)
{
    unsigned count[3];
    upstream_t *g = group((unsigned[]){3, 2, 1}, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 3.0 / 6);
    EXPECT_SHARE(count[1], 2.0 / 6);
    EXPECT_SHARE(count[2], 1.0 / 6);
}

Test(balance, least_conn_avoids_who_is_busy)
{
    unsigned count[3];
    upstream_t *g = group(NULL, 3);
    g->policy.method = UPSTREAM_LEAST_CONN;
    discover(g, NULL);
    *g->peers.v[1]->place.mine = 5;
    count_picks(g, PICKS, count);
    cr_expect_eq(count[1], 0);
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[2], 0.5);
}

Test(balance, shape_of_random)
{
    unsigned count[3];
    upstream_t *g = group((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_RANDOM;
    count_picks(g, PICKS, count);
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
}

Test(balance, shape_of_random_two)
{
    unsigned held[10];
    double squares = 0;
    upstream_t *g = group(NULL, 10);
    g->policy.method = UPSTREAM_RANDOM_TWO;
    load_picks(g, held);
    for (unsigned i = 0; i < 10; i++) squares += (held[i] - 30.0) * (held[i] - 30.0);
    /* Around 250 for plain chance; of 600 simulated runs of two choices the widest came to 88. */
    cr_expect_lt(squares, 150, "%f", squares);
}

/* Four answer in 10 ms, one in 100: of two by chance it is never the better one. */
Test(balance, shape_of_least_time)
{
    unsigned count[5] = {0};
    upstream_t *g = group(NULL, 5);
    g->policy.method = UPSTREAM_LEAST_TIME;
    g->policy.by_time = true;
    for (unsigned i = 0; i < PICKS; i++) {
        choice_t b = request(g);
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        unsigned at = index_of(g, peer);
        upstream_attempt_t a = {.response_us = at == 2 ? 100000 : 10000};
        balance_done(&b, peer, BALANCE_SERVED, &a);
        count[at]++;
    }
    cr_expect(count[2] >= 1 && count[2] < 100, "%u picks of the slow one", count[2]);
    for (unsigned i = 0; i < 5; i++)
        if (i != 2) EXPECT_SHARE(count[i], 0.25);
}

Test(balance, least_time_believes_a_peak_and_forgets_it)
{
    upstream_t *g = group(NULL, 2);
    g->policy.method = UPSTREAM_LEAST_TIME;
    g->policy.by_time = g->policy.until_header = true;
    choice_t b = request(g);
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

/* --- hashing --- */

static unsigned pick_key(upstream_t *g, unsigned key)
{
    choice_t b = request(g);
    b.key = pool_printf(pool, "key-%u", key);
    upstream_peer_t *peer = balance_pick(&b);
    cr_assert(peer);
    balance_done(&b, peer, BALANCE_SERVED, NULL);
    return index_of(g, peer);
}

static void make_ring(upstream_t *g)
{
    g->policy.method = UPSTREAM_RING;
    for (unsigned i = 0; i < g->servers.n; i++) g->servers.v[i].alike = i;
}

Test(balance, shape_of_hash)
{
    unsigned count[3] = {0};
    upstream_t *g = group((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_HASH;
    for (unsigned i = 0; i < PICKS; i++) count[pick_key(g, i)]++;
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
    unsigned at = pick_key(g, 7);
    for (unsigned i = 0; i < 10; i++) cr_expect_eq(pick_key(g, 7), at);
}

/* Every network of 256 addresses of 10.0.0.0/8 and more; nginx's sums spread them fairly evenly. */
Test(balance, shape_of_ip_hash)
{
    unsigned count[3] = {0};
    upstream_t *g = group((unsigned[]){5, 3, 2}, 3);
    g->policy.method = UPSTREAM_IP_HASH;
    for (unsigned i = 0; i < PICKS; i++) {
        char network[3] = {(char)(10 + i / 65536), (char)(i / 256), (char)i};
        choice_t b = request(g);
        b.key = str_make(network, 3);
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        balance_done(&b, peer, BALANCE_SERVED, NULL);
        count[index_of(g, peer)]++;
    }
    EXPECT_SHARE(count[0], 0.5);
    EXPECT_SHARE(count[1], 0.3);
    EXPECT_SHARE(count[2], 0.2);
}

/* Points fall by chance: shares differ by some percent of themselves. */
Test(balance, shape_of_the_ring)
{
    unsigned count[4] = {0};
    upstream_t *g = group((unsigned[]){4, 3, 2, 1}, 4);
    make_ring(g);
    for (unsigned i = 0; i < PICKS; i++) count[pick_key(g, i)]++;
    for (unsigned i = 0; i < 4; i++) {
        double fair = PICKS / 10.0 * (4 - i);
        cr_expect(count[i] > fair * 0.8 && count[i] < fair * 1.2, "%u of %.0f", count[i], fair);
    }
}

Test(balance, a_server_that_leaves_the_ring_moves_its_own_keys_alone)
{
    enum { KEYS = PICKS };
    static uint8_t before[KEYS];
    unsigned moved = 0, strays = 0;
    upstream_t *g = group(NULL, 20);
    make_ring(g);
    for (unsigned i = 0; i < KEYS; i++) before[i] = (uint8_t)pick_key(g, i);
    change(g, 7, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned now = pick_key(g, i);
        moved += now != before[i];
        strays += now != before[i] && before[i] != 7;
    }
    cr_expect_eq(strays, 0);
    cr_expect(moved > KEYS / 20 * 0.75 && moved < KEYS / 20 * 1.25, "%u of %u", moved, KEYS);
}

/* All ask for one key, and nobody gets more than 1.25 times the share that is fair. */
Test(balance, a_bounded_ring_spreads_a_hot_key)
{
    enum { LASTING = 100 };
    unsigned held[10] = {0};
    upstream_t *g = group(NULL, 10);
    make_ring(g);
    g->policy.bound = 125;
    for (unsigned i = 0; i < LASTING; i++) {
        choice_t b = request(g);
        b.key = STR("hot");
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        held[index_of(g, peer)]++;
    }
    unsigned most = 0, busy = 0;
    for (unsigned i = 0; i < 10; i++) most = held[i] > most ? held[i] : most, busy += held[i] > 0;
    cr_expect_eq(most, 13, "ceil(1.25 * 100 / 10), not %u", most);
    cr_expect_eq(busy, 8);
}

/* --- slow_start with every method: one of four has a quarter of its weight --- */

static upstream_t *with_a_late_one(upstream_method_t method)
{
    upstream_t *g = group(NULL, 4);
    g->policy.method = method;
    for (unsigned i = 0; i < 4; i++) g->servers.v[i].alike = i;
    g->servers.v[2].slow_start = 100 * 1000;
    state_of(g, 2)->back_ms = clock_ms();
    clock_set(clock_ms() + 25 * 1000, 0);
    return g;
}

Test(balance, slow_start_of_idle_peers)
{
    static const upstream_method_t methods[] = {
        UPSTREAM_ROUND_ROBIN, UPSTREAM_LEAST_CONN, UPSTREAM_RANDOM, UPSTREAM_RANDOM_TWO};
    for (unsigned i = 0; i < 4; i++) {
        unsigned count[4];
        upstream_t *g = with_a_late_one(methods[i]);
        count_picks(g, PICKS, count);
        double share = (double)count[2] / PICKS; /* of two by chance: 1 - (3/3.25)^2, less ties */
        cr_expect(share > 0.06 && share < 0.14, "method %u: %.3f", methods[i], share);
        clock_set(clock_ms() + 75 * 1000, 0);
        count_picks(g, PICKS, count);
        EXPECT_SHARE(count[2], 0.25);
    }
}

Test(balance, slow_start_of_busy_peers)
{
    static const upstream_method_t methods[] = {UPSTREAM_LEAST_CONN, UPSTREAM_RANDOM_TWO};
    for (unsigned i = 0; i < 2; i++) {
        unsigned held[4];
        upstream_t *g = with_a_late_one(methods[i]);
        load_picks(g, held);
        cr_expect(held[2] >= 15 && held[2] <= 30, "method %u: %u of 300", methods[i], held[2]);
    }
}

Test(balance, slow_start_with_least_time)
{
    unsigned count[4] = {0};
    upstream_t *g = with_a_late_one(UPSTREAM_LEAST_TIME);
    g->policy.by_time = true;
    for (unsigned i = 0; i < PICKS; i++) {
        choice_t b = request(g);
        upstream_peer_t *peer = balance_pick(&b);
        upstream_attempt_t a = {.response_us = 10000};
        balance_done(&b, peer, BALANCE_SERVED, &a);
        count[index_of(g, peer)]++;
    }
    double share = (double)count[2] / PICKS;
    cr_expect(share > 0.05 && share < 0.12, "%.3f", share);
}

/* A quarter of its keys are back at first, and stay while others follow; nobody else's move. */
Test(balance, slow_start_with_keys)
{
    enum { KEYS = 20000 };
    static const upstream_method_t methods[] = {UPSTREAM_HASH, UPSTREAM_RING};
    static uint8_t home[KEYS];
    for (unsigned m = 0; m < 2; m++) {
        unsigned back = 0, all = 0, strays = 0, lost = 0;
        upstream_t *g = with_a_late_one(methods[m]);
        discover(g, NULL);
        g->peers.v[2]->place.state->back_ms = 0;
        for (unsigned i = 0; i < KEYS; i++) home[i] = (uint8_t)pick_key(g, i);
        g->peers.v[2]->place.state->back_ms = clock_ms() - 25 * 1000;
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned now = pick_key(g, i);
            all += home[i] == 2;
            back += now == 2;
            strays += home[i] != 2 && now != home[i];
            if (now == 2) home[i] = 9;
        }
        cr_expect_eq(strays, 0);
        cr_expect(back > all * 0.22 && back < all * 0.28, "%u of %u", back, all);
        clock_set(clock_ms() + 30 * 1000, 0);
        for (unsigned i = 0; i < KEYS; i++) lost += pick_key(g, i) != 2 && home[i] == 9;
        cr_expect_eq(lost, 0);
    }
}

/* All have come back at once: their keys have nowhere better to go. */
Test(balance, slow_start_of_all_keeps_keys_at_home)
{
    upstream_t *g = with_a_late_one(UPSTREAM_RING);
    unsigned home[100];
    for (unsigned i = 0; i < 4; i++) g->servers.v[i].slow_start = 100 * 1000;
    g->peers.v[2]->place.state->back_ms = 0;
    for (unsigned i = 0; i < 100; i++) home[i] = pick_key(g, i);
    for (unsigned i = 0; i < 4; i++) g->peers.v[i]->place.state->back_ms = clock_ms() - 1000;
    for (unsigned i = 0; i < 100; i++) cr_expect_eq(pick_key(g, i), home[i]);
}

/* --- weights on the ring change while it serves --- */

Test(balance, the_ring_follows_changed_weights)
{
    unsigned count[4] = {0};
    upstream_t *g = group(NULL, 4);
    make_ring(g);
    pick_key(g, 0);
    cr_assert_eq(g->ring.points.n, 4 * RING_POINTS);
    change(g, 1, (peer_settings_t){.weight = 5});
    for (unsigned i = 0; i < PICKS; i++) count[pick_key(g, i)]++;
    cr_expect_eq(g->ring.points.n, 8 * RING_POINTS);
    cr_expect(count[1] > PICKS * 0.5 && count[1] < PICKS * 0.75, "%u", count[1]);
}

/* Of many keys, each in flight for a while, nobody holds more than its bound, nor do keys stray. */
Test(balance, shape_of_a_bounded_ring)
{
    enum { LASTING = 300 };
    static choice_t b[LASTING];
    static upstream_peer_t *peer[LASTING];
    unsigned held[10] = {0}, most = 0, home = 0;
    upstream_t *g = group(NULL, 10);
    make_ring(g);
    pick_key(g, 0);
    for (unsigned i = 0; i < PICKS; i++) {
        unsigned at = i % LASTING;
        if (i >= LASTING) {
            held[index_of(g, peer[at])]--;
            balance_done(&b[at], peer[at], BALANCE_SERVED, NULL);
        }
        g->policy.bound = 125;
        b[at] = request(g);
        b[at].key = pool_printf(pool, "key-%u", i);
        peer[at] = balance_pick(&b[at]);
        cr_assert(peer[at]);
        unsigned now = ++held[index_of(g, peer[at])];
        most = now > most ? now : most;
        home += g->ring.points.v[ring_find(&g->ring, b[at].key)].server == index_of(g, peer[at]);
    }
    cr_expect_leq(most, 38, "ceil(1.25 * 300 / 10), not %u", most);
    cr_expect_geq(home, PICKS * 0.85, "%u at home", home);
}

/* --- outliers --- */

Test(balance, ejects_outliers_but_no_more_than_may_be)
{
    unsigned count[4];
    upstream_t *g = group(NULL, 4);
    g->policy.outlier_factor = 5;
    g->policy.outlier_least = 100;
    g->policy.outlier_time = 30 * 1000;
    g->policy.outlier_share = 25;
    choice_t b = request(g);
    static const int64_t took[] = {10000, 10000, 900000, 800000};
    for (unsigned round = 0; round < 3; round++) {
        clock_set(clock_ms() + 1000, 0);
        for (unsigned i = 4; i-- > 0;) {
            upstream_attempt_t a = {.response_us = took[i]};
            (*g->peers.v[i]->place.mine)++;
            balance_done(&b, g->peers.v[i], BALANCE_SERVED, &a);
        }
    }
    count_picks(g, 300, count);
    cr_expect_eq((count[2] == 0) + (count[3] == 0), 1, "one of four may be out");
    cr_expect_eq(count[0] + count[1] + count[2] + count[3], 300);
    clock_set(clock_ms() + 30 * 1000 + 1, 0);
    count_picks(g, 300, count);
    cr_expect(count[2] > 0 && count[3] > 0, "they come back");
}
