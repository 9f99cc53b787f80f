#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/loop.h"
#include "core/process/bell.h"
#include "core/process/worker.h"

static unsigned heard;

static void count(bell_ear_t *ear)
{
    (void)ear;
    heard++;
}

/* Turns the loop until something was heard, for ten seconds at most. */
static void listen_for(unsigned n)
{
    for (int i = 0; i < 100 && heard < n; i++) loop_turn(100);
}

Test(bell, wakes_the_loop_of_another_process, .timeout = 30)
{
    static bell_ear_t ear = {.heard = count}, other = {.heard = count};
    cr_assert(bell_make());
    cr_assert_eq(loop_open(), 0);
    cr_assert_eq(bell_listen(&ear), 0);
    loop_turn(0);
    heard = 0;
    for (unsigned rings = 1; rings < 4; rings++) {
        if (fork() == 0) {
            bell_ring(1u << bell_mine());
            _exit(0);
        }
        listen_for(rings);
        cr_assert_eq(heard, rings, "nobody reads the counter, but each ring is heard");
        wait(NULL);
    }
    bell_ring(2);
    loop_turn(20);
    cr_expect_eq(heard, 3, "the bell of somebody else");
    cr_assert_eq(bell_listen(&other), 0);
    bell_ring(UINT32_MAX);
    listen_for(5);
    cr_expect_eq(heard, 5, "both ears");
    bell_deaf();
    bell_ring(UINT32_MAX);
    loop_turn(20);
    cr_expect_eq(heard, 5);
    loop_close();
}

Test(bell, without_bells_the_process_hears_itself)
{
    static bell_ear_t ear = {.heard = count};
    heard = 0;
    cr_assert_eq(bell_listen(&ear), 0);
    bell_ring(0);
    cr_expect_eq(heard, 0);
    bell_ring(1);
    cr_expect_eq(heard, 1);
}
