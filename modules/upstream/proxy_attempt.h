/*
 * proxy_attempt: one try to have a request answered by one peer: connection, request, head.
 *
 * An idle connection is used if there is one. Origins close those when they like: one that proves
 * closed before a byte of an answer has come is replaced by a fresh one without further ado, unless
 * some of a request that must not be sent twice may have reached the origin (RFC 9112 9.3.1).
 */
#ifndef MODULES_UPSTREAM_PROXY_ATTEMPT_H
#define MODULES_UPSTREAM_PROXY_ATTEMPT_H

#include "modules/upstream/proxy.h"

/* An attempt with p->peer (NULL: there is none) begins: it is noted for $upstream_*. */
void proxy_attempt_begin(proxy_t *p);

/* NEXT when a head is there that goes to the client. Suspends. */
verdict_t proxy_attempt_ask(proxy_t *p);

/*
 * Connection and peer go back; of a failed exchange nothing is kept. v: what the attempt has led
 * to.
 */
void proxy_attempt_end(proxy_t *p, verdict_t v);

#endif
