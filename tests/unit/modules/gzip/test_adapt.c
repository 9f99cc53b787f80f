#include "modules/gzip/adapt.h"

#include <criterion/criterion.h>

enum { S = 1000 * 1000, WINDOW = ADAPT_WINDOW_US };

typedef struct row {
    unsigned busy; /* per cent of a window */
    unsigned level; /* of 6 afterwards */
} row_t;

/* One window after the other. */
static void run(const row_t *rows, size_t n)
{
    adapt_t a = {0};
    uint64_t now = 5 * S, idle = 3 * S;
    adapt_note(&a, now, idle);
    cr_expect_eq(adapt_level(&a, 6), 6, "one look tells nothing");
    for (size_t i = 0; i < n; i++) {
        now += WINDOW;
        idle += WINDOW / 100 * (100 - rows[i].busy);
        adapt_note(&a, now, idle);
        cr_expect_eq(adapt_level(&a, 6), rows[i].level, "window %zu: %u", i, adapt_level(&a, 6));
    }
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof(rows[0]))

Test(adapt, a_level_goes_down_while_there_is_no_cpu_left_and_up_again)
{
    static const row_t rows[] = {{100, 5}, {95, 4}, {90, 3}, {100, 2}, {100, 1}, {100, 1},
                                 {100, 1}, {100, 1}, {0, 1},  {0, 1},  {10, 1},  {69, 2},
                                 {0, 3},   {0, 4},   {50, 5}, {0, 6},  {0, 6}};
    RUN(rows);
}

Test(adapt, between_the_bounds_nothing_changes)
{
    static const row_t rows[] = {{89, 6}, {75, 6}, {90, 5}, {89, 5}, {70, 5}, {80, 5}, {69, 6},
                                 {70, 6}, {89, 6}};
    RUN(rows);
}

Test(adapt, many_looks_in_a_window_are_one)
{
    adapt_t a = {0};
    for (uint64_t now = 0; now < 3 * WINDOW; now += 1000) adapt_note(&a, now, 0);
    cr_expect_eq(adapt_level(&a, 9), 7);
}

Test(adapt, after_a_long_pause_the_whole_of_it_counts)
{
    adapt_t a = {0};
    adapt_note(&a, 0, 0);
    adapt_note(&a, WINDOW, 0);
    cr_expect_eq(adapt_level(&a, 9), 8);
    adapt_note(&a, WINDOW + 3600ull * S, 3600ull * S - WINDOW);
    cr_expect_eq(adapt_level(&a, 9), 9);
}

Test(adapt, levels_stay_within_their_scale)
{
    adapt_t a = {.down = ADAPT_DOWN_MOST};
    cr_expect_eq(adapt_level(&a, 0), 0);
    cr_expect_eq(adapt_level(&a, 1), 1);
    cr_expect_eq(adapt_level(&a, 2), 1);
    cr_expect_eq(adapt_level(&a, 9), 1);
    cr_expect_eq(adapt_level(&a, 11), 3);
    cr_expect_eq(adapt_level(&a, 19), 11);
}

/* More waiting than time cannot be, but clocks are read one after the other. */
Test(adapt, waiting_may_be_a_little_more_than_all)
{
    adapt_t a = {.down = 2};
    adapt_note(&a, 0, 0);
    adapt_note(&a, WINDOW, WINDOW + 10);
    cr_expect_eq(adapt_level(&a, 9), 8);
}
