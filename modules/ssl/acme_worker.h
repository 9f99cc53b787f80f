/*
 * acme_worker: what a worker does for certificates that are asked for: it shows those that lie in
 * the state_path, from its start on, and new ones when the board has them. Nothing suspends.
 */
#ifndef MODULES_SSL_ACME_WORKER_H
#define MODULES_SSL_ACME_WORKER_H

#include "modules/ssl/acme.h"

/* 0, or what keeps the process from starting. Does nothing when it has been started already. */
int acme_worker_start(const acme_all_t *all);
void acme_worker_stop(void);

#endif
