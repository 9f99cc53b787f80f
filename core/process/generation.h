/*
 * generation: one loaded configuration and everything it needs open: prepare, commit, abandon.
 *
 * Prepare reads the files, opens logs, binds sockets and maps zones; whatever fails is said with
 * place and reason, everything it opened is closed again, and the generation before goes on as it
 * was. Everything of a generation lives in its pool. Nothing suspends.
 */
#ifndef CORE_PROCESS_GENERATION_H
#define CORE_PROCESS_GENERATION_H

#include "core/config/conf.h"
#include "core/process/listen.h"
#include "core/process/logfile.h"
#include "core/shared/zone.h"

typedef struct generation {
    pool_t *pool;
    unsigned number;           /* from 1 */
    const conf_scope_t *main;  /* the outermost scope: structs of all modules */
    diag_t *diag;
    listen_set_t listens;
    logfile_set_t logfiles;
    zone_set_t zones;
    log_t log;                 /* error_log of the main block */
} generation_t;

/* The generation a configuration is being read for (cf->generation). */
static inline generation_t *generation_of(const conf_t *cf)
{
    return cf->generation;
}

#endif
