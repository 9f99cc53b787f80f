#include <criterion/criterion.h>

#include "modules/upstream/tally.h"

static upstream_attempt_t took(int64_t us)
{
    return (upstream_attempt_t){.status = 200, .header_us = us, .received = 10, .sent = 3};
}

Test(tally, counts_by_class_and_kind)
{
    tally_t t = {0};
    tally_sum_t sum = {0};
    upstream_attempt_t a = took(5);
    tally_note(&t, &a);
    a.status = 503;
    a.failure = UPSTREAM_STATUS;
    tally_note(&t, &a);
    a = (upstream_attempt_t){.status = 504, .header_us = -1, .failure = UPSTREAM_TIMEOUT};
    tally_note(&t, &a);
    tally_add(&sum, &t);
    tally_add(&sum, &t);
    cr_assert_eq(sum.responses[1], 2);
    cr_assert_eq(sum.responses[4], 2);
    cr_assert_eq(sum.failures[UPSTREAM_STATUS], 2);
    cr_assert_eq(sum.failures[UPSTREAM_TIMEOUT], 2);
    cr_assert_eq(sum.received, 40);
    cr_assert_eq(sum.sent, 12);
    cr_assert_eq(sum.remembered, 4);
}

/* Never less than the time, and at most a quarter more. */
Test(tally, a_percentile_is_near_the_time_and_not_below_it)
{
    for (uint64_t us = 64; us < 200 * 1000 * 1000; us += us / 7 + 1) {
        tally_t t = {0};
        tally_sum_t sum = {0};
        upstream_attempt_t a = took((int64_t)us);
        tally_note(&t, &a);
        tally_add(&sum, &t);
        uint64_t p = tally_percentile(&sum, 50);
        cr_assert(p > us && p <= us + us / 4 + 1, "%llu: %llu", (unsigned long long)us,
                  (unsigned long long)p);
    }
}

Test(tally, percentiles_tell_the_few_from_the_many)
{
    static tally_t t;
    tally_sum_t sum = {0};
    cr_assert_eq(tally_percentile(&sum, 99), 0);
    for (int i = 1; i <= 1000; i++) {
        upstream_attempt_t a = took(i <= 600 ? 1000 : i <= 980 ? 20000 : 3000000);
        tally_note(&t, &a);
    }
    tally_add(&sum, &t);
    cr_assert_leq(tally_percentile(&sum, 50), 1250);
    cr_assert_geq(tally_percentile(&sum, 90), 20000);
    cr_assert_leq(tally_percentile(&sum, 90), 25000);
    cr_assert_geq(tally_percentile(&sum, 99), 3000000);
}

Test(tally, what_is_long_past_is_forgotten)
{
    static tally_t t;
    tally_sum_t sum = {0};
    upstream_attempt_t slow = took(1000000), fast = took(1000);
    for (int i = 0; i < TALLY_MEMORY; i++) tally_note(&t, &slow);
    for (int i = 0; i < 8 * TALLY_MEMORY; i++) tally_note(&t, &fast);
    tally_add(&sum, &t);
    cr_assert_leq(tally_percentile(&sum, 99), 1250);
    cr_assert_leq(sum.remembered, TALLY_MEMORY);
    cr_assert_eq(sum.responses[1], 9 * TALLY_MEMORY);
}

Test(tally, the_longest_times_have_a_bucket_too)
{
    tally_t t = {0};
    tally_sum_t sum = {0};
    upstream_attempt_t a = took(INT64_MAX);
    tally_note(&t, &a);
    tally_add(&sum, &t);
    cr_assert_gt(tally_percentile(&sum, 50), 200u * 1000 * 1000);
}
