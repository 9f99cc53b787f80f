#include "modules/upstream/budget.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"

static const budget_limit_t usual = {.percent = 20, .least = 1};

static unsigned take_all(budget_t *b, const budget_limit_t *limit, unsigned most)
{
    unsigned n = 0;
    while (n < most && budget_take(b, limit)) n++;
    return n;
}

static void count(budget_t *b, unsigned n)
{
    while (n--) budget_count(b);
}

static void pass(uint64_t ms)
{
    clock_set(clock_ms() + ms, 0);
}

Test(budget, is_a_share_of_the_requests)
{
    budget_t b = {.spent_ms = 0};
    clock_set(1000 * 1000, 0);
    count(&b, 1000);
    cr_expect_eq(take_all(&b, &usual, 10000), 200);
    count(&b, 50);
    cr_expect_eq(take_all(&b, &usual, 10000), 10);
}

Test(budget, has_a_floor)
{
    budget_t b = {.spent_ms = 0};
    clock_set(1000 * 1000, 0);
    cr_expect_eq(take_all(&b, &usual, 10000), BUDGET_SECONDS);
    cr_expect_eq(take_all(&b, &(budget_limit_t){.percent = 20}, 10000), 0);
    cr_expect_eq(take_all(&b, &(budget_limit_t){.off = true}, 10000), 10000);
}

Test(budget, forgets_after_some_seconds)
{
    budget_t b = {.spent_ms = 0};
    clock_set(1000 * 1000, 0);
    for (int i = 0; i < BUDGET_SECONDS; i++) {
        count(&b, 100);
        pass(1000);
    }
    /* The first of the ten seconds has just passed out of sight. */
    cr_expect_eq(take_all(&b, &usual, 10000), 9 * 20);
    pass((BUDGET_SECONDS - 1) * 1000);
    cr_expect_eq(take_all(&b, &usual, 10000), 0, "what was taken is still in sight");
    pass(1000);
    cr_expect_eq(take_all(&b, &usual, 10000), BUDGET_SECONDS);
}

Test(budget, a_burst_of_refusals_is_news_once)
{
    budget_t b = {.spent_ms = 0};
    clock_set(1000 * 1000, 0);
    cr_expect(budget_is_news(&b));
    for (int i = 0; i < 20; i++) {
        pass(1000);
        cr_expect(!budget_is_news(&b));
    }
    pass(BUDGET_SECONDS * 1000);
    cr_expect(budget_is_news(&b));
}
