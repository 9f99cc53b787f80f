/*
 * worker: the process that serves: what it offers to the floors above.
 *
 * A worker accepts on its sockets until it is told to stop, then lets what is in flight finish
 * (QUIT: gracefully, at most worker_shutdown_timeout) or ends at once (TERM). Connections are
 * counted so that worker_connections holds. All state here is the process's own, but for the
 * counters, which stand in a zone with one writer each.
 */
#ifndef CORE_PROCESS_WORKER_H
#define CORE_PROCESS_WORKER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/log.h"

struct generation;
struct zone;
struct zone_set;

typedef struct worker_counters { /* one per running worker, in shared memory */
    uint64_t accepted, handled, requests;
    uint64_t active, reading, writing, waiting; /* gauges */
    uint64_t worker; /* the process id; 0: of no worker at present */
    uint64_t given;  /* not 0: it has been some worker's */
    uint64_t helper; /* it is a helper: the first is 1; 0: a worker */
} worker_counters_t;

/* The counters of this worker; a private dummy in processes that are no worker (tests). */
extern worker_counters_t *worker_counters;

/* The sum over all workers, past and present. */
worker_counters_t worker_counters_sum(void);

/* When the first of them was started, in milliseconds since 1970. */
uint64_t worker_counters_started(void);

/*
 * For the master: declares the zone they stand in, and takes it into use when it is mapped; gives a
 * worker to be forked its counters (NULL: too many workers), and takes them back when it has gone:
 * what was counted goes on under the next worker, gauges are zero.
 */
struct zone *worker_counters_zone(struct zone_set *set);
void worker_counters_use(const struct zone *zone);
worker_counters_t *worker_counters_take(void);
void worker_counters_give(worker_counters_t *c);

/*
 * Takes one of worker_connections for a client or origin connection (accepted ones: the worker
 * has). False when none is left (said in the log at alert, at most once a second). worker_release
 * gives it back.
 */
bool worker_hold(void);
void worker_release(void);

/* True once the worker has been told to stop: no new keep-alive, idle connections close. */
extern bool worker_stopping;

/*
 * Called when the worker begins to stop gracefully (close what idles). `cancel` is called when
 * worker_shutdown_timeout has passed (cancel every request). A few may register, each once, and
 * are called in that order.
 */
void worker_on_stop(void (*stop)(void), void (*cancel)(void));

/*
 * Called in each turn of the loop in which worker_connections are nearly used up, or descriptors
 * have been: closes some connections that only idle, so that those who are new are not kept waiting
 * by those who are done. How many it has closed.
 */
void worker_on_shortage(unsigned (*reclaim)(void));

/*
 * The same for a fiber that needs a connection or a descriptor: there is room when those that are
 * ready have run. worker_has_room tells whether there are worker_connections left.
 */
unsigned worker_reclaim(void);
bool worker_has_room(void);

unsigned worker_number(void); /* the slot, from 0 */

/*
 * The row of this worker's counters: no other living worker has it, whatever its generation. A
 * process that is no worker has WORKER_NO_ROW, or 0 when there are no rows at all (tests).
 */
enum { WORKER_NO_ROW = -1 };
int worker_row(void);

/* The process that has the row; 0 when it has gone. Without rows everybody is process 1. */
uint64_t worker_row_owner(unsigned row);

unsigned worker_rows(void); /* no row from this one on was ever used */
worker_counters_t worker_row_counters(unsigned row);

/* The configuration that this worker serves with. */
const struct generation *worker_generation(void);

/* --- for the master --- */

enum { WORKER_FATAL = 2 }; /* exit status: could not start, and would not another time */

typedef struct worker_role {
    struct generation *generation;
    unsigned slot; /* of a helper: behind those of the workers */
    const struct helper *helper; /* NULL: a worker */
    worker_counters_t *counters;
    int channel; /* to the master; -1: this process is both (master_process off) */
} worker_role_t;

/*
 * Serves until told to stop; returns the exit status. In the forked process, with the signals of
 * worker_signals blocked. The generation is left to the caller.
 */
int worker_run(const worker_role_t *role);

/* The signals that the master and the workers read from descriptors; blocked in both. */
sigset_t worker_signals(void);

#endif
