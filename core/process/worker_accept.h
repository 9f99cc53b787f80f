/*
 * worker_accept: the listeners that a worker accepts on, while it has connections and descriptors
 * left. Nothing suspends.
 */
#ifndef CORE_PROCESS_WORKER_ACCEPT_H
#define CORE_PROCESS_WORKER_ACCEPT_H

#include "core/process/generation.h"

typedef enum worker_accept_from {
    WORKER_ACCEPT_NONE,
    WORKER_ACCEPT_RETIRED, /* on those alone that nobody serves after this worker */
    WORKER_ACCEPT_ALL,
} worker_accept_from_t;

/* Those of the generation, of which the worker in this slot has its sockets; on none of them
   yet. */
void worker_accept_open(const generation_t *g, unsigned slot);
void worker_accept_close(void);

void worker_accept_from(worker_accept_from_t from);

/* Once per turn of the loop: goes on when there is room again, or makes some. */
void worker_accept_turn(void);

/* Listener number N of the generation has no worker after this one. */
void worker_accept_retire(unsigned number);
void worker_accept_retire_all(void);
bool worker_accept_any_retired(void);

/* Takes at once what is queued on the retired ones. */
void worker_accept_rest(void);

#endif
