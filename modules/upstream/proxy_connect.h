/*
 * proxy_connect: a connection for an attempt: one that idles, one to be shared, or a new one.
 */
#ifndef MODULES_UPSTREAM_PROXY_CONNECT_H
#define MODULES_UPSTREAM_PROXY_CONNECT_H

#include "modules/upstream/proxy.h"

/*
 * Begins the exchange (p->client) with the present peer; fresh: not on a connection that others
 * have used. False: *err, a negative errno (p->handshaking tells where). Suspends.
 */
bool proxy_connect(proxy_t *p, bool fresh, int *err);

#endif
