/*
 * proxy_failure: what went wrong with an attempt: said in nginx's words, and the verdict.
 *
 * Each notes in p->failure which condition of proxy_next_upstream it is. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PROXY_FAILURE_H
#define MODULES_UPSTREAM_PROXY_FAILURE_H

#include "modules/upstream/proxy.h"

/* Whether the fiber was cancelled: the client left, or the worker must stop. */
bool proxy_failure_cancelled(void);

verdict_t proxy_failure_client(proxy_t *p);

/* A PROXY_ bit, and the status for the client. */
verdict_t proxy_failure(proxy_t *p, unsigned failure, int status);

/* There was no peer to ask (err as of waiting_pick), or no connection to it. */
verdict_t proxy_failure_no_peer(proxy_t *p, int err);
verdict_t proxy_failure_connect(proxy_t *p, int err);

/* The exchange ended with err (client.h) while the request was sent, or the head was awaited. */
verdict_t proxy_failure_exchange(proxy_t *p, int err, bool sending);

#endif
