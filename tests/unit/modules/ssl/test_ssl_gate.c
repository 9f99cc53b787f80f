#include "modules/ssl/ssl_gate.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "core/io/timer.h"

enum { MOST = 2, PATIENCE = 5000, START = 1000 };

typedef struct client {
    fiber_t *fiber;
    int result;   /* of entering; 1: waits */
    bool left;
} client_t;

static void visit(void *arg)
{
    client_t *c = arg;
    ssl_gate_place_t place;
    c->fiber = fiber_self();
    c->result = ssl_gate_enter(&place, MOST, PATIENCE);
    if (c->result < 0) return;
    fiber_suspend(UINT64_MAX); /* what it does inside */
    ssl_gate_leave(&place);
    c->left = true;
}

static void run_all(void)
{
    while (fiber_run_ready()) continue;
}

static void at(uint64_t ms)
{
    clock_set(START + ms, 1);
    timer_run();
    run_all();
}

static void come(client_t *c)
{
    *c = (client_t){.result = 1};
    fiber_start(visit, c);
    run_all();
}

static void go(client_t *c)
{
    fiber_wake(c->fiber);
    run_all();
}

Test(ssl_gate, who_leaves_gives_the_place_to_the_first_in_line)
{
    client_t c[5];
    at(0);
    for (unsigned i = 0; i < 5; i++) come(&c[i]);
    for (unsigned i = 0; i < 5; i++) cr_expect_eq(c[i].result, i >= MOST);
    go(&c[1]);
    cr_expect_eq(c[2].result, 0);
    cr_expect_eq(c[3].result, 1);
    go(&c[0]);
    cr_expect_eq(c[3].result, 0);
    cr_expect_eq(c[4].result, 1);
    go(&c[3]);
    cr_expect_eq(c[4].result, 0);
    for (unsigned i = 2; i < 5; i += 2) go(&c[i]);
    cr_expect_eq(fiber_count(), 0);
}

Test(ssl_gate, who_takes_long_gives_way)
{
    client_t c[5];
    at(0);
    come(&c[0]);
    at(10);
    for (unsigned i = 1; i < 5; i++) come(&c[i]);
    at(SSL_GATE_SLOW_MS - 1);
    cr_expect_eq(c[2].result, 1);
    at(SSL_GATE_SLOW_MS);
    cr_expect_eq(c[2].result, 0);
    cr_expect_eq(c[3].result, 1);
    at(SSL_GATE_SLOW_MS + 10);
    cr_expect_eq(c[3].result, 0);
    cr_expect_eq(c[4].result, 1);
    cr_expect(!c[0].left && !c[1].left);
    go(&c[0]); /* it has no place to give any more */
    cr_expect(c[0].left);
    cr_expect_eq(c[4].result, 1);
    go(&c[2]);
    cr_expect_eq(c[4].result, 0);
    for (unsigned i = 1; i < 5; i++) if (!c[i].left) go(&c[i]);
    cr_expect_eq(fiber_count(), 0);
    come(&c[0]);
    cr_expect_eq(c[0].result, 0);
}

/* Who comes when the others have been inside for long need not wait at all. */
Test(ssl_gate, the_late_one)
{
    client_t c[3];
    at(0);
    come(&c[0]);
    come(&c[1]);
    at(SSL_GATE_SLOW_MS);
    come(&c[2]);
    cr_expect_eq(c[2].result, 0);
}

Test(ssl_gate, patience_ends)
{
    client_t c[4];
    at(0);
    for (unsigned i = 0; i < 4; i++) come(&c[i]);
    fiber_cancel(c[2].fiber, -ECANCELED);
    run_all();
    cr_expect_eq(c[2].result, -ECANCELED);
    go(&c[0]);
    cr_expect_eq(c[3].result, 0);
}
