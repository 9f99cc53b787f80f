#include "core/io/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/timer.h"

static int pair[2]; /* the loop watches the first */
static loop_fd_t io;
static int result = 1;

static void begin(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(loop_open(), 0);
}

static void end(void)
{
    loop_close();
    fiber_trim();
    close(pair[0]);
    close(pair[1]);
}

static void poke(void)
{
    cr_assert_eq(write(pair[1], "x", 1), 1);
}

static void drain(void)
{
    char byte;
    while (read(pair[0], &byte, 1) > 0) continue;
    io.ready &= (uint8_t)~LOOP_READ;
}

static void wait_readable(void *arg)
{
    result = loop_wait(&io, LOOP_READ, *(uint64_t *)arg);
}

Test(loop, wakes_who_waits_for_a_descriptor, .init = begin, .fini = end)
{
    uint64_t long_time = 60000;
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    fiber_start(wait_readable, &long_time);
    loop_turn(0);
    cr_assert_eq(result, 1);
    poke();
    loop_turn(1000);
    cr_assert_eq(result, 0);
    cr_assert(io.ready & LOOP_READ);
    cr_assert_null(io.reader);
}

Test(loop, remembers_readiness, .init = begin, .fini = end)
{
    uint64_t none = 0;
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    poke();
    loop_turn(1000);
    fiber_start(wait_readable, &none);
    loop_turn(0);
    cr_assert_eq(result, 0);
    result = 1;
    drain();
    fiber_start(wait_readable, &none);
    while (result == 1) loop_turn(1000);
    cr_assert_eq(result, -ETIMEDOUT);
}

Test(loop, a_wait_times_out, .init = begin, .fini = end)
{
    uint64_t ms = 20, start = clock_us_now();
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    fiber_start(wait_readable, &ms);
    while (result == 1) loop_turn(-1);
    cr_assert_eq(result, -ETIMEDOUT);
    cr_assert_geq(clock_us_now() - start, 19000u);
}

Test(loop, tells_the_end_of_the_peer, .init = begin, .fini = end)
{
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    loop_turn(0);
    cr_assert_eq(io.ready, LOOP_WRITE);
    shutdown(pair[1], SHUT_WR);
    loop_turn(1000);
    cr_assert(io.ready & LOOP_READ);
    cr_assert(io.ready & LOOP_HUP);
}

static void work(void *arg)
{
    (void)arg;
    result = fiber_suspend(60000);
}

Test(loop, a_leaving_peer_can_cancel_the_owner, .init = begin, .fini = end)
{
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    io.owner = fiber_start(work, NULL);
    loop_turn(0);
    io.abort_on_hup = true;
    shutdown(pair[1], SHUT_WR);
    loop_turn(1000);
    cr_assert_eq(result, -ECONNABORTED);
}

static unsigned called, events_seen;

static void on_ready(loop_fd_t *which, unsigned events)
{
    called++;
    events_seen |= events;
    cr_assert_eq(which, &io);
}

Test(loop, calls_the_hook_when_no_fiber_waits, .init = begin, .fini = end)
{
    uint64_t ms = 60000;
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    loop_turn(0);
    io.on_ready = on_ready;
    poke();
    loop_turn(1000);
    cr_assert_eq(called, 1);
    cr_assert(events_seen & LOOP_READ);
    drain();
    fiber_start(wait_readable, &ms);
    loop_turn(0);
    poke();
    loop_turn(1000);
    cr_assert_eq(result, 0);
    cr_assert_eq(called, 1, "the fiber that waits gets it");
}

Test(loop, removing_wakes_who_waits, .init = begin, .fini = end)
{
    uint64_t ms = 60000;
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    fiber_start(wait_readable, &ms);
    loop_turn(0);
    loop_remove(&io);
    loop_turn(0);
    cr_assert_eq(result, 0);
    poke();
    io.ready = 0;
    loop_turn(0);
    cr_assert_eq(io.ready, 0, "no events any more");
}

Test(loop, does_not_sleep_while_somebody_is_ready, .init = begin, .fini = end)
{
    fiber_t *f = fiber_start(work, NULL);
    loop_turn(-1);
    fiber_cancel(f, -ECANCELED);
    loop_turn(-1);
    cr_assert_eq(result, -ECANCELED);
}

static loop_fd_t second;

static void wait_for_one(void *arg)
{
    (void)arg;
    result = loop_wait_either(&io, LOOP_READ, &second, LOOP_READ, 60000);
}

static void check_either(int writer, const loop_fd_t *ready, const loop_fd_t *other)
{
    result = 1;
    fiber_start(wait_for_one, NULL);
    loop_turn(0);
    cr_assert_eq(result, 1);
    cr_assert_eq(write(writer, "x", 1), 1);
    loop_turn(1000);
    cr_assert_eq(result, 0);
    cr_assert(ready->ready & LOOP_READ);
    cr_assert(!(other->ready & LOOP_READ));
    cr_assert(!io.reader && !second.reader);
}

Test(loop, waits_for_either_of_two, .init = begin, .fini = end)
{
    int more[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, more), 0);
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    cr_assert_eq(loop_add(&second, more[0]), 0);
    loop_turn(0);
    check_either(pair[1], &io, &second);
    drain();
    check_either(more[1], &second, &io);
    close(more[0]);
    close(more[1]);
}

static int turns;

static void idle(void)
{
    if (++turns == 3) loop_stop();
}

static void ring(struct timer *t)
{
    if (turns < 5) timer_arm(t, 1);
}

Test(loop, runs_timers_until_it_is_stopped, .init = begin, .fini = end)
{
    struct timer t = {.fire = ring};
    clock_update();
    timer_arm(&t, 1);
    loop_run(idle);
    cr_assert_eq(turns, 3);
    timer_disarm(&t);
}

Test(loop, listeners_are_told_again_and_again, .init = begin, .fini = end)
{
    io.on_ready = on_ready;
    cr_assert_eq(loop_add_listener(&io, pair[0], true), 0);
    poke();
    loop_turn(1000);
    loop_turn(1000);
    cr_assert_eq(called, 2, "level-triggered, since accepting may be put off");
}

/* --- deferred tasks --- */

static loop_task_t task;
static unsigned task_runs, task_wants;
static char task_order[8];

static void note(char c)
{
    size_t n = strlen(task_order);
    if (n + 1 < sizeof(task_order)) task_order[n] = c;
}

static void run_task(loop_task_t *t)
{
    note('t');
    task_runs++;
    if (task_runs < task_wants) loop_defer(t);
}

static void defer_twice(void *arg)
{
    (void)arg;
    loop_defer(&task);
    loop_defer(&task);
    note('f');
}

Test(loop, runs_a_deferred_task_once_behind_the_fibers_of_its_turn, .init = begin, .fini = end)
{
    list_init(&task.link);
    task.run = run_task;
    fiber_start(defer_twice, NULL);
    fiber_start(defer_twice, NULL);
    loop_turn(0);
    cr_assert_eq(task_runs, 1);
    cr_assert_str_eq(task_order, "fft");
    loop_turn(0);
    cr_assert_eq(task_runs, 1);
}

Test(loop, does_not_sleep_while_a_task_asks_to_run_again, .init = begin, .fini = end)
{
    list_init(&task.link);
    task.run = run_task;
    task_wants = 3;
    loop_defer(&task);
    for (unsigned i = 1; i <= 3; i++) {
        loop_turn(-1); /* would sleep for ever */
        cr_assert_eq(task_runs, i);
    }
    loop_defer(&task);
    list_remove(&task.link);
    loop_turn(0);
    cr_assert_eq(task_runs, 3);
}

/* Only lower bounds of what was waited, and upper ones of what cannot have been: speed does not
   matter. */
Test(loop, knows_how_long_it_has_waited, .init = begin, .fini = end)
{
    loop_turn(20);
    cr_assert_eq(loop_idle_us(), 0, "nobody had asked");
    loop_turn(20);
    uint64_t waited = loop_idle_us();
    cr_assert_geq(waited, 19000);
    for (uint64_t until = clock_us_now() + 20000; clock_us_now() < until;) continue;
    cr_assert_eq(loop_idle_us(), waited, "work is no waiting");
    loop_turn(0);
    cr_assert_geq(loop_idle_us(), waited);
}

/* --- who is interrupted while he waits --- */

enum { DEADLINE_MS = 200 };

static uint64_t began_us;
static bool in_time; /* the interruption came before the deadline */

/* Something comes, and it is late when the process goes on. */
static void interrupt_for_long(int signo)
{
    uint64_t until = began_us + 1000 * (DEADLINE_MS + 50);
    (void)signo;
    in_time = clock_us_now() < began_us + 1000 * DEADLINE_MS;
    poke();
    while (clock_us_now() < until) usleep(1000);
}

static void interrupt_the_wait(void)
{
    uint64_t deadline = DEADLINE_MS;
    struct itimerval soon = {.it_value.tv_usec = 20000};
    clock_update();
    began_us = clock_us_now();
    result = 1;
    in_time = false;
    fiber_start(wait_readable, &deadline);
    setitimer(ITIMER_REAL, &soon, NULL);
    while (result == 1) loop_turn(-1);
    drain();
}

/* Where the machine was so slow that the deadline had passed first, it is no test: once more. */
Test(loop, what_has_come_goes_before_what_is_late, .init = begin, .fini = end)
{
    struct sigaction sa = {.sa_handler = interrupt_for_long};
    cr_assert_eq(sigaction(SIGALRM, &sa, NULL), 0);
    cr_assert_eq(loop_add(&io, pair[0]), 0);
    for (int i = 0; i < 50 && !in_time; i++) interrupt_the_wait();
    cr_assert(in_time);
    cr_assert_eq(result, 0, "%d", result);
}
