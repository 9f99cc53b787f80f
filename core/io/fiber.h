/*
 * fiber: straight-line code that can wait. Each runs on a small stack of its own.
 *
 * The loop runs ready fibers one at a time until they suspend or end; nothing is preempted. Stacks
 * are FIBER_STACK bytes of lazily touched memory with a guard page, recycled last-in first-out.
 * Whatever waits is woken with a reason; a cancelled fiber's every wait returns the cancellation at
 * once, so that it unwinds by its ordinary error path.
 */
#ifndef CORE_IO_FIBER_H
#define CORE_IO_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fiber fiber_t;

enum { FIBER_STACK = 128 * 1024 };

/*
 * Makes a fiber that will run fn(arg) from the loop's next turn of the ready queue. NULL when no
 * stack can be had (the caller refuses the work).
 */
fiber_t *fiber_start(void (*fn)(void *arg), void *arg);

/* The running fiber, or NULL outside any. */
fiber_t *fiber_self(void);

/*
 * Suspends the running fiber for at most timeout_ms (UINT64_MAX: without limit). 0 when woken,
 * -ETIMEDOUT, or the reason given to fiber_cancel.
 */
int fiber_suspend(uint64_t timeout_ms);

/* Makes a suspended fiber ready (no effect on one that is ready or running). */
void fiber_wake(fiber_t *f);

/*
 * Every present and future wait of f returns err (negative errno, e.g. -ECANCELED) until
 * fiber_uncancel. May be called from anywhere.
 */
void fiber_cancel(fiber_t *f, int err);
void fiber_uncancel(fiber_t *f);
int fiber_cancelled(const fiber_t *f); /* the reason, or 0 */

/* Suspends for ms. 0, or the reason of a cancellation. */
int fiber_sleep(uint64_t ms);

/* Lets the other ready fibers run first. Suspends. */
void fiber_yield(void);

/*
 * Runs what is ready, and what becomes ready meanwhile, up to a bound that lets the loop look at
 * its descriptors again. True when some are still ready. From the loop only.
 */
bool fiber_run_ready(void);

bool fiber_any_ready(void); /* so that the loop must not sleep */

unsigned fiber_count(void); /* fibers that have not ended */

/* Unmaps the stacks kept for reuse (process exit, leak checks). */
void fiber_trim(void);

#endif
