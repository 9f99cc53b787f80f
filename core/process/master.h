/*
 * master: the process that stays privileged: it opens, forks, reaps and obeys signals, and never
 * touches a byte from the network.
 *
 *     TERM INT  stop at once          HUP    read the configuration again
 *     QUIT      stop gracefully       USR1   reopen the logs
 *     WINCH     workers stop gracefully (in the background only)
 */
#ifndef CORE_PROCESS_MASTER_H
#define CORE_PROCESS_MASTER_H

#include "core/process/generation.h"

/* Serves with the first generation (loaded, not prepared) until told to stop. The exit status. */
int master_run(generation_t *first);

#endif
