/*
 * site: which server and which location a request belongs to.
 *
 * Built while the configuration is read, constant afterwards. Lookup of exact and wildcard server
 * names is by hash, of prefix locations by a compressed tree, so neither grows with their number;
 * only regular expressions are tried one by one, in order, as nginx does. Nothing suspends.
 */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "core/process/listen.h"
#include "http/host_map.h"
#include "http/pattern.h"
#include "http/site_tree.h"

typedef struct conn conn_t;
typedef struct site_server site_server_t;

typedef enum site_match {
    SITE_PREFIX, /* location /x */
    SITE_EXACT,  /* location = /x */
    SITE_STRONG, /* location ^~ /x: no regular expressions after it */
    SITE_REGEX,  /* location ~ x, ~* x */
    SITE_NAMED,  /* location @x */
} site_match_t;

typedef struct site_locations { /* of a server, or nested in a location */
    site_tree_t *tree;
    VEC(site_location_t *) regexes; /* in order */
    VEC(site_location_t *) all;     /* in order of the configuration */
} site_locations_t;

struct site_location {
    str_t name;
    site_match_t match;
    pattern_t pattern;   /* of SITE_REGEX */
    void **conf;         /* structs of all modules */
    void **limited;      /* those of limit_except, for methods but `methods`; NULL: there is none */
    uint32_t methods;    /* a bit per parse_method_t */
    site_locations_t nested;
    const tree_node_t *node;
};

/* The structs that a request with this method (parse_method_t) is served with. */
static inline void **site_location_conf(const site_location_t *l, unsigned method)
{
    return l->limited && !(l->methods >> method & 1) ? l->limited : l->conf;
}

struct site_server {
    str_t name;          /* the first server_name: $server_name */
    void **conf;         /* the server block's structs */
    site_locations_t locations;
    hash_map_t named;    /* "@x" to site_location_t; made by site_add_location */
    const tree_node_t *node;
};

typedef struct site_regex_name {
    pattern_t pattern;
    site_server_t *server;
} site_regex_name_t;

/* The servers that listen on one address; what listen_t.data points to. */
typedef struct site_address {
    pool_t *pool;
    site_server_t *fallback; /* default_server, else the first */
    bool fallback_set;       /* by default_server */
    bool proxy_protocol;     /* connections begin with a header of the PROXY protocol */
    bool ssl;                /* connections begin with a handshake (`listen ... ssl`) */
    bool http2;              /* `listen ... http2`: as if every server said http2 on */
    /*
     * Shakes hands, c->in holding what has been read; of a module, NULL: none. True: c->secure is
     * set and c->in NULL; or not, when the client speaks plain HTTP (c->in as it was). False: it
     * has failed, and has been said; only closing is left. Suspends.
     */
    bool (*shake_hands)(conn_t *c);
    VEC(site_server_t *) servers; /* all that listen here, in order */
    host_map_t names;
    VEC(site_regex_name_t) regexes;
} site_address_t;

site_address_t *site_address_new(pool_t *pool);

/*
 * Adds a name as server_name writes it ("a.b", ".a.b", "*.a.b", "a.*", "~regex", "$hostname", "")
 * for the server; the first server that claims a name keeps it. False: said (malformed); conflicts
 * only warn.
 */
bool site_add_name(conf_t *cf, site_address_t *address, const tree_node_t *node, unsigned word,
                   str_t name, site_server_t *server);

/* Compiles a location block's words into *out (match, name, pattern, node). False: said. */
bool site_location_parse(conf_t *cf, const tree_node_t *node, site_location_t *out);

/*
 * Adds a location (parsed, kept by pointer) to the server, or inside the location `parent` (NULL:
 * on the server's own level). False: said (duplicate, or outside of its parent).
 */
bool site_add_location(conf_t *cf, site_server_t *server, site_location_t *parent,
                       site_location_t *location);

/*
 * The server for a host (lower case, without port, without trailing dot); the fallback when none
 * matches. Groups of a matching regex go into the request's variables (r NULL: nowhere).
 */
site_server_t *site_find_server(const site_address_t *address, str_t host, request_t *r);

/*
 * The location for the normalised URI with nginx's order, nested ones included; NULL when none
 * matches. *redirect (NULL at first) is set when no location is called uri but one is called
 * "uri/": when a proxy serves that one, nginx redirects to it, before any regular expression; the
 * caller decides. When a regex hits its limit, r->pattern_failed is set and the result means
 * nothing.
 */
const site_location_t *site_find_location(const site_server_t *server, str_t uri, request_t *r,
                                          const site_location_t **redirect);

#endif
