#include "modules/upstream/upstream.h"

#include <errno.h>

#include "core/base/clock.h"
#include "http/http.h"
#include "http/request.h"
#include "http/resolve.h"
#include "modules/upstream/upstream_vars.h"

enum { HTTP_PORT = 80 };

static unsigned index_;

/* --- groups --- */

upstream_groups_t *upstream_groups(const conf_t *cf)
{
    return ((const upstream_conf_t *)conf_get(cf->scope, &upstream_module))->groups;
}

upstream_t *upstream_find(const upstream_groups_t *groups, str_t name)
{
    char lower[256];
    if (name.n > sizeof(lower)) return NULL;
    for (size_t i = 0; i < name.n; i++) lower[i] = ascii_lower(name.p[i]);
    return hash_map_get(&groups->by_name, str_make(lower, name.n));
}

static const keepalive_conf_t usual_keepalive = {
    .keep = 64, .requests = 10000, .time = 3600 * 1000, .timeout = 60 * 1000};

upstream_t *upstream_single(pool_t *pool, str_t name, str_t host, uint16_t port,
                            const net_addr_t *addr)
{
    upstream_t *g = POOL_NEW(pool, upstream_t);
    g->pool = pool;
    g->name = name;
    g->idle = &g->own_idle;
    g->keepalive = usual_keepalive;
    g->has_names = host.p != NULL;
    upstream_server_t *s = VEC_PUSH(pool, &g->servers);
    *s = (upstream_server_t){.name = name, .host = host, .port = port, .weight = 1, .max_fails = 1,
                             .fail_timeout = 10000};
    if (addr) s->addr = *addr;
    return g;
}

/* --- peers --- */

static upstream_peer_t *find_peer(upstream_t *g, const upstream_server_t *s, const net_addr_t *addr)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->server == s && net_eq(&(*it)->addr, addr)) return *it;
    return NULL;
}

/* A peer that has gone and that nobody uses gives its place to a new one. */
static upstream_peer_t *new_peer(upstream_t *g)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->gone && (*it)->users == 0) return *it;
    upstream_peer_t *peer = POOL_NEW(g->pool, upstream_peer_t);
    peer->name = str_make(pool_bytes(g->pool, NET_TEXT_MAX), 0);
    *VEC_PUSH(g->pool, &g->peers) = peer;
    return peer;
}

static void add_peer(upstream_t *g, const upstream_server_t *s, const net_addr_t *addr)
{
    char *text;
    upstream_peer_t *peer = find_peer(g, s, addr);
    if (!peer) {
        peer = new_peer(g);
        text = (char *)(uintptr_t)peer->name.p;
        *peer = (upstream_peer_t){.server = s, .addr = *addr, .effective = (int)s->weight};
        peer->name = str_make(text, net_format(addr, true, text));
    }
    peer->gone = false;
}

static void make_known_peers(upstream_t *g)
{
    VEC_EACH(upstream_server_t, s, &g->servers)
        if (!s->host.p) add_peer(g, s, &s->addr);
    g->ready = true;
}

static void set_answer(upstream_t *g, upstream_server_t *s, const resolver_answer_t *answer)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->server == s) (*it)->gone = true;
    for (unsigned i = 0; i < answer->count; i++) {
        net_addr_t addr = answer->addrs[i];
        net_set_port(&addr, s->port);
        add_peer(g, s, &addr);
    }
    s->expires = answer->expires;
}

/* nginx's words for a name that did not resolve. */
static void log_unresolved(request_t *r, str_t host, int err)
{
    const char *why = err == -ENOENT      ? "3: Host not found"
                      : err == -ETIMEDOUT ? "110: Operation timed out"
                                          : "2: Server failure";
    LOG(&r->log, LOG_ERR, 0, STR_FMT " could not be resolved (%s)", STR_ARG(host), why);
}

static int resolve_server(upstream_t *g, upstream_server_t *s, request_t *r)
{
    enum { RETRY_MS = 1000 };
    resolver_answer_t answer;
    resolver_t *resolver = resolve_for(http_conf(r->conf));
    int err = resolver ? resolver_lookup(resolver, r->pool, s->host, &answer, NULL) : -EIO;
    if (err == 0) {
        set_answer(g, s, &answer);
    } else if (!fiber_cancelled(fiber_self())) {
        log_unresolved(r, s->host, err);
        s->expires = clock_ms() + RETRY_MS; /* with the addresses of before, if there are any */
    }
    return err;
}

static bool has_peers(const upstream_t *g)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone) return true;
    return false;
}

int upstream_update(upstream_t *g, request_t *r)
{
    int err = 0;
    if (!g->ready) make_known_peers(g);
    if (!g->has_names) return 0;
    for (unsigned i = 0; i < g->servers.n; i++) {
        upstream_server_t *s = &g->servers.v[i];
        if (!s->host.p || (s->expires > clock_ms() && has_peers(g))) continue;
        int failed = resolve_server(g, s, r);
        if (failed < 0) err = failed;
    }
    return has_peers(g) ? 0 : err;
}

/* --- the server directive of an upstream block --- */

static bool set_host(conf_t *cf, const tree_node_t *node, upstream_server_t *s)
{
    str_t text = node->words[1].text, host;
    uint16_t port;
    s->name = text;
    if (str_starts(text, STR("http://"))) text = str_sub(text, 7, text.n);
    if (net_parse(text, HTTP_PORT, &s->addr)) return true;
    if (!uri_split_host(text, &host, &port) || host.p[0] == '[')
        return conf_error(cf, node, 1, "for example 10.0.0.1:8080, app.internal, unix:/run/app",
                          "invalid host in upstream \"" STR_FMT "\"", STR_ARG(text));
    s->host = host;
    s->port = port ? port : HTTP_PORT;
    return true;
}

static bool set_parameter(conf_t *cf, const tree_node_t *node, unsigned word, upstream_server_t *s)
{
    enum { WEIGHT_MOST = 65535 };
    str_t text = node->words[word].text, value;
    if (value_keyed(text, "weight", &value))
        return conf_number(cf, node, word, value, 1, WEIGHT_MOST, &s->weight);
    if (value_keyed(text, "max_fails", &value))
        return conf_number(cf, node, word, value, 0, 0, &s->max_fails);
    if (value_keyed(text, "fail_timeout", &value))
        return conf_msec(cf, node, word, value, &s->fail_timeout);
    if (str_eq(text, STR("backup"))) return s->backup = true;
    if (str_eq(text, STR("down"))) return s->down = true;
    if (str_eq(text, STR("resolve"))) return true; /* names are always followed */
    return conf_error(cf, node, word, "weight= max_fails= fail_timeout= backup down resolve",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static bool set_server(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    upstream_conf_t *c = conf;
    upstream_server_t s = {.weight = 1, .max_fails = 1, .fail_timeout = 10000};
    if (!set_host(cf, node, &s)) return false;
    for (unsigned i = 2; i < node->n; i++)
        if (!set_parameter(cf, node, i, &s)) return false;
    *VEC_PUSH(cf->pool, &c->servers) = s;
    return true;
}

/* --- the upstream block --- */

static bool set_keepalive(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    upstream_conf_t *c = conf;
    (void)row;
    if (node->n > 2 && !str_eq(node->words[2].text, STR("local")))
        return conf_error(cf, node, 2, "keepalive 32", "invalid parameter \"" STR_FMT "\"",
                          STR_ARG(node->words[2].text));
    return conf_number(cf, node, 1, node->words[1].text, 0, 0, &c->keepalive.keep);
}

static bool check_group(conf_t *cf, const tree_node_t *node, const upstream_t *g)
{
    bool primary = false;
    VEC_EACH(upstream_server_t, s, &g->servers) primary |= !s->backup;
    if (primary) return true;
    return conf_error(cf, node, 0, "add a server", "no servers are inside upstream");
}

static bool set_upstream(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    upstream_groups_t *groups = ((upstream_conf_t *)conf)->groups;
    conf_scope_t *scope = conf_block(cf, node, CONF_UPSTREAM, false);
    if (!scope) return false;
    const upstream_conf_t *c = conf_get(scope, &upstream_module);
    upstream_t *g = POOL_NEW(cf->pool, upstream_t);
    g->pool = cf->pool;
    g->name = node->words[1].text;
    g->node = node;
    g->idle = &g->own_idle;
    g->keepalive = c->keepalive;
    memcpy(&g->servers, &c->servers, sizeof(g->servers));
    VEC_EACH(upstream_server_t, s, &g->servers) g->has_names |= s->host.p != NULL;
    if (!check_group(cf, node, g)) return false;
    if (!hash_map_set(&groups->by_name, pool_lower(cf->pool, g->name), g)) return true;
    return conf_error(cf, node, 1, NULL, "duplicate upstream \"" STR_FMT "\"", STR_ARG(g->name));
}

static bool begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    upstream_conf_t *c = conf_own(cf, &upstream_module);
    c->groups = POOL_NEW(cf->pool, upstream_groups_t);
    c->groups->pool = cf->pool;
    hash_map_init(&c->groups->by_name, cf->pool);
    hash_map_init(&c->groups->singles, cf->pool);
    return true;
}

/* --- the module --- */

#define CONF upstream_conf_t
#define YEAR (365ull * 24 * 3600 * 1000)

static const conf_row_t rows[] = {
    CONF_CUSTOM("upstream", CONF_HTTP, CONF_BLOCK | CONF_MANY, 1, 1, set_upstream, CONF_NO_FIELD,
                NULL, "a group of origins to share the load"),
    CONF_CUSTOM("server", CONF_UPSTREAM, CONF_MANY, 1, UINT_MAX, set_server,
                CONF_FIELD(CONF, servers, __typeof__(((CONF *)0)->servers)), NULL,
                "an origin: address, weight= max_fails= fail_timeout= backup down"),
    CONF_CUSTOM("keepalive", CONF_UPSTREAM, 0, 1, 2, set_keepalive,
                CONF_FIELD(CONF, keepalive.keep, unsigned), "64",
                "idle connections to the group's origins that each worker keeps; 0: none"),
    CONF_NUMBER("keepalive_requests", CONF_UPSTREAM, CONF, keepalive.requests, "10000", 1, UINT_MAX,
                "requests on one connection to an origin"),
    CONF_MSEC("keepalive_time", CONF_UPSTREAM, CONF, keepalive.time, "1h", 1, YEAR,
              "the age from which a connection to an origin is closed after a request"),
    CONF_MSEC("keepalive_timeout", CONF_UPSTREAM, CONF, keepalive.timeout, "60s", 1, YEAR,
              "how long a connection to an origin may be idle"),
    CONF_END,
};

static const http_hooks_t hooks = {.variables = upstream_vars, .begin = begin};

const module_t upstream_module = {
    .name = "upstream",
    .index = &index_,
    .rows = rows,
    .conf_size = sizeof(upstream_conf_t),
    .hooks = &hooks,
};
