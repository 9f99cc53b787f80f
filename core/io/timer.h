/*
 * timer: deadlines of the process, on a hierarchical wheel with millisecond ticks.
 *
 * Arming and disarming are O(1) and no syscall. A timer is embedded in what it belongs to; it must
 * be disarmed before that goes. Nothing suspends; callbacks run from the loop, outside any fiber,
 * and may arm and disarm any timer.
 */
#ifndef CORE_IO_TIMER_H
#define CORE_IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"

struct timer { /* not timer_t: POSIX has that name */
    list_t link;
    uint64_t at; /* clock_ms() when it fires; 0: not armed */
    void (*fire)(struct timer *t);
};

static inline bool timer_armed(const struct timer *t)
{
    return t->at != 0;
}

/* (Re)arms t to fire `after` milliseconds from clock_ms(). t->fire must be set; t zeroed at
   first. */
void timer_arm(struct timer *t, uint64_t after);

void timer_disarm(struct timer *t); /* not armed: nothing happens */

/* Milliseconds until the next timer may fire (at most the true distance), or -1 when none is
   armed. */
int timer_next(void);

/* Fires everything due at clock_ms(). */
void timer_run(void);

#endif
