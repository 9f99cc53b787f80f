/*
 * userfile: looks a user up in a file of passwords, whose lines are "user:hash" or
 * "user:hash:comment"; "#" begins a comment.
 *
 * Read anew for every look-up, in pieces, so that a change counts at once and the size of the file
 * costs no memory. Blocks for as long as the file system does. Nothing suspends.
 */
#ifndef MODULES_ACL_USERFILE_H
#define MODULES_ACL_USERFILE_H

#include <sys/types.h>

#include "core/base/pool.h"

/* Tells one state of a file from another. */
typedef struct userfile_state {
    uint64_t device, inode, size, changed_ns;
} userfile_state_t;

/* Opens a regular file: a descriptor, or negative errno. */
int userfile_open(const char *path, userfile_state_t *state);

/* *hash (in the pool; p NULL: there is no such user). 0 or negative errno. */
int userfile_find(int fd, pool_t *pool, str_t user, str_t *hash);

#endif
