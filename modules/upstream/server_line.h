/*
 * server_line: the directive `server` of a group, from a configuration or from an operator.
 *
 *     server ADDRESS [weight=N] [max_conns=N] [max_fails=N] [fail_timeout=TIME] [slow_start=TIME]
 *            [backup] [down] [drain] [route=TEXT] [resolve] [service=NAME];
 *
 * Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_SERVER_LINE_H
#define MODULES_UPSTREAM_SERVER_LINE_H

#include "core/config/conf.h"
#include "core/io/net.h"
#include "modules/upstream/peers.h"

typedef struct upstream_server {
    str_t name;               /* as written */
    str_t route;              /* of route=; may be empty */
    str_t host;               /* to be resolved; p NULL: addr is known */
    str_t service;            /* the name of its SRV records; empty: it has none */
    net_addr_t addr;          /* without `host` */
    uint16_t port;
    bool has_port;            /* it was written */
    unsigned weight, max_fails;
    unsigned max_conns;       /* 0: any number */
    msec_t fail_timeout, slow_start;
    bool backup, down, drain;
    unsigned alike;           /* index of the first server of this name: UPSTREAM_RING */
    unsigned on_ring;         /* of that one: the weight that it has on the ring */
    struct upstream_peer *first;   /* of that one: the peers of all of them */
    uint64_t answered;        /* the version of the roster's answer that its peers come from */
    peer_place_t place;       /* of the name itself (peers.h); state NULL: none */
    bool asking, failing;     /* the name (discover.c) */
    uint64_t expires;         /* clock_ms until which the answer holds, where there is no roster */
} upstream_server_t;

/* False: said. */
bool server_line_read(conf_t *cf, const tree_node_t *node, upstream_server_t *out);

/* The parameters alone, from the third word on. False: said. */
bool server_line_parameters(conf_t *cf, const tree_node_t *node, upstream_server_t *out);

/* The node's words as a line again, each in quotes. */
str_t server_line_text(pool_t *pool, const tree_node_t *node);
str_t server_line_of(pool_t *pool, const str_t *words, unsigned n); /* "server WORD ...;" */

/* The same for a text "server ADDRESS ...;". False: *why, in the pool. */
bool server_line_parse(pool_t *pool, str_t text, upstream_server_t *out, str_t *why);

#endif
