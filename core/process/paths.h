/* paths: small questions about files that the master asks. Nothing suspends. */
#ifndef CORE_PROCESS_PATHS_H
#define CORE_PROCESS_PATHS_H

#include "core/base/pool.h"

/* Whether the file could be opened for writing or, when it is not there, made. False with errno. */
bool paths_writable(const char *path);

/* path made absolute against the directory base; "" stays "". */
str_t paths_join(pool_t *pool, str_t base, str_t path);

/* The directory of path, with a trailing slash. */
str_t paths_directory(pool_t *pool, str_t path);

/* Writes text to path by way of a new file beside it, so that readers see all or nothing. */
int paths_replace(pool_t *pool, const char *path, str_t text);

#endif
