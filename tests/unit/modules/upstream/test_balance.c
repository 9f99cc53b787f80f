/* Whose turn it is: weights, failures, rests, limits. */
#include "modules/upstream/balance.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/upstream/discover.h"
#include "tests/unit/modules/upstream/group.h"

TestSuite(balance, .fini = group_end);

/* The sequence that nginx's documentation of the algorithm gives for weights 5, 1, 1. */
Test(balance, spreads_turns_evenly_by_weight)
{
    upstream_t *g = group_new((unsigned[]){5, 1, 1}, 3);
    cr_expect_str_eq(group_pick(g, 14), "aabacaaaabacaa");
    cr_expect_str_eq(group_pick(group_new((unsigned[]){1, 1, 1}, 3), 7), "abcabca");
}

Test(balance, keeps_the_ratio_over_many_requests)
{
    upstream_t *g = group_new((unsigned[]){7, 2, 1}, 3);
    unsigned count[3] = {0};
    for (int i = 0; i < 1000; i++) count[group_pick_one(g, BALANCE_SERVED) - 'a']++;
    cr_expect_eq(count[0], 700);
    cr_expect_eq(count[1], 200);
    cr_expect_eq(count[2], 100);
}

Test(balance, gives_each_try_of_a_request_another_peer)
{
    upstream_t *g = group_new((unsigned[]){1, 1, 1}, 3);
    choice_t b = group_request(g);
    char seen[4] = "";
    for (int i = 0; i < 3; i++) {
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        seen[i] = group_name(g, peer);
        balance_done(&b, peer, BALANCE_ABANDONED, NULL);
    }
    cr_expect_str_eq(seen, "abc");
    cr_expect_null(balance_pick(&b));
}

Test(balance, lets_a_failed_peer_rest)
{
    upstream_t *g = group_new((unsigned[]){1, 1}, 2);
    cr_expect_eq(group_pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(group_pick(g, 4), "bbbb");
    clock_set(clock_ms() + 60 * 1000 + 1, 0); /* the rest is over */
    cr_expect(strchr(group_pick(g, 3), 'a'));
    cr_expect_eq(group_state(g, 0)->fails, 0, "a success forgives");
}

Test(balance, says_when_a_peer_begins_to_rest)
{
    upstream_t *g = group_new((unsigned[]){1, 1}, 2);
    g->servers.v[0].max_fails = 2;
    choice_t b = group_request(g);
    upstream_peer_t *peer = g->peers.v[0];
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED, NULL));
    cr_expect(balance_done(&b, peer, BALANCE_FAILED, NULL));
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED, NULL));
}

Test(balance, never_gives_a_single_peer_up)
{
    upstream_t *g = group_new((unsigned[]){1}, 1);
    for (int i = 0; i < 5; i++) cr_expect_eq(group_pick_one(g, BALANCE_FAILED), 'a');
}

Test(balance, counts_no_failures_with_max_fails_0)
{
    upstream_t *g = group_new((unsigned[]){1, 1}, 2);
    g->servers.v[0].max_fails = g->servers.v[1].max_fails = 0;
    char seen[5] = "";
    for (int i = 0; i < 4; i++) seen[i] = group_pick_one(g, BALANCE_FAILED);
    cr_expect_str_eq(seen, "abab");
}

Test(balance, asks_backups_only_when_nobody_else_can)
{
    upstream_t *g = group_new((unsigned[]){1, 1, 1}, 3);
    group_change(g, 1, (peer_settings_t){.weight = 1, .flags = PEER_BACKUP});
    group_change(g, 2, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    cr_expect_str_eq(group_pick(g, 3), "aaa");
    cr_expect_eq(group_pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(group_pick(g, 3), "bbb");
    group_change(g, 1, (peer_settings_t){.weight = 1, .flags = PEER_BACKUP | PEER_DOWN});
    cr_expect_eq(group_pick_one(g, BALANCE_SERVED), '-');
    choice_t b = group_request(g);
    cr_expect(!balance_has_more(&b));
}

Test(balance, passes_over_addresses_that_are_gone)
{
    upstream_t *g = group_new((unsigned[]){1, 1}, 2);
    discover(g, NULL);
    g->peers.v[0]->gone = true;
    upstream_reorder(g);
    cr_expect_str_eq(group_pick(g, 3), "bbb");
}

Test(balance, follows_what_is_changed_while_it_serves)
{
    upstream_t *g = group_new((unsigned[]){1, 1, 1}, 3);
    cr_expect_str_eq(group_pick(g, 3), "abc");
    group_change(g, 0, (peer_settings_t){.weight = 5});
    unsigned count[3] = {0};
    for (int i = 0; i < 700; i++) count[group_pick_one(g, BALANCE_SERVED) - 'a']++;
    cr_expect(count[0] == 500 && count[1] == 100 && count[2] == 100);
    group_change(g, 0, (peer_settings_t){.weight = 5, .flags = PEER_DRAIN});
    group_change(g, 1, (peer_settings_t){.weight = 1, .max_conns = 1});
    choice_t b = group_request(g);
    while (group_name(g, balance_pick(&b)) != 'b') b = group_request(g);
    cr_expect_str_eq(group_pick(g, 3), "ccc");
    group_change(g, 0, (peer_settings_t){.weight = 1});
    group_change(g, 1, (peer_settings_t){.weight = 1});
    const char *seen = group_pick(g, 3);
    cr_expect(strchr(seen, 'a') && strchr(seen, 'b') && strchr(seen, 'c'), "%s", seen);
}

/* --- one try after a rest, max_conns, slow_start --- */

Test(balance, tries_a_rested_peer_once_until_it_has_answered)
{
    upstream_t *g = group_new(NULL, 2);
    cr_expect_eq(group_pick_one(g, BALANCE_FAILED), 'a');
    clock_set(clock_ms() + 60 * 1000 + 1, 0);
    choice_t first = group_request(g);
    upstream_peer_t *peer = balance_pick(&first);
    for (int i = 0; i < 4 && group_name(g, peer) == 'b'; i++) {
        balance_done(&first, peer, BALANCE_SERVED, NULL);
        first = group_request(g);
        peer = balance_pick(&first);
    }
    cr_assert_eq(group_name(g, peer), 'a');
    cr_expect_str_eq(group_pick(g, 4), "bbbb");
    balance_done(&first, peer, BALANCE_SERVED, NULL);
    cr_expect(strchr(group_pick(g, 4), 'a'));
}

Test(balance, keeps_to_max_conns_and_says_that_it_was_that)
{
    upstream_t *g = group_new(NULL, 2);
    g->servers.v[0].max_conns = 2;
    g->servers.v[1].max_conns = 1;
    choice_t b[4] = {group_request(g), group_request(g), group_request(g), group_request(g)};
    upstream_peer_t *peer[4];
    unsigned count[2] = {0};
    for (int i = 0; i < 3; i++) {
        peer[i] = balance_pick(&b[i]);
        cr_assert(peer[i]);
        count[group_index(g, peer[i])]++;
    }
    cr_expect_eq(count[0], 2);
    cr_expect_eq(count[1], 1);
    cr_expect_null(balance_pick(&b[3]));
    cr_expect(b[3].saturated);
    balance_done(&b[0], peer[0], BALANCE_SERVED, NULL);
    cr_expect_eq(balance_pick(&b[3]), peer[0]);
    for (unsigned i = 0; i < 2; i++)
        group_change(g, i, (peer_settings_t){.weight = 1, .flags = PEER_DOWN});
    choice_t other = group_request(g);
    cr_expect_null(balance_pick(&other));
    cr_expect_not(other.saturated, "there is nothing to wait for");
}

Test(balance, sends_nothing_to_who_drains)
{
    upstream_t *g = group_new(NULL, 2);
    g->servers.v[0].drain = true;
    cr_expect_str_eq(group_pick(g, 3), "bbb");
}

Test(balance, brings_a_peer_back_slowly)
{
    unsigned count[2];
    upstream_t *g = group_new((unsigned[]){4, 4}, 2);
    g->servers.v[0].slow_start = 100 * 1000;
    group_state(g, 0)->back_ms = clock_ms();
    clock_set(clock_ms() + 25 * 1000, 0);
    group_count_picks(g, 1000, count);
    cr_expect(count[0] >= 190 && count[0] <= 210, "a quarter of its weight is 1 in 5, not %u",
              count[0]);
    clock_set(clock_ms() + 75 * 1000, 0);
    group_count_picks(g, 1000, count);
    cr_expect_eq(count[0], 500);
}

/* --- outliers --- */

Test(balance, ejects_outliers_but_no_more_than_may_be)
{
    unsigned count[4];
    upstream_t *g = group_new(NULL, 4);
    g->policy.outlier_factor = 5;
    g->policy.outlier_least = 100;
    g->policy.outlier_time = 30 * 1000;
    g->policy.outlier_share = 25;
    choice_t b = group_request(g);
    static const int64_t took[] = {10000, 10000, 900000, 800000};
    for (unsigned round = 0; round < 3; round++) {
        clock_set(clock_ms() + 1000, 0);
        for (unsigned i = 4; i-- > 0;) {
            upstream_attempt_t a = {.response_us = took[i]};
            (*g->peers.v[i]->place.mine)++;
            balance_done(&b, g->peers.v[i], BALANCE_SERVED, &a);
        }
    }
    group_count_picks(g, 300, count);
    cr_expect_eq((count[2] == 0) + (count[3] == 0), 1, "one of four may be out");
    cr_expect_eq(count[0] + count[1] + count[2] + count[3], 300);
    clock_set(clock_ms() + 30 * 1000 + 1, 0);
    group_count_picks(g, 300, count);
    cr_expect(count[2] > 0 && count[3] > 0, "they come back");
}
