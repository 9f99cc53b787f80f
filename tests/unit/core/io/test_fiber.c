#include "core/io/fiber.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "core/base/clock.h"
#include "core/io/timer.h"

static char trace[4096];

static void note(const char *what)
{
    strncat(trace, what, sizeof(trace) - strlen(trace) - 1);
}

static void run_all(void)
{
    while (fiber_run_ready()) continue;
}

static void at(uint64_t ms)
{
    clock_set(ms, 1);
    timer_run();
    run_all();
}

static void say_twice(void *arg)
{
    note(arg);
    fiber_yield();
    note(arg);
}

Test(fiber, runs_in_the_order_of_getting_ready)
{
    static char a[] = "a", b[] = "b", c[] = "c";
    cr_assert_null(fiber_self());
    fiber_start(say_twice, a);
    fiber_start(say_twice, b);
    fiber_start(say_twice, c);
    cr_assert_str_eq(trace, "", "none before the loop's turn");
    cr_assert_eq(fiber_count(), 3);
    run_all();
    cr_assert_str_eq(trace, "abcabc");
    cr_assert_eq(fiber_count(), 0);
    fiber_trim();
}

static int result = 1;

static void wait_forever(void *arg)
{
    fiber_t **self = arg;
    *self = fiber_self();
    result = fiber_suspend(UINT64_MAX);
}

Test(fiber, sleeps_until_woken)
{
    fiber_t *self = NULL;
    fiber_t *f = fiber_start(wait_forever, &self);
    run_all();
    cr_assert_eq(self, f);
    cr_assert_eq(result, 1);
    fiber_wake(f);
    fiber_wake(f);
    run_all();
    cr_assert_eq(result, 0);
    cr_assert_eq(fiber_count(), 0);
}

static void wait_50(void *arg)
{
    *(int *)arg = fiber_suspend(50);
}

Test(fiber, a_wait_ends_with_its_timeout)
{
    int r = 1;
    clock_set(1000, 1);
    fiber_start(wait_50, &r);
    run_all();
    at(1049);
    cr_assert_eq(r, 1);
    at(1050);
    cr_assert_eq(r, -ETIMEDOUT);
    cr_assert_eq(timer_next(), -1);
}

Test(fiber, waking_in_time_disarms_the_timeout)
{
    int r = 1;
    clock_set(1000, 1);
    fiber_t *f = fiber_start(wait_50, &r);
    run_all();
    fiber_wake(f);
    run_all();
    cr_assert_eq(r, 0);
    cr_assert_eq(timer_next(), -1);
}

static void unwind(void *arg)
{
    int *r = arg;
    r[0] = fiber_suspend(UINT64_MAX);
    r[1] = fiber_suspend(1000);
    r[2] = fiber_sleep(1000);
    r[3] = fiber_cancelled(fiber_self());
    fiber_uncancel(fiber_self());
    r[4] = fiber_sleep(10);
}

Test(fiber, a_cancelled_one_waits_no_more)
{
    int r[5] = {1, 1, 1, 1, 1};
    clock_set(1000, 1);
    fiber_t *f = fiber_start(unwind, r);
    run_all();
    fiber_cancel(f, -ECONNABORTED);
    fiber_cancel(f, -ECANCELED);
    run_all();
    for (int i = 0; i < 4; i++) cr_assert_eq(r[i], -ECONNABORTED, "%d", i);
    cr_assert_eq(r[4], 1, "waits again");
    at(1010);
    cr_assert_eq(r[4], 0);
}

static void note_cancel(void *arg)
{
    *(int *)arg = fiber_suspend(UINT64_MAX);
}

Test(fiber, one_that_has_not_run_can_be_cancelled)
{
    int r = 1;
    fiber_cancel(fiber_start(note_cancel, &r), -EPIPE);
    run_all();
    cr_assert_eq(r, -EPIPE);
}

static void yield_some(void *arg)
{
    for (int i = 0; i < 3; i++) {
        fiber_yield();
        ++*(int *)arg;
    }
}

Test(fiber, ten_thousand_at_once)
{
    int sum = 0;
    for (int i = 0; i < 10000; i++) cr_assert(fiber_start(yield_some, &sum), "%d", i);
    cr_assert_eq(fiber_count(), 10000);
    run_all();
    cr_assert_eq(sum, 30000);
    cr_assert_eq(fiber_count(), 0);
    fiber_trim();
}

static void start_next(void *arg)
{
    int *left = arg;
    if (--*left) fiber_start(start_next, left);
}

/* Each starts the next and ends, so that one stack is used over and over. */
Test(fiber, stacks_are_used_again)
{
    int left = 100000;
    fiber_start(start_next, &left);
    run_all();
    cr_assert_eq(left, 0);
}

/* One turn is bounded: whoever yields for ever does not keep the loop from its descriptors. */
static void yield_for_ever(void *arg)
{
    bool *stop = arg;
    while (!*stop) fiber_yield();
}

Test(fiber, a_turn_ends_though_some_are_always_ready)
{
    bool stop = false;
    fiber_start(yield_for_ever, &stop);
    cr_assert(fiber_run_ready());
    stop = true;
    run_all();
    cr_assert_eq(fiber_count(), 0);
}

static unsigned __attribute__((noinline)) descend(unsigned depth)
{
    volatile char room[512];
    memset((char *)room, (int)depth, sizeof(room));
    if (depth == 0) {
        fiber_yield();
        return 0;
    }
    unsigned below = descend(depth - 1);
    for (size_t i = 0; i < sizeof(room); i++)
        if (room[i] != (char)depth) return UINT32_MAX;
    return below == UINT32_MAX ? below : below + 1;
}

static void recurse(void *arg)
{
    *(unsigned *)arg = descend(100);
}

Test(fiber, deep_calls_keep_their_frames)
{
    unsigned depth[8] = {0};
    for (int i = 0; i < 8; i++) fiber_start(recurse, &depth[i]);
    run_all();
    for (int i = 0; i < 8; i++) cr_assert_eq(depth[i], 100);
}

#ifdef __x86_64__
enum { MXCSR_DEFAULT = 0x1f80, MXCSR_UPWARD = 0x5f80 };

static void round_upward(void *arg)
{
    __builtin_ia32_ldmxcsr(MXCSR_UPWARD);
    fiber_yield();
    *(unsigned *)arg = __builtin_ia32_stmxcsr();
}

static void round_as_it_is(void *arg)
{
    *(unsigned *)arg = __builtin_ia32_stmxcsr();
}

Test(fiber, floating_point_control_is_each_ones_own)
{
    unsigned up = 0, other = 0;
    fiber_start(round_upward, &up);
    fiber_start(round_as_it_is, &other);
    run_all();
    cr_assert_eq(up, MXCSR_UPWARD);
    cr_assert_eq(other, MXCSR_DEFAULT);
    cr_assert_eq(__builtin_ia32_stmxcsr(), MXCSR_DEFAULT);
}
#endif
