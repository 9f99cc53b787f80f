/* worker_start: what a forked process does to itself before it serves. For worker.c only. */
#ifndef CORE_PROCESS_WORKER_START_H
#define CORE_PROCESS_WORKER_START_H

#include "core/process/core_conf.h"

/* The environment that `env` leaves. The texts live in the pool. */
void worker_start_environment(pool_t *pool, const core_conf_t *c);

/* CPUs, priority, limits, directory, then the user: rights are gone after this. False has been
   said. */
bool worker_start_identity(const core_conf_t *c, unsigned slot, const log_t *log);

#endif
