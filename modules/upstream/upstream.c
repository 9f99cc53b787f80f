#include "modules/upstream/upstream.h"

#include <errno.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "http/http.h"
#include "http/request.h"
#include "http/resolve.h"
#include "modules/upstream/upstream_status.h"
#include "modules/upstream/upstream_vars.h"

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
    list_init(&g->waiting);
    return g;
}

static bool check_servers(conf_t *cf, const tree_node_t *node, const upstream_t *g)
{
    bool primary = false;
    VEC_EACH(upstream_server_t, s, &g->servers) primary |= !s->backup;
    if (primary) return true;
    return conf_error(cf, node, 0, "add a server", "no servers are inside upstream");
}

static void note_servers(upstream_t *g)
{
    for (unsigned i = 0; i < g->servers.n; i++) {
        upstream_server_t *s = &g->servers.v[i];
        s->alike = i;
        for (unsigned j = i; g->policy.method == UPSTREAM_RING && j-- > 0;)
            if (str_eq(g->servers.v[j].name, s->name)) s->alike = j;
        g->has_names |= s->host.p != NULL;
    }
}

/* --- the ring --- */

/* Servers of one name have the same points: as many as the heaviest of their peers has. */
static unsigned ring_weight(const upstream_t *g, unsigned server)
{
    unsigned most = 0, peers = 0;
    for (const upstream_peer_t *p = g->servers.v[server].first; p; p = p->next, peers++)
        if (!upstream_peer_is_backup(p) && p->settings.weight > most) most = p->settings.weight;
    if (peers) return most;
    for (unsigned i = server; i < g->servers.n; i++) {
        const upstream_server_t *s = &g->servers.v[i];
        if (s->alike == server && !s->backup && s->weight > most) most = s->weight;
    }
    return most;
}

/* Made while the configuration is read, for all workers, and anew when a weight changes. */
static void make_ring(upstream_t *g)
{
    bool same = true;
    for (unsigned i = 0; i < g->servers.n; i++) {
        unsigned weight = g->servers.v[i].alike == i ? ring_weight(g, i) : 0;
        same &= weight == g->servers.v[i].on_ring;
        g->servers.v[i].on_ring = weight;
    }
    if (same) return;
    g->ring.points.n = 0;
    VEC_EACH(const upstream_server_t, s, &g->servers)
        ring_add(&g->ring, g->pool, s->name, s->on_ring, (unsigned)(s - g->servers.v));
    ring_close(&g->ring);
}

static void chain_peers(upstream_t *g)
{
    VEC_EACH(upstream_server_t, s, &g->servers) s->first = NULL;
    for (unsigned i = g->peers.n; i-- > 0;) {
        upstream_peer_t *peer = g->peers.v[i];
        upstream_server_t *s = &g->servers.v[peer->server->alike];
        if (peer->gone) continue;
        peer->next = s->first;
        s->first = peer;
    }
}

upstream_t *upstream_group_new(conf_t *cf, const tree_node_t *node, const upstream_conf_t *c)
{
    upstream_t *g = POOL_NEW(cf->pool, upstream_t);
    g->pool = cf->pool;
    g->name = node->words[1].text;
    g->node = node;
    g->idle = &g->own_idle;
    g->keepalive = c->keepalive;
    g->policy = c->policy;
    list_init(&g->waiting);
    memcpy(&g->servers, &c->servers, sizeof(g->servers));
    if (!check_servers(cf, node, g)) return NULL;
    note_servers(g);
    if (g->policy.method == UPSTREAM_RING) make_ring(g);
    str_t name = pool_lower(cf->pool, g->name);
    g->zone = peers_zone(cf, node, name, g->servers.n);
    return g->zone ? g : NULL;
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
    {
        if (!(*it)->gone || (*it)->users) continue;
        peers_leave(&g->known, &(*it)->place);
        return *it;
    }
    upstream_peer_t *peer = POOL_NEW(g->pool, upstream_peer_t);
    peer->name = str_make(pool_bytes(g->pool, NET_TEXT_MAX), 0);
    *VEC_PUSH(g->pool, &g->peers) = peer;
    return peer;
}

static peer_settings_t settings_of(const upstream_server_t *s)
{
    unsigned flags = (s->down ? PEER_DOWN : 0) | (s->drain ? PEER_DRAIN : 0) |
                     (s->backup ? PEER_BACKUP : 0);
    return (peer_settings_t){s->weight, s->max_conns, flags};
}

static void add_peer(upstream_t *g, const upstream_server_t *s, const net_addr_t *addr)
{
    char *text, identity[NET_TEXT_MAX + 256];
    upstream_peer_t *peer = find_peer(g, s, addr);
    if (!peer) {
        peer = new_peer(g);
        text = (char *)(uintptr_t)peer->name.p;
        *peer = (upstream_peer_t){.server = s, .addr = *addr};
        peer->name = str_make(text, net_format(addr, true, text));
        int n = snprintf(identity, sizeof(identity), "%s " STR_FMT, text, STR_ARG(s->name));
        size_t length = (size_t)n < sizeof(identity) ? (size_t)n : sizeof(identity) - 1;
        peer_settings_t settings = settings_of(s);
        peer->place = peers_enter(&g->known, g->pool, str_make(identity, length), &settings);
    }
    peer->gone = false;
}

/* In the order of their servers, as if the configuration named all addresses. */
static void sort_peers(upstream_t *g)
{
    for (unsigned i = 1; i < g->peers.n; i++) {
        upstream_peer_t *peer = g->peers.v[i];
        unsigned at = i;
        for (; at > 0 && g->peers.v[at - 1]->server > peer->server; at--)
            g->peers.v[at] = g->peers.v[at - 1];
        g->peers.v[at] = peer;
    }
}

static bool is_healthy(const upstream_policy_t *policy, const peer_state_t *state)
{
    uint32_t health = policy->checked ? PEER_GET(state->health) : PEER_HEALTHY;
    return health == PEER_HEALTHY || (health == PEER_UNCHECKED && !policy->mandatory);
}

static void take_settings(upstream_t *g)
{
    g->limited = false;
    g->seen = peers_changes(&g->known);
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        upstream_peer_t *peer = *it;
        peer->settings = peers_settings(peer->place.state);
        peer->healthy = is_healthy(&g->policy, peer->place.state);
        peer->serves = !peer->gone && peer->healthy &&
                       !(peer->settings.flags & (PEER_DOWN | PEER_DRAIN));
        g->limited |= peer->settings.max_conns > 0;
    }
}

static void order_turns(upstream_t *g, bool backup)
{
    schedule_t *turns = &g->turns[backup];
    turns->members.n = 0;
    for (unsigned i = 0; i < g->peers.n; i++) {
        const upstream_peer_t *peer = g->peers.v[i];
        if (peer->serves && upstream_peer_is_backup(peer) == backup)
            *VEC_PUSH(g->pool, &turns->members) =
                (schedule_member_t){.id = i, .weight = peer->settings.weight};
    }
    schedule_make(turns, g->pool);
    VEC_EACH(const schedule_member_t, m, &turns->members) g->peers.v[m->id]->cost = m->cost;
}

void upstream_reorder(upstream_t *g)
{
    take_settings(g);
    sort_peers(g);
    order_turns(g, false);
    order_turns(g, true);
    if (g->policy.method != UPSTREAM_RING) return;
    chain_peers(g);
    make_ring(g);
}

void upstream_join(upstream_t *g)
{
    if (g->ready) return;
    peers_join(&g->known, g->pool, g->zone ? g->zone->root : NULL);
    VEC_EACH(upstream_server_t, s, &g->servers)
        if (!s->host.p) add_peer(g, s, &s->addr);
    upstream_reorder(g);
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
    upstream_reorder(g);
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
    upstream_join(g);
    if (!g->has_names) return 0;
    for (unsigned i = 0; i < g->servers.n; i++) {
        upstream_server_t *s = &g->servers.v[i];
        if (!s->host.p || (s->expires > clock_ms() && has_peers(g))) continue;
        int failed = resolve_server(g, s, r);
        if (failed < 0) err = failed;
    }
    return has_peers(g) ? 0 : err;
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

static const http_hooks_t hooks = {.variables = upstream_vars, .begin = begin};

const module_t upstream_module = {
    .name = "upstream",
    .index = &index_,
    .rows = upstream_conf_rows,
    .conf_size = sizeof(upstream_conf_t),
    .hooks = &hooks,
    .sections = upstream_status,
};
