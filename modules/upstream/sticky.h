/*
 * sticky: clients that keep their server: to which one a request belongs, and what makes the next
 * request follow it.
 *
 *     cookie   a cookie of ours: HMAC-SHA-256 over the group's and the server's name. Who does not
 *              know the secret can neither tell which server it means nor make one up.
 *     route    the first value of some variables that is not empty is a server's route=
 *     learn    an origin's session id leads to the server that gave it: sticky_table.h
 *
 * Servers are known by their identity, the same for all workers and over a reload: route=, or else
 * the address. sticky_conf.c reads the directive. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_STICKY_H
#define MODULES_UPSTREAM_STICKY_H

#include "http/request.h"
#include "modules/upstream/sticky_table.h"
#include "modules/upstream/upstream.h"

typedef enum sticky_kind { STICKY_COOKIE, STICKY_ROUTE, STICKY_LEARN } sticky_kind_t;

enum { STICKY_SECRET = 32 };

typedef struct sticky {
    sticky_kind_t kind;
    /* cookie */
    str_t name;
    msec_t expires;         /* 0: with the browser's session */
    text_t domain, path, same_site;
    bool http_only, secure;
    str_t secret;           /* p NULL: what the zone holds */
    /* route, learn */
    text_list_t lookup, create;
    msec_t timeout;
    zone_t *zone;           /* of the secret, or of the sessions */
    size_t size;            /* of the zone */
} sticky_t;

/* Makes the content of the zone of the secret: STICKY_SECRET random bytes. */
void *sticky_make_secret(slab_t *slab, void *unused);

/* The identity of the server that the request belongs to; p NULL: of none that is known. */
str_t sticky_find(upstream_t *g, request_t *r);

/* Whether that is the peer's identity. */
bool sticky_is(const upstream_peer_t *peer, str_t identity);

/* In a group with `sticky`: the peer has answered, the head of the reply is being made. The
   client's next request may follow it at once, so whatever is to be remembered is from now on. */
void sticky_answered(const upstream_t *g, upstream_peer_t *peer, request_t *r);

#endif
