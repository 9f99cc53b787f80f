#include "modules/upstream/upstream_ctl.h"

#include "modules/upstream/discover.h"
#include "modules/upstream/state_file.h"
#include "modules/upstream/upstream_status.h"

enum { WORD_GROUP = 1, WORD_ACTION, WORD_SERVER, WORD_PARAMETERS };

static const char usage[] = "[NAME [list | server ADDRESS up|down|drain|weight=N|max_conns=N ... | "
                            "add ADDRESS [PARAMETER...] | remove ADDRESS]]";

/* --- groups --- */

static bool list_groups(ctl_call_t *call, const upstream_groups_t *groups)
{
    if (!groups) return true;
    VEC_EACH(upstream_t *, it, &groups->all)
        ctl_say(call, STR_FMT "\n", STR_ARG((*it)->name));
    return true;
}

static upstream_t *find_group(ctl_call_t *call, const upstream_groups_t *groups)
{
    str_t name = call->words[WORD_GROUP];
    upstream_t *found = NULL;
    if (groups)
        VEC_EACH(upstream_t *, it, &groups->all)
            if (!found && str_ieq((*it)->name, name)) found = *it;
    if (!found)
        ctl_fail(call, "there is no upstream \"" STR_FMT "\"; \"proxyd ctl upstream\" lists them",
                 STR_ARG(name));
    return found;
}

/* --- list --- */

static void list_peer(ctl_call_t *call, const upstream_t *g, const upstream_peer_t *peer)
{
    const peer_state_t *state = peer->place.state;
    bool same = str_eq(peer->name, peer->server->name);
    ctl_say(call, "%-24.*s %-10s %6u %6u %10llu %10llu%s%s" STR_FMT "\n", STR_ARG(peer->name),
            upstream_status_of(g, peer), peer->settings.weight,
            peers_active(&g->known, &peer->place),
            (unsigned long long)PEER_GET(state->requests),
            (unsigned long long)PEER_GET(state->failures),
            upstream_peer_is_backup(peer) ? "  backup" : "", same ? "" : "  ",
            same ? 0 : (int)peer->server->name.n, peer->server->name.p);
}

static const char *said_of_name(const upstream_server_t *s)
{
    uint32_t flags = s->place.state ? peers_settings(s->place.state).flags : 0;
    return flags & PEER_DOWN ? ", down" : flags & PEER_DRAIN ? ", draining" : "";
}

static bool list_servers(ctl_call_t *call, upstream_t *g)
{
    peers_look(&g->known);
    ctl_say(call, "%-24s %-10s %6s %6s %10s %10s\n", "server", "state", "weight", "active",
            "requests", "failures");
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone) list_peer(call, g, *it);
    VEC_EACH(const upstream_server_t, s, &g->servers)
        if (upstream_is_unresolved(g, s))
            ctl_say(call, "%-24.*s unresolved%s\n", STR_ARG(s->name), said_of_name(s));
    return true;
}

/* --- changes --- */

static bool is_meant(const upstream_peer_t *peer, str_t address)
{
    return !peer->gone && (str_eq(peer->name, address) || str_eq(peer->server->name, address));
}

static bool changed(ctl_call_t *call, upstream_t *g)
{
    int err = state_file_write(g, call->pool);
    if (!err) return true;
    LOG(&log_main, LOG_ERR, -err, "the state file \"" STR_FMT "\" cannot be written",
        STR_ARG(g->state));
    ctl_say(call, "done, but a restart will forget it: the state file \"" STR_FMT "\" cannot be "
                  "written (%d: %s); its directory must be writable for the workers' user\n",
            STR_ARG(g->state), -err, strerrordesc_np(-err));
    return true;
}

/* One of the words behind "server ADDRESS". */
static bool take_setting(ctl_call_t *call, str_t word, peer_settings_t *set)
{
    enum { WEIGHT_MOST = 65535 };
    str_t value;
    uint64_t n;
    uint32_t off = PEER_DOWN | PEER_DRAIN;
    if (str_eq(word, STR("up"))) set->flags &= ~off;
    else if (str_eq(word, STR("down"))) set->flags = (set->flags & ~off) | PEER_DOWN;
    else if (str_eq(word, STR("drain"))) set->flags = (set->flags & ~off) | PEER_DRAIN;
    else if (value_keyed(word, "weight", &value) && str_to_u64(value, &n) && n && n <= WEIGHT_MOST)
        set->weight = (uint32_t)n;
    else if (value_keyed(word, "max_conns", &value) && str_to_u64(value, &n) && n <= UINT32_MAX)
        set->max_conns = (uint32_t)n;
    else
        return ctl_fail(call, "\"" STR_FMT "\" is none of up, down, drain, weight=1 to %d and "
                              "max_conns=N (0: any number)", STR_ARG(word), WEIGHT_MOST);
    return true;
}

/* An operator who says "up" knows that it is. */
static void forgive(peer_state_t *state)
{
    PEER_SET(state->fails, 0);
    PEER_SET(state->out_ms, 0);
}

static bool set_place(ctl_call_t *call, upstream_t *g, const peer_place_t *place)
{
    if (place->slot == PEER_OWN)
        return ctl_fail(call, "the zone of \"" STR_FMT "\" has no room for this server, so the "
                              "other workers would not know; reload", STR_ARG(g->name));
    peer_settings_t set = peers_settings(place->state);
    bool up = false;
    for (unsigned i = WORD_PARAMETERS; i < call->n; i++) {
        if (!take_setting(call, call->words[i], &set)) return false;
        up |= str_eq(call->words[i], STR("up"));
    }
    if (up) forgive(place->state);
    peers_set(g->known.shared, place->state, &set);
    return true;
}

static bool no_such_server(ctl_call_t *call, const upstream_t *g)
{
    return ctl_fail(call, "\"" STR_FMT "\" is no server of \"" STR_FMT "\"; \"proxyd ctl upstream "
                          STR_FMT " list\" shows them", STR_ARG(call->words[WORD_SERVER]),
                    STR_ARG(g->name), STR_ARG(g->name));
}

static bool set_server(ctl_call_t *call, upstream_t *g)
{
    unsigned found = 0;
    str_t word = call->words[WORD_SERVER];
    if (call->n <= WORD_PARAMETERS)
        return ctl_fail(call, "say what: up, down, drain, weight=N, max_conns=N");
    VEC_EACH(const upstream_server_t, s, &g->servers) /* the name first: addresses are told later */
    {
        if (!s->place.state || !str_eq(s->name, word)) continue;
        if (!set_place(call, g, &s->place)) return false;
        found++;
    }
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        if (!is_meant(*it, word)) continue;
        if (!set_place(call, g, &(*it)->place)) return false;
        found++;
    }
    return found ? changed(call, g) : no_such_server(call, g);
}

/* --- add and remove --- */

static const upstream_server_t *find_server(const upstream_t *g, str_t name)
{
    VEC_EACH(const upstream_server_t, s, &g->servers)
        if (s->weight && str_eq(s->name, name)) return s;
    return NULL;
}

static bool add_server(ctl_call_t *call, upstream_t *g)
{
    upstream_server_t s;
    str_t why, name = call->words[WORD_SERVER];
    str_t line = server_line_of(call->pool, call->words + WORD_SERVER, call->n - WORD_SERVER);
    if (!server_line_parse(call->pool, line, &s, &why))
        return ctl_fail(call, STR_FMT, STR_ARG(why));
    if (find_server(g, name))
        return ctl_fail(call, "\"" STR_FMT "\" is a server of \"" STR_FMT "\" already",
                        STR_ARG(name), STR_ARG(g->name));
    if (!roster_add(g->known.shared->roster, line))
        return ctl_fail(call, "there is no room: at most %d servers of less than %d bytes are "
                              "added while serving; put them into the configuration and reload",
                        ROSTER_ADDED, ROSTER_LINE);
    peers_changed(g->known.shared);
    upstream_refresh(g);
    if (s.host.p) discover_wake();
    return changed(call, g);
}

static bool remove_server(ctl_call_t *call, upstream_t *g)
{
    const upstream_server_t *s = find_server(g, call->words[WORD_SERVER]);
    if (!s) return no_such_server(call, g);
    unsigned number = (unsigned)(s - g->servers.v);
    if (number < g->configured)
        return ctl_fail(call, "\"" STR_FMT "\" stands in the configuration: remove it there and "
                              "reload, or say \"server " STR_FMT " down\"", STR_ARG(s->name),
                        STR_ARG(s->name));
    if (s->place.state) peers_forget(s->place.state);
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if ((*it)->server == s) peers_forget((*it)->place.state);
    roster_remove(g->known.shared->roster, number - g->configured);
    peers_changed(g->known.shared);
    upstream_refresh(g);
    return changed(call, g);
}

/* --- the command --- */

static bool change(ctl_call_t *call, upstream_t *g)
{
    str_t action = call->words[WORD_ACTION];
    bool server = str_eq(action, STR("server")), add = str_eq(action, STR("add"));
    bool remove = str_eq(action, STR("remove"));
    if ((!server && !add && !remove) || call->n <= WORD_SERVER ||
        (remove && call->n > WORD_PARAMETERS))
        return ctl_fail(call, "usage: upstream %s", usage);
    if (!g->known.shared->roster)
        return ctl_fail(call, "this worker does not share the state of \"" STR_FMT "\", too many "
                              "workers run; try again", STR_ARG(g->name));
    if (!server && !g->added)
        return ctl_fail(call, "servers are added to an upstream block alone");
    return server ? set_server(call, g) : add ? add_server(call, g) : remove_server(call, g);
}

static bool run(ctl_call_t *call, const void *main_struct)
{
    const upstream_groups_t *groups = ((const upstream_conf_t *)main_struct)->groups;
    if (call->n == 1) return list_groups(call, groups);
    upstream_t *g = find_group(call, groups);
    if (!g) return false;
    upstream_join(g);
    upstream_refresh(g);
    bool list = call->n == 2 || (call->n == 3 && str_eq(call->words[WORD_ACTION], STR("list")));
    return list ? list_servers(call, g) : change(call, g);
}

const ctl_command_t upstream_ctl[] = {
    {"upstream", usage, 0, CTL_WORDS_MAX,
     "shows the servers of a group, or changes them for all workers at once", run},
    {NULL, NULL, 0, 0, NULL, NULL},
};
