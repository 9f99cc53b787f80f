/*
 * proxy_request: the request as the origin gets it: a head that we write, and the body.
 */
#ifndef MODULES_UPSTREAM_PROXY_REQUEST_H
#define MODULES_UPSTREAM_PROXY_REQUEST_H

#include "modules/upstream/proxy.h"

/*
 * Before the first attempt: decides what body the origin gets, and gathers the client's when it is
 * to be buffered. NEXT, or a refusal. Suspends.
 */
verdict_t proxy_request_prepare(proxy_t *p);

/* Sets p->trailers to those of the client's that go on; after the end of its body. */
void proxy_request_take_trailers(proxy_t *p);

/*
 * What the client wants to change the protocol to, where proxy_set_header Upgrade lets it and
 * nothing keeps it from that; empty: nothing. There is such a proxy_set_header.
 */
str_t proxy_request_protocol(const proxy_t *p);

/* Whether the origin is asked for that. */
bool proxy_request_may_tunnel(const proxy_t *p);

/* The head for the present origin; the caller returns the buffer. uri: proxy_target_uri. */
buf_t *proxy_request_head(proxy_t *p, str_t uri);

typedef enum proxy_sent {
    PROXY_SENT,       /* all of it */
    PROXY_SENT_PART,  /* the origin has answered before the end */
    PROXY_SENT_ERROR, /* the origin failed: *err */
    PROXY_SENT_CLIENT /* the client's body failed: *err is one of body.h */
} proxy_sent_t;

/* Sends head and body. Suspends. */
proxy_sent_t proxy_request_send(proxy_t *p, str_t uri, int *err);

#endif
