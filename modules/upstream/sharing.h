/*
 * sharing: HTTP/2 connections to the origins of one group, each worker's own, shared by requests.
 *
 * A connection is found by the address it leads to, the one it is bound to, and the TLS it speaks.
 * Whoever finds none with room makes one; others wait for it as long as it may be expected to have
 * room for them, rather than make one each. Connections that idle beyond keepalive's number close.
 */
#ifndef MODULES_UPSTREAM_SHARING_H
#define MODULES_UPSTREAM_SHARING_H

#include "core/io/tls.h"
#include "http/mux.h"

typedef struct sharing { /* zero: empty */
    list_t places;
    unsigned allowed;    /* streams that an origin allowed last; 0: not known */
} sharing_t;

/* Whom a connection leads to. tls NULL: plain. */
typedef struct sharing_key {
    const net_addr_t *to, *from;
    const tls_client_t *tls;
} sharing_key_t;

typedef struct sharing_place sharing_place_t; /* of a connection that is, or will be */

/* A connection with room, or NULL. */
mux_t *sharing_find(const sharing_t *s, const sharing_key_t *key);

/* One that is being made and worth waiting for, or NULL. */
sharing_place_t *sharing_pending(const sharing_t *s, const sharing_key_t *key);

/*
 * Waits for it. 0: look again; else why it could not be made, -ETIMEDOUT, or a cancellation's
 * reason. Suspends.
 */
int sharing_await(sharing_place_t *place, uint64_t timeout_ms);

/* The caller makes one: it ends with sharing_made or sharing_failed. */
sharing_place_t *sharing_begin(sharing_t *s, const sharing_key_t *key);

/* keep: how many may be idle at a time. NULL: no fiber could be had, and the place is gone. */
mux_t *sharing_made(sharing_place_t *place, origin_t *o, const mux_limits_t *limits, unsigned keep);

/* err 0: whoever waits may try it himself. */
void sharing_failed(sharing_place_t *place, int err);

#endif
