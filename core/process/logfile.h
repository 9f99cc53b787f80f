/*
 * logfile: where logs go that is reopened on USR1: files that are appended to, and syslog sockets.
 *
 * Declared while a configuration is read, opened by the master (privileged), inherited by the
 * workers. On USR1 the master reopens every one and hands the new descriptors to the workers,
 * which put them under the old numbers (dup2), so a logfile's fd never changes while a generation
 * lives.
 */
#ifndef CORE_PROCESS_LOGFILE_H
#define CORE_PROCESS_LOGFILE_H

#include "core/base/vec.h"
#include "core/io/net.h"

typedef struct logfile {
    struct logfile *next;
    char *path;              /* absolute; NULL: a datagram socket connected to peer */
    const net_addr_t *peer;
    int fd;                  /* -1 until the generation is prepared */
    VEC(int *) followers;
} logfile_t;

typedef struct logfile_set {
    pool_t *pool;
    logfile_t *first;
} logfile_set_t;

/* The logfile for the path (absolute) in the set, made when there is none yet. */
logfile_t *logfile_want(logfile_set_t *set, str_t path);

/* The same for a syslog server. */
logfile_t *logfile_want_socket(logfile_set_t *set, const net_addr_t *peer);

/* *fd is set to the logfile's descriptor when it is opened (a log_target_t's fd). */
void logfile_follow(logfile_set_t *set, logfile_t *l, int *fd);

/*
 * Opens l anew: a descriptor, or negative errno. Files are made with mode 0644. A syslog server
 * that does not answer is no error (its lines are lost until the next reopening).
 */
int logfile_open(const logfile_t *l);

/* Opens all: NULL. Or the one that failed, with errno; none is open then. */
const logfile_t *logfile_set_open(logfile_set_t *set);

/* NULL when all files could be opened, else the first that could not, with errno. Makes nothing. */
const logfile_t *logfile_set_check(const logfile_set_t *set);

void logfile_set_close(logfile_set_t *set);

#endif
