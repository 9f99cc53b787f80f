/*
 * proxy_upload: the request on its way over HTTP/2: both ways at once.
 *
 * An origin may answer while the request still comes, and wait for more of it before it goes on
 * (gRPC's streams). What of the body does not go at once is sent by a fiber of its own, while the
 * request's reads the response; it never outlives the exchange.
 */
#ifndef MODULES_UPSTREAM_PROXY_UPLOAD_H
#define MODULES_UPSTREAM_PROXY_UPLOAD_H

#include "modules/upstream/proxy_request.h"

/*
 * As proxy_request_send: head and body, or the head and a fiber that sends the body. Should the
 * client's body fail in it, the exchange does, and p->upload_error says why. Suspends.
 */
proxy_sent_t proxy_upload(proxy_t *p, str_t uri, int *err);

/* Ends the fiber, if there is one: before p->client is closed. Lets others run. */
void proxy_upload_end(proxy_t *p);

#endif
