/*
 * proxy_announce: tells an origin in the PROXY protocol whose connection it gets (proxy_protocol).
 *
 * Such a connection is for one client: it is not kept.
 */
#ifndef MODULES_UPSTREAM_PROXY_ANNOUNCE_H
#define MODULES_UPSTREAM_PROXY_ANNOUNCE_H

#include "modules/upstream/proxy.h"

/*
 * Sends the header on a new connection, before anything else, when the location asks for it. The
 * connection, or NULL and *err: it was closed. Suspends.
 */
origin_t *proxy_announce(const proxy_t *p, origin_t *o, int *err);

#endif
