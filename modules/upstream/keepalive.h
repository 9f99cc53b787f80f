/*
 * keepalive: idle connections to the origins of one group, each worker's own.
 *
 * The least recently used goes when there are more than `keep`. A connection is found by the
 * address it leads to, the one it is bound to, and the TLS it speaks. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_KEEPALIVE_H
#define MODULES_UPSTREAM_KEEPALIVE_H

#include "core/config/module.h"
#include "core/io/tls.h"
#include "http/origin.h"
#include "modules/upstream/sharing.h"

typedef struct keepalive_conf {
    unsigned keep;     /* idle connections at most; 0: none are kept */
    unsigned requests; /* exchanges on one connection */
    msec_t time;       /* the age from which it is closed after an exchange */
    msec_t timeout;    /* how long it may be idle */
} keepalive_conf_t;

enum { KEEPALIVE_BUCKETS = 256 };

typedef struct keepalive { /* zero: empty */
    unsigned count;
    list_t recent; /* the most recently used first */
    list_t buckets[KEEPALIVE_BUCKETS];
    sharing_t sharing; /* of HTTP/2: never idle for one request alone */
} keepalive_t;

/* NULL when there is none. The caller holds it then. tls NULL: a plain connection. */
origin_t *keepalive_take(keepalive_t *k, const net_addr_t *to, const net_addr_t *from,
                         const tls_client_t *tls);

/* Keeps the connection for later, or closes it: too old, not quiet, or the worker stops. */
void keepalive_put(keepalive_t *k, const keepalive_conf_t *conf, origin_t *o);

#endif
