#include "modules/upstream/sharing.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { WAITERS = 5 };

static sharing_t sharing;
static net_addr_t address, other, from;
static int listener;
static const mux_limits_t limits = {.requests = 100, .time = 60000, .idle = 60000};

static net_addr_t listening(void)
{
    net_addr_t addr;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(net_parse(STR("127.0.0.1"), 1, &addr));
    addr.in.sin_port = 0;
    cr_assert_eq(bind(listener, &addr.sa, addr.len), 0);
    cr_assert_eq(listen(listener, 16), 0);
    cr_assert(net_local(listener, &addr));
    return addr;
}

static void setup(void)
{
    clock_update();
    cr_assert_eq(loop_open(), 0);
    address = listening();
    cr_assert(net_parse(STR("127.0.0.2:1"), 1, &other));
}

TestSuite(sharing, .init = setup);

static const sharing_key_t key = {&address, &from, NULL};

/* --- fibers that want a connection --- */

static sharing_place_t *place;
static int results[WAITERS];
static unsigned done;

static void wait_for_place(void *arg)
{
    results[(intptr_t)arg] = sharing_await(place, 200);
    done++;
}

static void start_waiters(void)
{
    for (intptr_t i = 0; i < WAITERS; i++) fiber_start(wait_for_place, (void *)i);
    loop_turn(0);
}

static void make(void *arg)
{
    int err;
    origin_t *o = origin_open(&address, NULL, 1000, &err);
    cr_assert(o, "connect: %d", err);
    *(mux_t **)arg = sharing_made(place, o, &limits, 4);
}

static mux_t *made(void)
{
    mux_t *m = NULL;
    fiber_start(make, &m);
    while (!m) loop_turn(20);
    return m;
}

/* The origin says how many streams it allows. */
static int settle(unsigned streams)
{
    char settings[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, (char)streams};
    int fd = accept(listener, NULL, NULL);
    cr_assert_eq(write(fd, settings, sizeof(settings)), (ssize_t)sizeof(settings));
    return fd;
}

/* --- tests --- */

Test(sharing, there_is_none_at_first)
{
    cr_assert_null(sharing_find(&sharing, &key));
    cr_assert_null(sharing_pending(&sharing, &key));
}

Test(sharing, who_finds_one_being_made_waits_for_it)
{
    place = sharing_begin(&sharing, &key);
    cr_assert_eq(sharing_pending(&sharing, &key), place);
    start_waiters();
    mux_t *m = made();
    for (int i = 0; i < 5; i++) loop_turn(5);
    cr_assert_eq(done, 0, "the origin has not said what it allows");
    settle(100);
    while (done < WAITERS) loop_turn(20);
    for (int i = 0; i < WAITERS; i++) cr_assert_eq(results[i], 0);
    cr_assert_eq(sharing_find(&sharing, &key), m);
    cr_assert_null(sharing_pending(&sharing, &key));
}

Test(sharing, a_failure_is_told_to_all_and_leaves_nothing)
{
    place = sharing_begin(&sharing, &key);
    start_waiters();
    sharing_failed(place, -ECONNREFUSED);
    while (done < WAITERS) loop_turn(20);
    for (int i = 0; i < WAITERS; i++) cr_assert_eq(results[i], -ECONNREFUSED);
    cr_assert_null(sharing_pending(&sharing, &key));
}

Test(sharing, a_wait_ends_by_itself)
{
    place = sharing_begin(&sharing, &key);
    start_waiters();
    while (done < WAITERS) loop_turn(300);
    for (int i = 0; i < WAITERS; i++) cr_assert_eq(results[i], -ETIMEDOUT);
    sharing_failed(place, 0);
}

/* As many as the last connection was allowed, less the one who makes it. */
Test(sharing, no_more_wait_than_will_have_room)
{
    place = sharing_begin(&sharing, &key);
    made();
    int fd = settle(3);
    while (!sharing.allowed) loop_turn(20);
    close(fd);
    while (sharing_find(&sharing, &key)) loop_turn(20);
    place = sharing_begin(&sharing, &key);
    for (intptr_t i = 0; i < 2; i++) {
        cr_assert_eq(sharing_pending(&sharing, &key), place, "%d", (int)i);
        fiber_start(wait_for_place, (void *)i);
        loop_turn(0);
    }
    cr_assert_null(sharing_pending(&sharing, &key));
    sharing_failed(place, 0);
    loop_turn(0);
}

Test(sharing, a_key_is_address_and_source)
{
    const sharing_key_t elsewhere = {&other, &from, NULL}, bound = {&address, &other, NULL};
    place = sharing_begin(&sharing, &key);
    cr_assert_null(sharing_pending(&sharing, &elsewhere));
    cr_assert_null(sharing_pending(&sharing, &bound));
    sharing_failed(place, 0);
}

Test(sharing, a_connection_that_is_lost_is_found_no_more)
{
    place = sharing_begin(&sharing, &key);
    made();
    int fd = settle(100);
    while (!sharing_find(&sharing, &key) || !sharing.allowed) loop_turn(20);
    close(fd);
    while (sharing_find(&sharing, &key)) loop_turn(20);
    cr_assert(list_empty(&sharing.places));
}
