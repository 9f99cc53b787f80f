/*
 * core_conf: the core's own directives: processes, user, logs, limits, events.
 */
#ifndef CORE_PROCESS_CORE_CONF_H
#define CORE_PROCESS_CORE_CONF_H

#include "core/base/log.h"
#include "core/config/conf.h"
#include "core/process/affinity.h"
#include "core/process/ctl_conf.h"
#include "core/process/priv.h"

enum { CORE_WORKERS_MAX = 1024 };

typedef struct core_conf {
    bool daemon, master_process;
    unsigned worker_processes;     /* auto is resolved to the CPUs this process may use */
    unsigned worker_connections;
    unsigned worker_rlimit_nofile; /* 0: as inherited */
    size_t worker_rlimit_core;     /* bytes; 0: as inherited */
    msec_t worker_shutdown_timeout; /* 0: none */
    bool worker_seccomp;
    affinity_t affinity;
    int priority;                  /* of the workers, as nice(1) */
    priv_user_t user;              /* of the workers; name NULL: stay who we are */
    str_t pid, working_directory;  /* absolute; working_directory "": stay */
    ctl_conf_t control;
    conf_strs_t env;               /* NAME or NAME=VALUE */
    log_t log;                     /* of error_log */
} core_conf_t;

extern const module_t core_module;

/*
 * The error_log directive, for rows of the floors above with a field of type log_t: resolves the
 * file, stderr or syslog:... and the level, and adds it to the targets (CONF_MANY).
 */
bool core_conf_set_error_log(conf_t *cf, const conf_row_t *row, void *module_struct,
                             const tree_node_t *node);

#endif
