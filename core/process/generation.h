/*
 * generation: one loaded configuration and everything it needs open: prepare, commit, abandon.
 *
 * Load reads the files; prepare opens logs, maps zones and binds sockets. Whatever fails is said
 * with place and reason, everything it opened is closed again, and the generation before goes on
 * as it was. Everything of a generation lives in its pool. Nothing suspends.
 */
#ifndef CORE_PROCESS_GENERATION_H
#define CORE_PROCESS_GENERATION_H

#include "core/config/conf.h"
#include "core/process/core_conf.h"
#include "core/process/helper.h"
#include "core/process/listen.h"
#include "core/process/logfile.h"
#include "core/process/tempdir.h"
#include "core/shared/zone.h"

/* What every generation is loaded from: the command line. Lives as long as the process. */
typedef struct generation_source {
    const module_t *const *modules;
    str_t prefix;     /* -p: absolute, with a trailing slash */
    str_t conf_path;  /* -c: absolute */
    str_t directives; /* -g */
    str_t error_log;  /* -e: of configurations without error_log; a path or "stderr" */
} generation_source_t;

typedef struct generation {
    pool_t *pool;
    const generation_source_t *source;
    unsigned number;           /* from 1 */
    tree_node_t *tree;
    const conf_scope_t *main;  /* the outermost scope: structs of all modules */
    const core_conf_t *core;
    diag_t *diag;
    listen_set_t listens;
    logfile_set_t logfiles;
    zone_set_t zones;
    zone_t *counters;          /* the zone of the workers' counters */
    tempdir_set_t tempdirs;
    helper_set_t helpers;
    log_t log;                 /* error_log of the main block */
    bool errands;              /* modules have something to do in the master (module_t.errand) */
    bool prepared;
} generation_t;

/* The generation a configuration is being read for (cf->generation). */
static inline generation_t *generation_of(const conf_t *cf)
{
    return cf->generation;
}

/* Reads the configuration; opens nothing. Errors are in the diag (then nothing else may be
   used). */
generation_t *generation_load(const generation_source_t *source);

/*
 * Whether what it needs could be opened, as far as that can be told without opening: -t. What is
 * wrong is added to the diag.
 */
bool generation_check(generation_t *g);

/*
 * Opens what it needs, taking over from `before` (NULL: the first). False has been said: in the
 * log of `before`, or in the new one and on standard error when it is the first.
 */
bool generation_prepare(generation_t *g, const generation_t *before);

/* Frees a generation that never served; `before` (may be NULL) goes on. */
void generation_abandon(generation_t *g, const generation_t *before);

/* Frees a generation that has served, but for what `now` (may be NULL) has taken over. */
void generation_free(generation_t *g, const generation_t *now);

/* In the worker in slot of `own`: closes the descriptors of g that are not its own. */
void generation_close_foreign(generation_t *g, const generation_t *own, unsigned slot);

#endif
