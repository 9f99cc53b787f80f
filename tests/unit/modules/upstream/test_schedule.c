#include "modules/upstream/schedule.h"

#include <criterion/criterion.h>

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(schedule, .init = setup, .fini = teardown);

static const char *turns(const unsigned *weights, unsigned n)
{
    static char out[64];
    schedule_t s = {0};
    for (unsigned i = 0; i < n; i++)
        *VEC_PUSH(pool, &s.members) = (schedule_member_t){.id = i, .weight = weights[i]};
    schedule_make(&s, pool);
    cr_assert_lt(s.turns.n, sizeof(out));
    for (unsigned i = 0; i < s.turns.n; i++) out[i] = (char)('a' + s.turns.v[i]);
    out[s.turns.n] = '\0';
    return out;
}

/* The order that nginx's documentation of the algorithm gives for weights 5, 1, 1. */
Test(schedule, spreads_turns_evenly)
{
    cr_expect_str_eq(turns((unsigned[]){5, 1, 1}, 3), "aabacaa");
    cr_expect_str_eq(turns((unsigned[]){1, 1, 1}, 3), "abc");
    cr_expect_str_eq(turns(NULL, 0), "");
}

Test(schedule, is_no_longer_than_need_be)
{
    cr_expect_str_eq(turns((unsigned[]){500, 100, 100}, 3), "aabacaa");
}

/* Turns that are too many are fewer, and of some of them not all are to be used. */
Test(schedule, keeps_the_ratio_of_large_weights)
{
    schedule_t s = {0};
    unsigned weights[] = {65535, 65521, 3};
    for (unsigned i = 0; i < 3; i++)
        *VEC_PUSH(pool, &s.members) = (schedule_member_t){.id = i, .weight = weights[i]};
    schedule_make(&s, pool);
    cr_expect(s.turns.n <= 16384 + 3);
    double used[3];
    for (unsigned i = 0; i < 3; i++)
        used[i] = s.members.v[i].share * (double)s.members.v[i].weight / s.members.v[i].cost;
    cr_expect_float_eq(used[0] / used[1], 65535 / 65521.0, 1e-6);
    cr_expect_float_eq(used[0] / used[2], 65535 / 3.0, 1e-6 * 65535);
}
