/*
 * proxy_response: what the origin answers on its way to the client.
 */
#ifndef MODULES_UPSTREAM_PROXY_RESPONSE_H
#define MODULES_UPSTREAM_PROXY_RESPONSE_H

#include "modules/upstream/proxy.h"

/* Passes an interim response on (client_t.interim; arg is the proxy_t). */
int proxy_response_interim(void *arg, const parse_response_t *head);

/*
 * The final head has come, and its status is not one to try another origin for: replies with it and
 * the body, follows X-Accel-Redirect, or starts a tunnel. Suspends.
 */
verdict_t proxy_response_pass(proxy_t *p);

/* Head hook: gives a reply after X-Accel-Redirect what the origin said of it. */
int proxy_response_carry(request_t *r);

/* The exchange is over: keeps its connection, or closes it. */
void proxy_response_release(proxy_t *p);

#endif
