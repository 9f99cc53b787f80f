/*
 * probe: one question to one server: whether it is well (health.h).
 *
 * A connection of its own, as clients' requests would make it: PROXY protocol, TLS and HTTP/2 where
 * the location has them, then a GET, or what gRPC's health protocol has. No wait is longer than the
 * check's timeout; who asks sees to it that all together are not (health.c).
 */
#ifndef MODULES_UPSTREAM_PROBE_H
#define MODULES_UPSTREAM_PROBE_H

#include "modules/upstream/health.h"

/* In a fiber of its own. 0: the server is well. Suspends. */
fault_t probe_run(pool_t *pool, const health_t *h, const upstream_peer_t *peer);

#endif
