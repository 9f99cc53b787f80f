/* ctl_client: `proxyd ctl`: asks the running server and prints what it says. Blocks. */
#ifndef CORE_PROCESS_CTL_CLIENT_H
#define CORE_PROCESS_CTL_CLIENT_H

#include "core/process/ctl.h"
#include "core/process/ctl_conf.h"

/*
 * Sends the words (n, at least one) to the socket. The answer goes to standard output, a refusal
 * and what else is wrong to standard error. One of ctl_status: the exit code.
 */
int ctl_client_ask(pool_t *pool, const ctl_conf_t *conf, const char *const *words, int n);

/* Lists the commands of all modules on standard output. Returns CTL_DONE. */
int ctl_client_help(const module_t *const *list);

#endif
