#include "modules/upstream/keepalive.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/process/worker.h"

enum { CONNECTIONS = 4 };

static const keepalive_conf_t usual = {.keep = 2, .requests = 100, .time = 60000, .timeout = 60000};
static keepalive_t pool;
static int peers[CONNECTIONS], listener;
static origin_t *origins[CONNECTIONS];
static net_addr_t address;

static void open_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < CONNECTIONS; i++) {
        int err;
        origins[i] = origin_open(&address, NULL, 1000, &err);
        cr_assert(origins[i], "connect: %d", err);
    }
}

static void setup(void)
{
    clock_update();
    cr_assert_eq(loop_open(), 0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(net_parse(STR("127.0.0.1"), 1, &address));
    address.in.sin_port = 0;
    cr_assert_eq(bind(listener, &address.sa, address.len), 0);
    cr_assert_eq(listen(listener, CONNECTIONS), 0);
    cr_assert(net_local(listener, &address));
    fiber_start(open_all, NULL);
    while (fiber_count()) loop_turn(20);
    for (int i = 0; i < CONNECTIONS; i++) peers[i] = accept(listener, NULL, NULL);
}

TestSuite(keepalive, .init = setup);

static origin_t *take(void)
{
    return keepalive_take(&pool, &address, NULL, NULL);
}

/* Whether the peer of the i-th connection sees it closed. */
static bool is_closed(int i)
{
    char byte;
    return recv(peers[i], &byte, 1, MSG_DONTWAIT) == 0;
}

Test(keepalive, gives_the_latest_first)
{
    cr_expect_null(take());
    keepalive_put(&pool, &usual, origins[0]);
    keepalive_put(&pool, &usual, origins[1]);
    cr_expect_eq(pool.count, 2);
    cr_expect_eq(take(), origins[1]);
    cr_expect_eq(take(), origins[0]);
    cr_expect_null(take());
    cr_expect_eq(pool.count, 0);
}

Test(keepalive, closes_the_oldest_beyond_the_limit)
{
    for (int i = 0; i < 3; i++) keepalive_put(&pool, &usual, origins[i]);
    cr_expect_eq(pool.count, 2);
    cr_expect(is_closed(0));
    cr_expect_eq(take(), origins[2]);
}

Test(keepalive, keeps_addresses_apart)
{
    net_addr_t other = address, from = address;
    net_set_port(&other, (uint16_t)(net_port(&address) == 1 ? 2 : net_port(&address) - 1));
    keepalive_put(&pool, &usual, origins[0]);
    cr_expect_null(keepalive_take(&pool, &other, NULL, NULL));
    cr_expect_null(keepalive_take(&pool, &address, &from, NULL), "bound to nothing, not to that");
    origins[1]->from = from;
    keepalive_put(&pool, &usual, origins[1]);
    cr_expect_eq(take(), origins[0]);
    cr_expect_null(take());
    cr_expect_eq(keepalive_take(&pool, &address, &from, NULL), origins[1]);
}

Test(keepalive, forgets_what_the_origin_closes)
{
    keepalive_put(&pool, &usual, origins[0]);
    close(peers[0]);
    while (pool.count) loop_turn(20);
    cr_expect_null(take());
}

Test(keepalive, does_not_keep_what_the_origin_talks_on)
{
    keepalive_put(&pool, &usual, origins[0]);
    cr_assert_eq(send(peers[0], "HTTP/1.1 200 OK\r\n", 17, 0), 17);
    while (pool.count) loop_turn(20);
    cr_assert_eq(send(peers[1], "x", 1, 0), 1);
    while (!(origins[1]->stream.io.ready & LOOP_READ)) loop_turn(20);
    keepalive_put(&pool, &usual, origins[1]);
    cr_expect_eq(pool.count, 0);
}

Test(keepalive, does_not_keep_what_is_worn)
{
    keepalive_conf_t few = usual, old = usual, none = usual;
    few.requests = 3;
    origins[0]->exchanges = 3;
    keepalive_put(&pool, &few, origins[0]);
    old.time = 1;
    origins[1]->opened_ms -= 1;
    keepalive_put(&pool, &old, origins[1]);
    none.keep = 0;
    keepalive_put(&pool, &none, origins[2]);
    cr_expect_eq(pool.count, 0);
    for (int i = 0; i < 3; i++) cr_expect(is_closed(i), "%d", i);
}

Test(keepalive, lets_go_when_time_is_over_and_when_the_worker_stops)
{
    keepalive_conf_t brief = usual;
    brief.timeout = 1;
    keepalive_put(&pool, &brief, origins[0]);
    while (pool.count) loop_turn(20);
    cr_expect(is_closed(0));
    keepalive_put(&pool, &usual, origins[1]);
    origin_close_idle();
    cr_expect_eq(pool.count, 0);
    cr_expect(is_closed(1));
    worker_stopping = true;
    keepalive_put(&pool, &usual, origins[2]);
    cr_expect_eq(pool.count, 0);
}
