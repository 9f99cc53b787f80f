/* One that fetches and brings nothing: others wait for it no longer than they have to. */
#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "shelf.h"

enum { AGE = 1000, LONG = 600000 };

static shelf_t shelf;

static void setup(void)
{
    shelf_open(&shelf, (size_t)512 << 10, (size_t)1 << 20);
}

static void teardown(void)
{
    shelf_close(&shelf);
}

TestSuite(store_late, .init = setup, .fini = teardown, .timeout = 180);

#define LATE_TEST(name) \
    static void body_##name(void *arg); \
    Test(store_late, name) \
    { \
        shelf_run(body_##name, NULL); \
    } \
    static void body_##name(void *arg __attribute__((unused)))

static store_turn_t join(uint64_t timeout_ms, uint64_t age_ms, store_object_t *o,
                         store_fill_t **fill)
{
    store_key_t k = store_key(STR("a"));
    store_wait_t wait = {timeout_ms, age_ms};
    return store_join(shelf.s, &k, STR(""), &wait, shelf.pool, NULL, o, fill);
}

/* The loop sets the clock right again when it next turns. */
static void pass(uint64_t ms)
{
    clock_set(clock_ms() + ms, clock_unix_ms());
}

static int finish(store_fill_t *fill, const char *body)
{
    str_t text = str_of(body);
    store_response_t r = {.length = (int64_t)text.n};
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_assert_eq(store_fill_body(fill, text), 0);
    return store_fill_commit(fill);
}

static void expect_body(const char *body)
{
    str_t got = shelf_get(&shelf, "a", NULL);
    cr_expect(got.p && str_eq(got, str_of(body)), "%s", body);
}

LATE_TEST(one_more_may_try_and_then_it_is_the_one_that_is_waited_for)
{
    store_object_t o;
    store_fill_t *first, *second, *third;
    cr_assert_eq(join(0, AGE, &o, &first), STORE_FILLER);
    pass(AGE - 1);
    cr_expect_eq(join(0, AGE, &o, &second), STORE_BUSY, "not yet");
    pass(1);
    cr_assert_eq(join(0, AGE, &o, &second), STORE_FILLER);
    cr_expect_eq(join(0, AGE, &o, &third), STORE_BUSY, "one more, not all");
    pass(AGE);
    cr_assert_eq(join(0, AGE, &o, &third), STORE_FILLER, "the same holds for that one");
    cr_expect_eq(finish(second, "second"), 0);
    expect_body("second");
    store_fill_abandon(third);
    cr_expect_eq(finish(first, "first"), 0, "its answer is the later one");
    expect_body("first");
}

LATE_TEST(what_the_origin_began_to_answer_last_stays)
{
    store_object_t o;
    store_fill_t *first, *second;
    store_response_t r = {.length = 5};
    cr_assert_eq(join(0, AGE, &o, &first), STORE_FILLER);
    cr_assert_eq(store_fill_head(first, &r), 0);
    cr_assert_eq(store_fill_body(first, STR("old")), 0);
    pass(AGE);
    cr_assert_eq(join(0, AGE, &o, &second), STORE_FILLER);
    cr_expect_eq(finish(second, "new"), 0);
    cr_assert_eq(store_fill_body(first, STR("er")), 0);
    cr_expect_neq(store_fill_commit(first), 0);
    expect_body("new");
    cr_expect_eq(store_stats(shelf.s).entries, 1);
    cr_expect_eq(shelf_files(&shelf), 1);
}

LATE_TEST(a_fetch_that_brings_something_is_not_late)
{
    store_object_t o;
    store_fill_t *first, *second;
    store_response_t r = {.length = -1};
    cr_assert_eq(join(0, AGE, &o, &first), STORE_FILLER);
    pass(AGE - 1);
    cr_assert_eq(store_fill_head(first, &r), 0);
    for (int i = 0; i < 10; i++) {
        pass(AGE - 1);
        cr_expect_eq(join(0, AGE, &o, &second), STORE_BUSY);
        cr_assert_eq(store_fill_body(first, STR("x")), 0);
    }
    cr_expect_eq(store_fill_commit(first), 0);
    expect_body("xxxxxxxxxx");
}

typedef struct waiter {
    uint64_t timeout_ms, age_ms;
    bool ready, done;
    store_turn_t turn;
    store_fill_t *fill;
} waiter_t;

static void wait_for_turn(void *arg)
{
    waiter_t *w = arg;
    store_object_t o;
    w->ready = true;
    w->turn = join(w->timeout_ms, w->age_ms, &o, &w->fill);
    if (w->turn == STORE_FOLLOWS) store_close(&o);
    w->done = true;
}

static void begin(waiter_t *w)
{
    cr_assert_not_null(fiber_start(wait_for_turn, w));
    while (!w->ready) fiber_yield();
}

static void await(const waiter_t *w)
{
    for (int i = 0; i < 4000 && !w->done; i++) fiber_sleep(5);
    cr_assert(w->done);
}

LATE_TEST(of_those_who_wait_one_gets_the_turn_and_the_others_wait_for_it)
{
    enum { WAITERS = 5 };
    static waiter_t w[WAITERS];
    store_object_t o;
    store_fill_t *first, *second = NULL;
    cr_assert_eq(join(0, LONG, &o, &first), STORE_FILLER);
    for (int i = 0; i < WAITERS; i++) {
        w[i] = (waiter_t){.timeout_ms = LONG, .age_ms = 300};
        begin(&w[i]);
    }
    while (!second) {
        fiber_sleep(5);
        for (int i = 0; i < WAITERS; i++)
            if (w[i].fill) second = w[i].fill;
    }
    cr_expect_eq(finish(second, "x"), 0);
    unsigned fillers = 0;
    for (int i = 0; i < WAITERS; i++) {
        await(&w[i]);
        fillers += w[i].turn == STORE_FILLER;
        if (w[i].fill && w[i].fill != second) store_fill_abandon(w[i].fill);
        cr_expect(w[i].turn == STORE_FILLER || w[i].turn == STORE_RETRY ||
                  w[i].turn == STORE_FOLLOWS);
    }
    cr_expect_geq(fillers, 1);
    cr_expect_lt(fillers, WAITERS);
    store_fill_abandon(first);
    expect_body("x");
}

/* The time to wait is one time, however often something happens meanwhile. */
LATE_TEST(the_time_to_wait_ends_once)
{
    waiter_t w = {.timeout_ms = 200, .age_ms = UINT64_MAX};
    store_object_t o;
    store_fill_t *first;
    cr_assert_eq(join(0, LONG, &o, &first), STORE_FILLER);
    begin(&w);
    uint64_t from = clock_us_now();
    await(&w);
    cr_expect_eq(w.turn, STORE_BUSY);
    cr_expect_geq(clock_us_now() - from, 190000u);
    store_fill_abandon(first);
}
