/*
 * upstream: groups of origins: the upstream blocks, and one unnamed group per proxy_pass that names
 * an origin itself.
 *
 *     upstream.c       groups, and their peers as names are resolved
 *     upstream_conf.c  the directives inside upstream { }
 *     peers.c          what all workers know of a peer, in shared memory
 *     health.c         active checks
 *     waiting.c        requests that wait since all peers have max_conns
 *     balance.c        which peer is asked, what became of it, who has to rest
 *     method.c         the balancing methods; keyed.c: those that go by a key
 *     schedule.c       the order of turns; ring.c: consistent hashing; weight.h: slow_start
 *     choice.c         one request's way through the peers: whom it may ask
 *     sticky.c         clients that keep their server; sticky_conf.c: the directive;
 *                      sticky_table.c: sessions that origins gave out
 *     tally.c          what exchanges with a peer came to; upstream_status.c: telling it all
 *     outlier.c        who takes so much longer than the others that it is out; latency.c: how long
 *
 * Groups are made while the configuration is read. Health and load of the peers of an upstream
 * block are shared by all workers (peers.h); addresses of names and idle connections are each
 * worker's own and live in the group: workers are forked later. A peer is one address of a server;
 * a name's peers follow its DNS answers, whose TTL is kept, and an answer that cannot be had leaves
 * the peers as they were.
 */
#ifndef MODULES_UPSTREAM_UPSTREAM_H
#define MODULES_UPSTREAM_UPSTREAM_H

#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/config/conf.h"
#include "core/io/fiber.h"
#include "core/io/net.h"
#include "http/text.h"
#include "modules/upstream/keepalive.h"
#include "modules/upstream/peers.h"
#include "modules/upstream/ring.h"
#include "modules/upstream/schedule.h"
#include "modules/upstream/server_line.h"

typedef struct upstream upstream_t;

enum { UPSTREAM_TOKEN = 32 }; /* bytes of a cookie of sticky.c */

typedef struct upstream_peer {
    const upstream_server_t *server;
    net_addr_t addr;
    str_t name;               /* "127.0.0.1:8080", "unix:/path" */
    peer_place_t place;       /* what all workers know of it */
    peer_settings_t settings; /* in force, as of upstream_refresh */
    bool healthy;             /* as far as health checks know; likewise */
    bool serves;              /* requests are sent to it at all; likewise */
    uint64_t credit;          /* turns of the round robin that it may use (method.c) */
    unsigned cost;            /* of one of them */
    uint64_t before;          /* weights of the peers in front that are no backups (keyed.c) */
    unsigned users;           /* exchanges of this worker that hold it, and checks */
    uint64_t check_ms;        /* when this worker is to check its health next (health.c) */
    bool checking;
    bool gone;                /* not among its name's addresses any more */
    char token[UPSTREAM_TOKEN + 1]; /* what its clients' cookie holds; "": not made yet */
    struct upstream_peer *next; /* of the servers of this name: UPSTREAM_RING */
} upstream_peer_t;

typedef enum upstream_method {
    UPSTREAM_ROUND_ROBIN,
    UPSTREAM_LEAST_CONN,
    UPSTREAM_LEAST_TIME,
    UPSTREAM_RANDOM,
    UPSTREAM_RANDOM_TWO,
    UPSTREAM_HASH,
    UPSTREAM_RING,
    UPSTREAM_IP_HASH,
} upstream_method_t;

/* How a group chooses, and when it gives up on a peer. */
typedef struct upstream_policy {
    upstream_method_t method;
    bool given;               /* some method was */
    bool by_time;             /* of two peers that which answers sooner, not with less load */
    bool until_header;        /* which is told by the head of the answer, not its end */
    text_t key;               /* of hash */
    struct sticky *sticky;    /* sticky.h; NULL: clients keep no server */
    unsigned bound;           /* percent of its fair share that a peer takes at most; 0: any load */
    unsigned queue;           /* requests of a worker that wait for a peer; 0: none do */
    msec_t queue_timeout;
    unsigned outlier_factor;  /* times the median of latencies; 0: none is an outlier */
    unsigned outlier_share;   /* percent of the peers that may be out at once */
    msec_t outlier_least, outlier_time;
    bool checked, mandatory;  /* there is a health_check; only peers that passed it are asked */
} upstream_policy_t;

typedef struct upstream_kept { /* of the state file (state_file.h) */
    str_t identity;           /* of a peer */
    peer_settings_t settings;
} upstream_kept_t;

/* Within how long so many percent of the answers begin (proxy_hedge.c), as looked up of late. */
typedef struct upstream_usual {
    unsigned percent;
    uint64_t ms, until_ms;
} upstream_usual_t;

struct upstream {
    pool_t *pool;             /* of the configuration; of the request for a group of its own */
    str_t name;               /* of the block; "host:port" of an unnamed group */
    VEC(upstream_server_t) servers;
    VEC(upstream_peer_t *) peers; /* in the order of their servers */
    uint64_t seen;            /* peers_changes when the peers' settings were taken */
    bool ready;               /* addresses known from the start have their peers */
    bool has_names;           /* some server is one */
    upstream_policy_t policy;
    ring_t ring;              /* of the servers' names: UPSTREAM_RING */
    zone_t *zone;             /* NULL: none */
    uint32_t number;          /* of the configuration */
    peers_t known;            /* this worker's view of what is shared */
    uint64_t weights;         /* of all peers that are no backups */
    schedule_t turns[2];      /* of the servers, and of the backups */
    uint32_t *bars[2];        /* of peers_sum, for these; NULL: their weights differ, or may */
    unsigned bar_count[2];    /* up to the last of them, a multiple of 4 */
    uint32_t *all_bars[2];    /* where those stand when there are any */
    bool limited;             /* some server has max_conns */
    list_t waiting;           /* waiting.c */
    unsigned waiting_count;
    keepalive_conf_t keepalive;
    keepalive_t *idle;        /* the group's own, unless it is a request's */
    upstream_usual_t usual;
    const tree_node_t *node;  /* NULL: unnamed */
    str_t state;              /* the path of the state file; empty: none */
    VEC(upstream_kept_t) kept; /* what it says */
    conf_strs_t kept_lines;
    const struct http_conf *http; /* whose resolver is asked for names */
    unsigned configured;      /* servers; behind them are those that were added */
    uint64_t *added;          /* versions of the roster's lines that those come from */
};

/* All groups of one configuration. */
typedef struct upstream_groups {
    pool_t *pool;
    hash_map_t by_name;       /* of blocks; lower case */
    hash_map_t singles;       /* unnamed groups under "host:port" */
    VEC(upstream_t *) all;    /* of both kinds, in the order of the configuration */
} upstream_groups_t;

typedef struct upstream_conf {
    upstream_groups_t *groups;       /* the same in every block of one http{} */
    VEC(upstream_server_t) servers;  /* of the upstream block being read */
    keepalive_conf_t keepalive;
    upstream_policy_t policy;
    str_t state;
} upstream_conf_t;

extern const module_t upstream_module;
extern const conf_row_t upstream_conf_rows[];

/* The upstream block of the node is read: its servers and policy become a group. NULL: said. */
upstream_t *upstream_group_new(conf_t *cf, const tree_node_t *node, const upstream_conf_t *c);

typedef struct upstream_waiter { /* on the stack of a fiber in waiting.c */
    list_t link;
    fiber_t *fiber;
} upstream_waiter_t;

/* A peer may have room again, or the line has moved: the first in it looks. */
static inline void upstream_wake(const upstream_t *g)
{
    if (g->waiting_count) fiber_wake(LIST_OF(g->waiting.next, upstream_waiter_t, link)->fiber);
}

/* Two peers or more: otherwise there is nothing to choose, and none has to rest. */
static inline bool upstream_has_choice(const upstream_t *g)
{
    return g->peers.n > 1;
}

upstream_groups_t *upstream_groups(const conf_t *cf);

static inline bool upstream_peer_is_backup(const upstream_peer_t *peer)
{
    return peer->settings.flags & PEER_BACKUP;
}

/* Makes the peers whose addresses are known from the start, in each worker, if not done yet. */
void upstream_join(upstream_t *g);

/* Takes the peers' settings and their turns anew. */
void upstream_reorder(upstream_t *g);

/* The same, if anybody has changed something; before peers are chosen among. */
static inline void upstream_refresh(upstream_t *g)
{
    if (g->seen != peers_changes(&g->known)) upstream_reorder(g);
}

/* The block's group of that name (any case), or NULL. */
upstream_t *upstream_find(const upstream_groups_t *groups, str_t name);

/* An unnamed group of one server; the caller sets `idle`. host.p NULL: addr. Strings must outlive
   the pool's use. */
upstream_t *upstream_single(pool_t *pool, str_t name, str_t host, uint16_t port,
                            const net_addr_t *addr);

/* Gives it a zone while the configuration is read. False: said. */
bool upstream_share_single(conf_t *cf, upstream_t *g);

/* What its line says of each of its peers. */
peer_settings_t upstream_settings(const upstream_server_t *s);

/* What the server's name is asked for, and known under in the roster. */
str_t upstream_question(const upstream_server_t *s);

/* The server's peers are those of the answer; upstream_reorder is to follow. */
void upstream_take_answer(upstream_t *g, upstream_server_t *s, const roster_answer_t *answer);

/* A name of which no address is known. */
bool upstream_is_unresolved(const upstream_t *g, const upstream_server_t *s);

static inline bool upstream_has_peers(const upstream_t *g)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone) return true;
    return false;
}

#endif
