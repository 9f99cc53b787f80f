/*
 * worker: the process that serves: what it offers to the floors above.
 *
 * A worker accepts on its sockets until it is told to stop, then lets what is in flight finish
 * (QUIT: gracefully, at most worker_shutdown_timeout) or ends at once (TERM). Connections are
 * counted so that worker_connections holds. All state here is the process's own, but for the
 * counters, which stand in shared memory with one writer each.
 */
#ifndef CORE_PROCESS_WORKER_H
#define CORE_PROCESS_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/log.h"

typedef struct worker_counters { /* one per worker slot, in shared memory; kept over a reload */
    uint64_t accepted, handled, requests;
    uint64_t active, reading, writing, waiting; /* gauges */
} worker_counters_t;

/* The counters of this worker; a private dummy in processes that are no worker (tests). */
extern worker_counters_t *worker_counters;

/* The sum over all workers, past and present. */
worker_counters_t worker_counters_sum(void);

/*
 * Takes one of worker_connections for a client or origin connection. False when none is left (said in
 * the log at alert, at most once a second). worker_release gives it back.
 */
bool worker_hold(void);
void worker_release(void);

/* True once the worker has been told to stop: no new keep-alive, idle connections close. */
extern bool worker_stopping;

/*
 * Called when the worker begins to stop gracefully (close what idles). `cancel` is called when
 * worker_shutdown_timeout has passed (cancel every request). One registration per floor: http's.
 */
void worker_on_stop(void (*stop)(void), void (*cancel)(void));

unsigned worker_number(void); /* the slot, from 0 */

#endif
