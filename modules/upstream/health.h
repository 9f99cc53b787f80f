/*
 * health: active checks: whether the servers of a group are well is asked of themselves.
 *
 *     health_conf.c    the directives health_check and match
 *     health_match.c   what an answer must be like
 *     probe.c          one question to one server; probe_grpc.c: of gRPC's health protocol
 *     health.c         when who is asked, and what follows from it
 *
 * health_check stands in the upstream block, or in a location whose proxy_pass or grpc_pass leads
 * to it, whose TLS, PROXY protocol, HTTP version and constant proxy_set_header then hold for the
 * checks, too (for a check in the upstream block: those of the first such location). One worker
 * asks for all (peers_claim); should it die or stop, another takes over where it was. What it finds
 * stands in shared memory: a server that has failed `fails` checks in a row is asked no requests
 * until it has passed `passes`, then it comes back by its slow_start. Until its first check it is
 * taken for well, unless the check is `mandatory`. A configuration loaded anew knows what was found
 * before.
 */
#ifndef MODULES_UPSTREAM_HEALTH_H
#define MODULES_UPSTREAM_HEALTH_H

#include "modules/upstream/health_match.h"
#include "modules/upstream/proxy.h"

typedef struct health {
    const tree_node_t *node;
    upstream_t *group;        /* when the http block has been read; NULL: another check's */
    const proxy_conf_t *proxy; /* of a location that leads there; NULL: none */
    str_t uri, match_name;
    const health_match_t *match; /* NULL: status 200 to 399 */
    msec_t interval, jitter, timeout;
    unsigned fails, passes, port; /* port 0: the server's own */
    bool tcp;                 /* connecting is all */
    bool grpc;                /* grpc.health.v1 is asked */
    bool http2;
    str_t service;            /* of grpc; empty: the server as a whole */
    unsigned grpc_status;     /* that will do as well */
    bool mandatory;
    str_t request, body;      /* body: of grpc */
} health_t;

typedef VEC(health_t *) health_list_t;

typedef struct health_conf {
    health_t *check;          /* of this block; NULL: none */
    struct health_all *all;   /* the same in all of an http block */
} health_conf_t;

typedef struct health_all {
    health_list_t checks;
    VEC(health_match_t *) matches;
} health_all_t;

extern const module_t health_module;

#endif
