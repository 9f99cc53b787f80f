/*
 * tempdir: directories for temporary files that workers write: made by the master, given to their
 * user.
 *
 * Declared while a configuration is read, made when the generation is prepared (the last component
 * of the path only, mode 0700). They are never removed. Nothing suspends.
 */
#ifndef CORE_PROCESS_TEMPDIR_H
#define CORE_PROCESS_TEMPDIR_H

#include "core/base/pool.h"
#include "core/process/priv.h"

typedef struct tempdir {
    struct tempdir *next;
    char *path; /* absolute */
} tempdir_t;

typedef struct tempdir_set {
    pool_t *pool;
    tempdir_t *first;
} tempdir_set_t;

/* Declares the directory; once is enough. */
void tempdir_want(tempdir_set_t *set, str_t path);

/* Makes those that are not there, and gives all to the user. NULL; or the one that failed, with
   errno. */
const tempdir_t *tempdir_set_make(const tempdir_set_t *set, const priv_user_t *user);

#endif
