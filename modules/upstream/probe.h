/*
 * probe: one question to one server: whether it is well (health.h).
 *
 * A connection of its own, as clients' requests would make it: PROXY protocol and TLS where the
 * location has them, then a GET. Answers within the check's timeout in all.
 */
#ifndef MODULES_UPSTREAM_PROBE_H
#define MODULES_UPSTREAM_PROBE_H

#include "modules/upstream/health.h"

/* In a fiber of its own. 0: the server is well. What lasts too long ends the fiber's waits. Suspends. */
fault_t probe_run(pool_t *pool, const health_t *h, const upstream_peer_t *peer);

#endif
