/*
 * logsys: the "syslog:..." parameter of error_log and access_log.
 *
 *     syslog:server=ADDRESS[,facility=NAME][,severity=LEVEL][,tag=NAME][,nohostname]
 *
 * ADDRESS is address[:port], name[:port] or unix:path; the port is 514 by default. A name is looked
 * up once, while the configuration is read.
 */
#ifndef CORE_PROCESS_LOGSYS_H
#define CORE_PROCESS_LOGSYS_H

#include "core/base/pool.h"
#include "core/io/net.h"

typedef struct logsys {
    net_addr_t server;
    int facility;   /* number, not shifted; default local7 */
    int severity;   /* default info */
    str_t tag;      /* default "proxyd" */
    bool hostname;  /* default true */
} logsys_t;

/* Whether the word is a syslog: parameter at all. */
bool logsys_is(str_t word);

/* NULL when good, else what is wrong, in pool. */
const char *logsys_parse(pool_t *pool, str_t word, logsys_t *out);

/* "HOST TAG: " as it stands behind the time, in pool, NUL-terminated. */
const char *logsys_head(pool_t *pool, const logsys_t *s);

#endif
