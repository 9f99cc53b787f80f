#include "http/h2_guard.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"

static unsigned allowed(h2_guard_t *g, h2_nuisance_t kind)
{
    unsigned n = 0;
    while (n < 100000 && h2_guard_allows(g, kind)) n++;
    return n;
}

Test(h2_guard, each_kind_has_a_budget_of_its_own)
{
    clock_set(1000000, 0);
    h2_guard_t g = {.since_ms = clock_ms()};
    for (unsigned kind = 0; kind < H2_NUISANCES; kind++) {
        unsigned n = allowed(&g, (h2_nuisance_t)kind);
        cr_assert(n > 0 && n < 5000, "%s: %u", h2_guard_name((h2_nuisance_t)kind), n);
        cr_assert_not(h2_guard_allows(&g, (h2_nuisance_t)kind));
    }
}

Test(h2_guard, budgets_come_back_with_time_and_no_further)
{
    clock_set(1000000, 0);
    h2_guard_t g = {.since_ms = clock_ms()};
    unsigned all = allowed(&g, H2_PINGS), some;
    clock_set(1000999, 0);
    cr_assert_eq(allowed(&g, H2_PINGS), 0);
    clock_set(1001000, 0);
    some = allowed(&g, H2_PINGS);
    cr_assert(some > 0 && some < all, "%u of %u", some, all);
    clock_set(1003000, 0);
    cr_assert_eq(allowed(&g, H2_PINGS), 2 * some);
    clock_set(900000000000, 0);
    cr_assert_eq(allowed(&g, H2_PINGS), all);
}

Test(h2_guard, what_is_earned_is_forgiven)
{
    clock_set(1000000, 0);
    h2_guard_t g = {.since_ms = clock_ms()};
    unsigned all = allowed(&g, H2_WINDOW_UPDATES);
    h2_guard_forgive(&g, H2_WINDOW_UPDATES, 3);
    cr_assert_eq(allowed(&g, H2_WINDOW_UPDATES), 3);
    h2_guard_forgive(&g, H2_WINDOW_UPDATES, 100000);
    cr_assert_eq(allowed(&g, H2_WINDOW_UPDATES), all);
}
