/*
 * acme_agent: the process that asks authorities for certificates: when, for which, and what comes
 * of it.
 *
 * One process of a generation (helper.h), as the workers' user; and of several that share a
 * state_path, one that holds its lock. For each issuer there is a fiber, which asks for one
 * certificate after the other.
 */
#ifndef MODULES_SSL_ACME_AGENT_H
#define MODULES_SSL_ACME_AGENT_H

#include "modules/ssl/acme.h"

/* helper_t.start and stop; arg: the acme_all_t. */
int acme_agent_start(void *arg);
void acme_agent_stop(void *arg);

#endif
