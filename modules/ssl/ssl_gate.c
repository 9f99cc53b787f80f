#include "modules/ssl/ssl_gate.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/panic.h"
#include "core/io/fiber.h"

enum { SAY_EVERY_MS = 10000 };

typedef struct waiter {
    list_t link; /* unlinked: it has been given a place */
    fiber_t *fiber;
} waiter_t;

static list_t line = {&line, &line};
static unsigned inside;
static uint64_t say_from;

static void say_full(unsigned most)
{
    if (clock_ms() < say_from) return;
    say_from = clock_ms() + SAY_EVERY_MS;
    LOG(&log_main, LOG_WARNING, 0, "%u ssl_handshake_limit reached, new handshakes wait", most);
}

static int wait_in_line(waiter_t *w, uint64_t until)
{
    int err = 0;
    while (!list_empty(&w->link) && err == 0)
        err = clock_ms() < until ? fiber_suspend(until - clock_ms()) : -ETIMEDOUT;
    if (list_empty(&w->link)) return 0;
    list_remove(&w->link);
    return err;
}

int ssl_gate_enter(unsigned most, uint64_t timeout_ms)
{
    if (inside < most && list_empty(&line)) {
        inside++;
        return 0;
    }
    waiter_t w = {.fiber = fiber_self()};
    say_full(most);
    list_push(&line, &w.link);
    return wait_in_line(&w, clock_ms() + timeout_ms);
}

void ssl_gate_leave(void)
{
    list_t *first = list_pop(&line);
    ASSERT(inside > 0);
    if (first) fiber_wake(LIST_OF(first, waiter_t, link)->fiber);
    else inside--;
}
