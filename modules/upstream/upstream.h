/*
 * upstream: groups of origins: the upstream blocks, and one unnamed group per proxy_pass that names
 * an origin itself.
 *
 * Groups are made while the configuration is read. What changes at run time (addresses of names,
 * weights, failures, idle connections) is each worker's own and lives in the group, too: workers
 * are forked later. A peer is one address of a server; a name's peers follow its DNS answers, whose
 * TTL is kept, and an answer that cannot be had leaves the peers as they were.
 */
#ifndef MODULES_UPSTREAM_UPSTREAM_H
#define MODULES_UPSTREAM_UPSTREAM_H

#include "core/base/hash.h"
#include "core/config/conf.h"
#include "core/io/net.h"
#include "modules/upstream/keepalive.h"

typedef struct request request_t;
typedef struct upstream upstream_t;
typedef struct upstream_server upstream_server_t;

typedef struct upstream_peer {
    const upstream_server_t *server;
    net_addr_t addr;
    str_t name;               /* "127.0.0.1:8080", "unix:/path" */
    int effective, current;   /* weights of the round robin (balance.c) */
    unsigned fails;
    uint64_t failed_ms, checked_ms; /* clock_ms; 0: never */
    unsigned users;           /* exchanges that hold it */
    bool gone;                /* not among its name's addresses any more */
} upstream_peer_t;

struct upstream_server {
    str_t name;               /* as written */
    str_t host;               /* to be resolved; p NULL: addr is known */
    net_addr_t addr;          /* without `host` */
    uint16_t port;
    unsigned weight, max_fails;
    msec_t fail_timeout;
    bool backup, down;
    uint64_t expires;         /* clock_ms until which the peers hold; 0: not resolved yet */
};

struct upstream {
    pool_t *pool;             /* of the configuration; of the request for a group of its own */
    str_t name;               /* of the block; "host:port" of an unnamed group */
    VEC(upstream_server_t) servers;
    VEC(upstream_peer_t *) peers; /* in the order of their servers */
    bool ready;               /* addresses known from the start have their peers */
    bool has_names;
    keepalive_conf_t keepalive;
    keepalive_t *idle;        /* own_idle, unless the group is a request's */
    keepalive_t own_idle;
    const tree_node_t *node;  /* NULL: unnamed */
};

/* All groups of one configuration. */
typedef struct upstream_groups {
    pool_t *pool;
    hash_map_t by_name;       /* of blocks; lower case */
    hash_map_t singles;       /* unnamed groups under "host:port" */
} upstream_groups_t;

typedef struct upstream_conf {
    upstream_groups_t *groups;       /* the same in every block of one http{} */
    VEC(upstream_server_t) servers;  /* of the upstream block being read */
    keepalive_conf_t keepalive;
} upstream_conf_t;

extern const module_t upstream_module;

upstream_groups_t *upstream_groups(const conf_t *cf);

/* The block's group of that name (any case), or NULL. */
upstream_t *upstream_find(const upstream_groups_t *groups, str_t name);

/* An unnamed group of one server. host.p NULL: addr. Strings must outlive the pool's use. */
upstream_t *upstream_single(pool_t *pool, str_t name, str_t host, uint16_t port,
                            const net_addr_t *addr);

/*
 * Brings the peers up to date: names whose answers have expired are looked up. 0, or an error when
 * there is no peer at all (logged; -ENOENT, -ETIMEDOUT, -EIO or a cancellation's reason). Suspends
 * for names.
 */
int upstream_update(upstream_t *g, request_t *r);

#endif
