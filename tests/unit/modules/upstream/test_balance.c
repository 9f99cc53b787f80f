#include "modules/upstream/balance.h"

#include <criterion/criterion.h>

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
    static const char names[] = "abcdefgh";
    pool_destroy(pool);
    pool = pool_create();
    clock_update();
    upstream_t *g = POOL_NEW(pool, upstream_t);
    g->pool = pool;
    for (unsigned i = 0; i < n; i++)
        *VEC_PUSH(pool, &g->servers) = (upstream_server_t){
            .weight = weights[i], .max_fails = 1, .fail_timeout = 60 * 1000};
    for (unsigned i = 0; i < n; i++) {
        upstream_peer_t *peer = POOL_NEW(pool, upstream_peer_t);
        peer->server = &g->servers.v[i];
        peer->name = str_make(&names[i], 1);
        peer->effective = (int)weights[i];
        *VEC_PUSH(pool, &g->peers) = peer;
    }
    return g;
}

static char pick_one(upstream_t *g, balance_result_t result)
{
    balance_t b = {.group = g, .pool = pool};
    upstream_peer_t *peer = balance_pick(&b);
    if (!peer) return '-';
    balance_done(&b, peer, result);
    return peer->name.p[0];
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
    balance_t b = {.group = g, .pool = pool};
    char seen[4] = "";
    for (int i = 0; i < 3; i++) {
        upstream_peer_t *peer = balance_pick(&b);
        cr_assert(peer);
        seen[i] = peer->name.p[0];
        balance_done(&b, peer, BALANCE_ABANDONED);
    }
    cr_expect_str_eq(seen, "abc");
    cr_expect_null(balance_pick(&b));
}

Test(balance, lets_a_failed_peer_rest)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(pick(g, 4), "bbbb");
    g->peers.v[0]->failed_ms = g->peers.v[0]->checked_ms -= 60 * 1000 + 1; /* the rest is over */
    cr_expect(strchr(pick(g, 3), 'a'));
    cr_expect_eq(g->peers.v[0]->fails, 0, "a success forgives");
}

Test(balance, says_when_a_peer_begins_to_rest)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    g->servers.v[0].max_fails = 2;
    balance_t b = {.group = g, .pool = pool};
    upstream_peer_t *peer = g->peers.v[0];
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED));
    cr_expect(balance_done(&b, peer, BALANCE_FAILED));
    cr_expect_not(balance_done(&b, peer, BALANCE_FAILED));
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
    g->servers.v[1].backup = true;
    g->servers.v[2].down = true;
    cr_expect_str_eq(pick(g, 3), "aaa");
    cr_expect_eq(pick_one(g, BALANCE_FAILED), 'a');
    cr_expect_str_eq(pick(g, 3), "bbb");
    g->servers.v[1].down = true;
    cr_expect_eq(pick_one(g, BALANCE_SERVED), '-');
    balance_t b = {.group = g, .pool = pool};
    cr_expect_eq(balance_candidates(&b), 1);
}

Test(balance, passes_over_addresses_that_are_gone)
{
    upstream_t *g = group((unsigned[]){1, 1}, 2);
    g->peers.v[0]->gone = true;
    cr_expect_str_eq(pick(g, 3), "bbb");
}
