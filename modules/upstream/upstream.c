#include "modules/upstream/upstream.h"

#include <stdio.h>

#include "core/process/generation.h"
#include "http/http.h"
#include "modules/upstream/server_line.h"

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
    g->keepalive = usual_keepalive;
    g->has_names = host.p != NULL;
    upstream_server_t *s = VEC_PUSH(pool, &g->servers);
    *s = (upstream_server_t){.name = name, .host = host, .port = port, .weight = 1, .max_fails = 1,
                             .fail_timeout = 10000};
    if (addr) s->addr = *addr;
    list_init(&g->waiting);
    return g;
}

/* One with a state file may begin without any: they are added while it serves. */
static bool check_servers(conf_t *cf, const tree_node_t *node, const upstream_t *g)
{
    bool primary = g->state.n;
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
    ring_close(&g->ring, g->pool);
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

/* A zone of its own, and room for servers to be added, whose places never move. */
static bool share(conf_t *cf, upstream_t *g, const char *kind)
{
    const char *why;
    unsigned names = 0;
    str_t name = pool_printf(cf->pool, "%s:" STR_FMT, kind, STR_ARG(pool_lower(cf->pool, g->name)));
    VEC_EACH(const upstream_server_t, s, &g->servers) names += s->host.p != NULL;
    g->zone = peers_zone(cf, name, g->servers.n, names, &g->kept_lines, &why);
    return g->zone || conf_error(cf, g->node, 1, NULL, "%s", why);
}

static void set_servers(upstream_t *g, const upstream_conf_t *c)
{
    g->configured = g->servers.n = c->servers.n;
    g->servers.cap = g->configured + ROSTER_ADDED;
    g->servers.v = POOL_ARRAY(g->pool, upstream_server_t, g->servers.cap);
    if (g->configured)
        memcpy(g->servers.v, c->servers.v, g->configured * sizeof(*g->servers.v));
    g->added = POOL_ARRAY(g->pool, uint64_t, ROSTER_ADDED);
}

upstream_t *upstream_group_new(conf_t *cf, const tree_node_t *node, const upstream_conf_t *c)
{
    upstream_t *g = POOL_NEW(cf->pool, upstream_t);
    g->pool = cf->pool;
    g->name = node->words[1].text;
    g->node = node;
    g->number = generation_of(cf)->number;
    g->idle = POOL_NEW(g->pool, keepalive_t);
    g->keepalive = c->keepalive;
    g->policy = c->policy;
    list_init(&g->waiting);
    g->state = c->state;
    set_servers(g, c);
    if (!check_servers(cf, node, g)) return NULL;
    note_servers(g);
    if (g->policy.method == UPSTREAM_RING) make_ring(g);
    return share(cf, g, "upstream") ? g : NULL;
}

bool upstream_share_single(conf_t *cf, upstream_t *g)
{
    return share(cf, g, "origin");
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

peer_settings_t upstream_settings(const upstream_server_t *s)
{
    unsigned flags = (s->down ? PEER_DOWN : 0) | (s->drain ? PEER_DRAIN : 0) |
                     (s->backup ? PEER_BACKUP : 0);
    return (peer_settings_t){s->weight, s->max_conns, flags};
}

/* As an operator left it, in a zone that knows nothing of it. */
static void restore(upstream_t *g, const peer_place_t *place, str_t identity)
{
    VEC_EACH(const upstream_kept_t, k, &g->kept)
        if (place->fresh && str_eq(k->identity, identity))
            peers_set(g->known.shared, place->state, &k->settings);
}

/* What is said of a name, whatever its addresses are. */
static void enter_name(upstream_t *g, upstream_server_t *s)
{
    if (!s->host.p || !g->zone) return;
    peer_settings_t settings = upstream_settings(s);
    s->place = peers_enter(&g->known, g->pool, s->name, &settings);
    restore(g, &s->place, s->name);
}

/* as: what the server's name led to; NULL: the server is an address. */
static void enter_peer(upstream_t *g, upstream_peer_t *peer, const roster_addr_t *as)
{
    char identity[NET_TEXT_MAX + 256];
    const upstream_server_t *s = peer->server;
    int n = snprintf(identity, sizeof(identity), STR_FMT " " STR_FMT, STR_ARG(peer->name),
                     STR_ARG(s->name));
    str_t id = str_make(identity, (size_t)n < sizeof(identity) ? (size_t)n : sizeof(identity) - 1);
    peer_settings_t settings = upstream_settings(s);
    if (as && as->weight) settings.weight = as->weight;
    if (as && as->backup) settings.flags |= PEER_BACKUP;
    peer->place = peers_enter(&g->known, g->pool, id, &settings);
    restore(g, &peer->place, id);
}

static void add_peer(upstream_t *g, const upstream_server_t *s, const net_addr_t *addr,
                     const roster_addr_t *as)
{
    upstream_peer_t *peer = find_peer(g, s, addr);
    bool is_new = !peer;
    if (is_new) {
        peer = new_peer(g);
        char *text = (char *)(uintptr_t)peer->name.p;
        *peer = (upstream_peer_t){.server = s, .addr = *addr};
        peer->name = str_make(text, net_format(addr, true, text));
    }
    /* One without a slot has its state here. */
    if (is_new || (peer->gone && peer->place.slot != PEER_OWN)) enter_peer(g, peer, as);
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
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        upstream_peer_t *peer = *it;
        const peer_state_t *name = peer->server->place.state;
        if (name && !peer->gone) peers_follow(g->known.shared, peer->place.state, name);
        peer->settings = peers_settings(peer->place.state);
        peer->healthy = is_healthy(&g->policy, peer->place.state);
        peer->serves = !peer->gone && peer->healthy &&
                       !(peer->settings.flags & (PEER_DOWN | PEER_DRAIN));
        g->limited |= peer->settings.max_conns > 0;
    }
}

static void add_weights(upstream_t *g)
{
    g->weights = 0;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        (*it)->before = g->weights;
        if (!(*it)->gone && !upstream_peer_is_backup(*it)) g->weights += (*it)->settings.weight;
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

/* Whether nothing but the number of exchanges tells the members' loads apart. */
static bool are_alike(const upstream_t *g, const schedule_t *turns)
{
    bool alike = turns->members.n > 0 && g->known.sums && g->known.shared->slots % 4 == 0;
    VEC_EACH(const schedule_member_t, m, &turns->members)
    {
        const upstream_peer_t *peer = g->peers.v[m->id];
        alike = alike && peer->place.slot != PEER_OWN && !peer->server->slow_start &&
                peer->settings.weight == turns->members.v[0].weight;
    }
    return alike;
}

static void set_bars(upstream_t *g, bool backup)
{
    const schedule_t *turns = &g->turns[backup];
    unsigned slots = g->known.shared->slots;
    if (g->policy.method != UPSTREAM_LEAST_CONN || !are_alike(g, turns)) {
        g->bars[backup] = NULL;
        return;
    }
    if (!g->all_bars[backup]) g->all_bars[backup] = POOL_ARRAY(g->pool, uint32_t, slots);
    g->bars[backup] = g->all_bars[backup];
    g->bar_count[backup] = 0;
    for (unsigned i = 0; i < slots; i++) g->bars[backup][i] = INT32_MAX;
    VEC_EACH(const schedule_member_t, m, &turns->members)
    {
        unsigned slot = g->peers.v[m->id]->place.slot;
        g->bars[backup][slot] = 0;
        if (slot >= g->bar_count[backup]) g->bar_count[backup] = slot / 4 * 4 + 4;
    }
}

/* --- servers that come and go --- */

static void let_go(upstream_t *g, const upstream_server_t *s)
{
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->server == s) (*it)->gone = true;
}

void upstream_take_answer(upstream_t *g, upstream_server_t *s, const roster_answer_t *answer)
{
    let_go(g, s);
    s->answered = answer->version;
    for (unsigned i = 0; i < answer->count; i++) {
        net_addr_t addr = roster_address(&answer->addrs[i]);
        add_peer(g, s, &addr, &answer->addrs[i]);
    }
}

bool upstream_is_unresolved(const upstream_t *g, const upstream_server_t *s)
{
    if (!s->host.p) return false;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->server == s && !(*it)->gone) return false;
    return true;
}

str_t upstream_question(const upstream_server_t *s)
{
    return s->service.n ? s->service : s->name;
}

static void take_answers(upstream_t *g)
{
    static roster_answer_t answer; /* large */
    VEC_EACH(upstream_server_t, s, &g->servers)
        if (s->host.p &&
            roster_find(g->known.shared->roster, upstream_question(s), s->answered, &answer))
            upstream_take_answer(g, s, &answer);
}

static bool is_configured(const upstream_t *g, str_t name)
{
    for (unsigned i = 0; i < g->configured; i++)
        if (str_eq(g->servers.v[i].name, name)) return true;
    return false;
}

static void fill_place(upstream_t *g, upstream_server_t *s, const char *line)
{
    str_t why;
    upstream_server_t read;
    let_go(g, s);
    if (s->place.state) peers_leave(&g->known, &s->place);
    s->place.state = NULL;
    s->weight = 0;
    s->host = s->name = (str_t){NULL, 0};
    s->addr.len = 0;
    if (!line[0] || !server_line_parse(g->pool, str_of(line), &read, &why)) return;
    if (is_configured(g, read.name)) return; /* since the last reload */
    *s = read;
    s->alike = (unsigned)(s - g->servers.v);
    g->servers.n = g->servers.cap;
    g->has_names |= s->host.p != NULL;
    enter_name(g, s);
    if (!s->host.p) add_peer(g, s, &s->addr, NULL);
}

static void take_added(upstream_t *g)
{
    char line[ROSTER_LINE];
    for (unsigned i = 0; i < ROSTER_ADDED; i++)
        if (roster_line(g->known.shared->roster, i, &g->added[i], line))
            fill_place(g, &g->servers.v[g->configured + i], line);
}

void upstream_reorder(upstream_t *g)
{
    g->seen = peers_changes(&g->known); /* first: what changes from here on is for the next time */
    if (g->known.shared->roster) {
        if (g->added) take_added(g);
        take_answers(g);
    }
    take_settings(g);
    sort_peers(g);
    add_weights(g);
    order_turns(g, false);
    order_turns(g, true);
    set_bars(g, false);
    set_bars(g, true);
    if (g->policy.method != UPSTREAM_RING) return;
    chain_peers(g);
    make_ring(g);
}

/* Apart, so that a group that has been joined costs no more than a look. */
static void join(upstream_t *g)
{
    peers_join(&g->known, g->pool, g->zone ? g->zone->root : NULL, g->number);
    VEC_EACH(upstream_server_t, s, &g->servers)
    {
        enter_name(g, s);
        if (!s->host.p) add_peer(g, s, &s->addr, NULL);
    }
    g->ready = true;
    upstream_reorder(g);
}

void upstream_join(upstream_t *g)
{
    if (!g->ready) join(g);
}
