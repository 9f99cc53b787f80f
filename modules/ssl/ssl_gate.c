#include "modules/ssl/ssl_gate.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/panic.h"
#include "core/io/fiber.h"
#include "core/io/timer.h"

enum { SAY_EVERY_MS = 10000 };

typedef struct waiter {
    list_t link; /* unlinked: it has been given a place */
    fiber_t *fiber;
    ssl_gate_place_t *place;
} waiter_t;

static list_t line = {&line, &line}, insiders = {&insiders, &insiders};
static unsigned inside;
static uint64_t say_from;

static void say_full(unsigned most)
{
    if (clock_ms() < say_from) return;
    say_from = clock_ms() + SAY_EVERY_MS;
    LOG(&log_main, LOG_WARNING, 0, "%u ssl_handshake_limit reached, new handshakes wait", most);
}

static void come_in(ssl_gate_place_t *place)
{
    place->since = clock_ms();
    list_push(&insiders, &place->link);
    inside++;
}

static void go_out(ssl_gate_place_t *place)
{
    list_remove(&place->link);
    inside--;
    list_t *first = list_pop(&line);
    if (!first) return;
    waiter_t *w = LIST_OF(first, waiter_t, link);
    come_in(w->place);
    fiber_wake(w->fiber);
}

/* While somebody waits, whoever has been inside for long gives way. */
static void give_way(struct timer *timer)
{
    while (!list_empty(&line)) {
        ASSERT(inside > 0);
        ssl_gate_place_t *oldest = LIST_OF(insiders.next, ssl_gate_place_t, link);
        uint64_t at = oldest->since + SSL_GATE_SLOW_MS;
        if (at > clock_ms()) return timer_arm(timer, at - clock_ms());
        go_out(oldest);
    }
}

static int wait_in_line(waiter_t *w, uint64_t until)
{
    static struct timer timer = {.fire = give_way};
    int err = 0;
    if (!timer_armed(&timer)) give_way(&timer);
    while (!list_empty(&w->link) && err == 0)
        err = clock_ms() < until ? fiber_suspend(until - clock_ms()) : -ETIMEDOUT;
    if (list_empty(&w->link)) return 0;
    list_remove(&w->link);
    return err;
}

int ssl_gate_enter(ssl_gate_place_t *place, unsigned most, uint64_t timeout_ms)
{
    if (inside < most && list_empty(&line)) {
        come_in(place);
        return 0;
    }
    waiter_t w = {.fiber = fiber_self(), .place = place};
    say_full(most);
    list_push(&line, &w.link);
    return wait_in_line(&w, clock_ms() + timeout_ms);
}

void ssl_gate_leave(ssl_gate_place_t *place)
{
    if (!list_empty(&place->link)) go_out(place);
}
