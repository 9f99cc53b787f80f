/*
 * priv: rights: who a worker runs as and what the kernel lets it do. The only file that touches
 * user ids, capabilities and seccomp. Nothing suspends.
 */
#ifndef CORE_PROCESS_PRIV_H
#define CORE_PROCESS_PRIV_H

#include <sys/types.h>

#include "core/base/log.h"

typedef struct priv_user {
    const char *name; /* NULL: stay who we are */
    uid_t uid;
    gid_t gid;
} priv_user_t;

/* Whether this process may change its user. */
bool priv_is_root(void);

/* Looks user and group up (group NULL: the one named as the user). False: *why is the text that
   failed. */
bool priv_find_user(const char *user, const char *group, priv_user_t *out, const char **why);

/* Makes path belong to the user (a unix socket, a temporary directory). 0 or negative errno. */
int priv_give(const char *path, const priv_user_t *user);

/*
 * Becomes the user for good: groups, ids, no capabilities (bounding set included), no_new_privs.
 * False has been said in the log. What needs rights must be open before.
 */
bool priv_drop(const priv_user_t *user, bool core_dumps, const log_t *log);

/*
 * From here on only the system calls that serving needs; others fail with EPERM. False has been
 * said in the log. Not possible under AddressSanitizer and Valgrind, where nothing happens (true).
 */
bool priv_confine(const log_t *log);

#endif
