/* pidfile: the file that says who the master is, and finding the master by it. Nothing suspends. */
#ifndef CORE_PROCESS_PIDFILE_H
#define CORE_PROCESS_PIDFILE_H

#include <sys/types.h>

#include "core/base/pool.h"

/* Writes this process's id, all at once. 0 or negative errno. */
int pidfile_write(pool_t *pool, const char *path);

/* Unless it has become another server's. */
void pidfile_remove(const char *path);

/* The id in the file; -EINVAL when it holds none, or another negative errno. */
pid_t pidfile_read(const char *path);

/* Whether the process is a proxyd: an id that was left over may belong to anybody by now. */
bool pidfile_is_proxyd(pid_t pid);

#endif
