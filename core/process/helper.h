/*
 * helper: processes beside the workers, with a loop but without connections, that a configuration
 * asks for (a cache's manager).
 *
 * Declared while a configuration is read. Each is forked with the workers of its generation, runs
 * as their user, is replaced when it dies, and leaves with them. With `master_process off` they run
 * in the one process there is. Nothing suspends.
 */
#ifndef CORE_PROCESS_HELPER_H
#define CORE_PROCESS_HELPER_H

#include "core/base/pool.h"

typedef struct helper {
    struct helper *next;
    const char *name;         /* "cache manager process": title and logs */
    int (*start)(void *arg);  /* starts fibers and timers; not 0: the process cannot start */
    void (*stop)(void *arg);  /* all fibers of it are to end soon, timers are disarmed */
    void *arg;
} helper_t;

typedef struct helper_set {
    pool_t *pool;
    helper_t *first;
} helper_set_t;

void helper_want(helper_set_t *set, const helper_t *helper);

unsigned helper_count(const helper_set_t *set);
const helper_t *helper_at(const helper_set_t *set, unsigned i); /* NULL: there are not so many */

#endif
