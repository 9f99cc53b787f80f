/*
 * core_conf: the core's own directives: processes, user, logs, limits, events.
 */
#ifndef CORE_PROCESS_CORE_CONF_H
#define CORE_PROCESS_CORE_CONF_H

#include "core/base/log.h"
#include "core/config/conf.h"

typedef struct core_conf {
    bool daemon, master_process;
    unsigned worker_processes;     /* auto is resolved to the CPUs this process may use */
    unsigned worker_connections;
    size_t worker_rlimit_nofile;   /* 0: as inherited */
    msec_t worker_shutdown_timeout; /* 0: none */
    str_t pid;
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
