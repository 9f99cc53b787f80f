/*
 * logfile: files that are appended to and reopened on USR1: access logs and error logs.
 *
 * Declared while a configuration is read, opened by the master (privileged), inherited by the workers.
 * On USR1 the master reopens every file by its path and hands the new descriptors to the workers, which
 * put them under the old numbers (dup2), so a logfile's fd never changes while a generation lives.
 */
#ifndef CORE_PROCESS_LOGFILE_H
#define CORE_PROCESS_LOGFILE_H

#include "core/base/pool.h"

typedef struct logfile {
    struct logfile *next;
    char *path; /* absolute */
    int fd;     /* -1 until the generation is prepared */
} logfile_t;

typedef struct logfile_set {
    pool_t *pool;
    logfile_t *first;
} logfile_set_t;

/* The logfile for the path (absolute) in the set, made when there is none yet. */
logfile_t *logfile_want(logfile_set_t *set, str_t path);

#endif
