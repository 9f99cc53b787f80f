#include "core/io/timer.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/clock.h"

typedef struct probe {
    struct timer timer;
    uint64_t fired; /* when; 0: not yet */
    unsigned times;
} probe_t;

static void on_fire(struct timer *t)
{
    probe_t *p = LIST_OF(t, probe_t, timer);
    p->fired = clock_ms();
    p->times++;
    cr_assert(!timer_armed(t), "a timer that fires is not armed any more");
}

static void at(uint64_t ms)
{
    clock_set(ms, 1);
}

static probe_t *arm(probe_t *p, uint64_t after)
{
    p->timer.fire = on_fire;
    timer_arm(&p->timer, after);
    return p;
}

/* Lets time go from one possible event to the next, as the loop does; -1 as soon as none is left.
 */
static bool step(void)
{
    int next = timer_next();
    if (next < 0) return false;
    at(clock_ms() + (uint64_t)next);
    timer_run();
    return true;
}

static void check_fires_exactly(uint64_t start, uint64_t after)
{
    probe_t p = {0};
    at(start);
    timer_run(); /* the wheel's own time follows */
    arm(&p, after);
    for (int steps = 0; !p.fired; steps++) {
        cr_assert_lt(steps, 64, "start %lu after %lu: it does not come nearer", start, after);
        cr_assert(step(), "start %lu after %lu: lost", start, after);
        cr_assert(!p.fired || p.fired == start + after, "start %lu after %lu: fired at %lu", start,
                  after, p.fired);
    }
    cr_assert_eq(timer_next(), -1);
}

/* The digits of the wheel are base 64: every place where one or several of them turn over. */
Test(timer, fires_exactly_around_every_turn_of_a_digit)
{
    static const int64_t near[] = {-65, -64, -63, -2, -1, 0, 1, 2, 63, 64, 65};
    enum { NEAR = sizeof(near) / sizeof(near[0]) };
    uint64_t base = 0;
    for (unsigned level = 1; level < 6; level++) {
        uint64_t turn = (uint64_t)1 << 6 * level;
        base += turn * 2;
        base -= base % turn;
        for (unsigned i = 0; i < NEAR; i++) {
            uint64_t start = base + turn + (uint64_t)near[i];
            if (near[i] < 0 && (uint64_t)-near[i] >= turn) continue;
            for (unsigned j = 0; j < NEAR; j++)
                if (near[j] > 0 || (uint64_t)-near[j] < turn)
                    check_fires_exactly(start + i * turn * 4 + j * turn * 64,
                                        turn + (uint64_t)near[j]);
            base = start + NEAR * turn * 4 + NEAR * turn * 64;
            base -= base % turn;
        }
    }
}

Test(timer, short_ones_fire_in_their_millisecond)
{
    uint64_t start = 1;
    for (int i = 0; i < 2000; i++)
        for (uint64_t after = 1; after < 200; after += 7, start += 4093)
            check_fires_exactly(start, after);
}

Test(timer, none_is_for_now)
{
    probe_t p = {0};
    at(1000);
    arm(&p, 0);
    timer_run();
    cr_assert_eq(p.times, 0, "not before the caller has returned");
    at(1001);
    timer_run();
    cr_assert_eq(p.times, 1);
}

Test(timer, never_is_far_away)
{
    probe_t p = {0};
    at(5);
    arm(&p, UINT64_MAX);
    cr_assert_gt(timer_next(), 1000000);
    at((uint64_t)1 << 39);
    timer_run();
    cr_assert_eq(p.times, 0);
    timer_disarm(&p.timer);
    cr_assert_eq(timer_next(), -1);
}

Test(timer, a_late_loop_fires_all_that_is_due_in_order)
{
    static probe_t p[1000];
    at(77);
    for (int i = 0; i < 1000; i++) arm(&p[i], (uint64_t)(i * i % 100003) + 1);
    at(77 + 50000);
    timer_run();
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(p[i].times, (uint64_t)(i * i % 100003) + 1 <= 50000, "%d", i);
    at(77 + 200000);
    timer_run();
    for (int i = 0; i < 1000; i++) cr_assert_eq(p[i].times, 1);
}

Test(timer, armed_again_counts_from_then)
{
    probe_t p = {0};
    at(100);
    arm(&p, 50);
    at(140);
    timer_run();
    arm(&p, 50);
    at(160);
    timer_run();
    cr_assert_eq(p.times, 0);
    at(190);
    timer_run();
    cr_assert_eq(p.times, 1);
}

static probe_t victims[3];

static void disarm_others(struct timer *t)
{
    (void)t;
    timer_disarm(&victims[1].timer);
    arm(&victims[2], 10);
}

Test(timer, callbacks_may_change_the_others)
{
    at(64);
    arm(&victims[0], 5);
    victims[0].timer.fire = disarm_others;
    arm(&victims[1], 5);
    arm(&victims[2], 5);
    at(69);
    timer_run();
    cr_assert_eq(victims[1].times, 0);
    cr_assert_eq(victims[2].times, 0, "moved on by the first");
    at(79);
    timer_run();
    cr_assert_eq(victims[2].times, 1);
    cr_assert_eq(timer_next(), -1);
}

static void again(struct timer *t)
{
    probe_t *p = LIST_OF(t, probe_t, timer);
    if (++p->times < 1000) timer_arm(t, 1);
}

Test(timer, one_may_arm_itself)
{
    probe_t p = {.timer.fire = again};
    at(4000);
    timer_arm(&p.timer, 1);
    at(4500);
    timer_run();
    cr_assert_lt(p.times, 1000, "not all at once");
    while (step()) continue;
    cr_assert_eq(p.times, 1000);
}

/* Against a plain list: random lengths of all magnitudes, random disarming, random jumps of time.
 */
Test(timer, agrees_with_a_plain_list)
{
    enum { COUNT = 400, ROUNDS = 20000 };
    static probe_t p[COUNT];
    static uint64_t due[COUNT];
    uint64_t time = 123456789;
    srand(4711);
    at(time);
    for (int round = 0; round < ROUNDS; round++) {
        int i = rand() % COUNT;
        uint64_t after = (uint64_t)rand() >> rand() % 31;
        if (rand() % 4) {
            due[i] = time + (after ? after : 1);
            arm(&p[i], after);
            p[i].fired = 0;
        } else {
            due[i] = 0;
            timer_disarm(&p[i].timer);
        }
        int next = timer_next();
        time += (uint64_t)rand() >> rand() % 31;
        for (int j = 0; next >= 0 && j < COUNT; j++)
            cr_assert(!due[j] || due[j] >= clock_ms() + (uint64_t)next, "timer_next is too far");
        at(time);
        timer_run();
        for (int j = 0; j < COUNT; j++) {
            bool fires = due[j] && due[j] <= time;
            cr_assert_eq(p[j].fired != 0, fires, "round %d: timer %d", round, j);
            if (fires) due[j] = p[j].fired = 0;
        }
    }
}
