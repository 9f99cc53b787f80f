#include "modules/ssl/acme_policy.h"

#include <criterion/criterion.h>

enum { DAY = 24 * 3600, MINUTE_MS = 60 * 1000 };

Test(acme_policy, renewal_comes_with_a_third_left)
{
    int64_t from = 1700000000, to = from + 90 * DAY;
    cr_expect_eq(acme_policy_renewal(from, to, 0), from + 60 * DAY);
    for (uint32_t lot = 0; lot < 4000000; lot += 99991) {
        int64_t at = acme_policy_renewal(from, to, lot);
        cr_assert(at <= from + 60 * DAY && at >= from + 58 * DAY, "%lld", (long long)(at - from));
    }
    cr_expect_neq(acme_policy_renewal(from, to, 1), acme_policy_renewal(from, to, 40000));
}

Test(acme_policy, renewal_of_odd_lives)
{
    cr_expect_eq(acme_policy_renewal(100, 100, 7), 100);
    cr_expect_eq(acme_policy_renewal(100, 50, 7), 100);
    cr_expect_eq(acme_policy_renewal(100, 101, 7), 101);
    int64_t at = acme_policy_renewal(INT64_MIN, INT64_MAX, UINT32_MAX);
    cr_expect(at > 0 && at < INT64_MAX);
}

Test(acme_policy, what_has_just_come_is_not_renewed_at_once)
{
    int64_t from = 1700000000, to = from + 90 * DAY;
    cr_expect_eq(acme_policy_next(from, to, from + 3600, 120, 0), from + 60 * DAY);
    /* By a clock that is years ahead, or behind. */
    cr_expect_eq(acme_policy_next(from, to, to + 900 * DAY, 120, 0), to + 930 * DAY);
    cr_expect_eq(acme_policy_next(from, to, from - 900 * DAY, 120, 0), from + 60 * DAY);
    /* Of a short life, or none. */
    cr_expect_eq(acme_policy_next(from, from + 60, from, 120, 0), from + 120);
    cr_expect_eq(acme_policy_next(0, 0, from, 120, 0), from + 120);
}

Test(acme_policy, pauses_grow_up_to_a_bound)
{
    static const unsigned minutes[] = {2, 4, 8, 16, 32, 60, 60};
    for (unsigned i = 0; i < 7; i++)
        cr_expect_eq(acme_policy_pause(i + 1, 2 * MINUTE_MS, 60 * MINUTE_MS, 0, 0),
                     minutes[i] * MINUTE_MS, "%u", i);
    cr_expect_eq(acme_policy_pause(UINT32_MAX, 1, UINT64_MAX / 4, 0, 0), UINT64_MAX / 4);
}

Test(acme_policy, pauses_are_spread)
{
    bool differ = false;
    for (uint32_t lot = 0; lot < 3000000; lot += 99991) {
        uint64_t pause = acme_policy_pause(1, 80000, 100000, 0, lot);
        cr_assert(pause >= 80000 && pause <= 90000);
        differ |= pause != acme_policy_pause(1, 80000, 100000, 0, 0);
    }
    cr_expect(differ);
}

Test(acme_policy, what_the_authority_asks_for_counts)
{
    cr_expect_eq(acme_policy_pause(1, 1000, 5000, 70000, 0), 70000u);
    cr_expect_eq(acme_policy_pause(1, 1000, 5000, 10, 0), 1000u);
    cr_expect_eq(acme_policy_pause(1, 1000, 5000, UINT64_MAX, 0), (uint64_t)ACME_POLICY_ASKED_MOST);
}
