#include "core/shared/histogram.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"

static histogram_t h;

static void setup(void)
{
    clock_set(1000 * 1000, 0);
    h.faded_ms = clock_ms();
}

TestSuite(histogram, .init = setup);

static void add(uint64_t value, unsigned n)
{
    while (n--) histogram_add(&h, value);
}

Test(histogram, tells_percentiles)
{
    cr_expect_eq(histogram_percentile(&h, 50), 0, "of nothing");
    for (unsigned i = 1; i <= 10; i++) add(i, 10);
    cr_expect_eq(histogram_count(&h), 100);
    cr_expect_eq(histogram_percentile(&h, 50), 5);
    cr_expect_eq(histogram_percentile(&h, 51), 6);
    cr_expect_eq(histogram_percentile(&h, 99), 10);
    cr_expect_eq(histogram_percentile(&h, 100), 10);
    cr_expect_eq(histogram_percentile(&h, 0), 1, "the least");
}

/* Every value is told within an eighth, and never too small. */
Test(histogram, is_as_precise_as_it_says)
{
    for (uint64_t v = 0; v < (uint64_t)1 << HISTOGRAM_BITS; v += 1 + v / 7) {
        h = (histogram_t){.faded_ms = clock_ms()};
        add(v, 1);
        uint64_t told = histogram_percentile(&h, 50);
        cr_assert(told >= v && told - v <= v / 8, "%llu for %llu", (unsigned long long)told,
                  (unsigned long long)v);
    }
    h = (histogram_t){.faded_ms = clock_ms()};
    add(UINT64_MAX, 1);
    cr_expect_eq(histogram_percentile(&h, 50), ((uint64_t)1 << HISTOGRAM_BITS) - 1);
}

Test(histogram, old_values_fade)
{
    add(10, 100);
    clock_set(clock_ms() + HISTOGRAM_FADE_MS, 0);
    add(20, 1);
    cr_expect_eq(histogram_count(&h), 51);
    clock_set(clock_ms() + HISTOGRAM_FADE_MS, 0);
    add(20, 100);
    cr_expect_eq(histogram_count(&h), 125);
    cr_expect_eq(histogram_percentile(&h, 50), 21, "the bucket of 20 ends with 21");
}
