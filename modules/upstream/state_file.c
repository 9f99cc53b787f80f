#include "modules/upstream/state_file.h"

#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/process/generation.h"
#include "core/process/paths.h"
#include "modules/upstream/server_line.h"

/* --- reading --- */

static bool take_peer(conf_t *cf, const tree_node_t *node, upstream_t *g)
{
    upstream_server_t s = {.weight = 1};
    if (!server_line_parameters(cf, node, &s)) return false;
    *VEC_PUSH(g->pool, &g->kept) =
        (upstream_kept_t){pool_str(g->pool, node->words[1].text), upstream_settings(&s)};
    return true;
}

static bool take_server(conf_t *cf, const tree_node_t *node, upstream_t *g)
{
    upstream_server_t s;
    if (!server_line_read(cf, node, &s)) return false;
    *VEC_PUSH(g->pool, &g->kept_lines) = server_line_text(g->pool, node);
    return true;
}

static bool take_line(conf_t *cf, const tree_node_t *node, upstream_t *g)
{
    bool good = node->n >= 2 && !node->block;
    if (good && str_eq(node->words[0].text, STR("server"))) return take_server(cf, node, g);
    if (good && str_eq(node->words[0].text, STR("peer"))) return take_peer(cf, node, g);
    return conf_error(cf, node, 0, NULL, "neither \"server\" nor \"peer\"");
}

/* The directory is made for the workers, who write there; one that is there is left as it is. */
static void prepare_directory(conf_t *cf, str_t path)
{
    str_t directory = paths_directory(cf->pool, path);
    if (access(directory.p, F_OK) != 0) tempdir_want(&generation_of(cf)->tempdirs, directory);
}

void state_file_read(conf_t *cf, const tree_node_t *node, upstream_t *g)
{
    conf_t own = {.pool = cf->pool, .diag = diag_new(cf->pool)};
    prepare_directory(cf, g->state);
    if (access(g->state.p, F_OK) != 0) return;
    const tree_node_t *root = tree_load(cf->pool, own.diag, g->state);
    if (diag_errors(own.diag) == 0)
        for (const tree_node_t *n = root->children; n; n = n->next)
            if (!take_line(&own, n, g)) break;
    if (diag_errors(own.diag) == 0) return;
    g->kept.n = g->kept_lines.n = 0;
    conf_warn(cf, node, 1, "mend or remove it; the next change at run time writes it anew",
              "the state file cannot be used, the group starts as configured: " STR_FMT,
              STR_ARG(diag_first(own.diag)));
}

/* --- writing --- */

static bool is_changed(const peer_place_t *place)
{
    peer_settings_t set = peers_settings(place->state);
    return memcmp(&set, &place->state->configured, sizeof(set)) != 0;
}

static void write_settings(strbuf_t *out, const peer_state_t *state)
{
    peer_settings_t set = peers_settings(state);
    strbuf_printf(out, " weight=%u max_conns=%u%s%s%s;\n", set.weight, set.max_conns,
                  set.flags & PEER_DOWN ? " down" : "", set.flags & PEER_DRAIN ? " drain" : "",
                  set.flags & PEER_BACKUP ? " backup" : "");
}

/* One that is as configured is worth a line where its name is not. */
static void write_peer(strbuf_t *out, const upstream_peer_t *peer)
{
    const upstream_server_t *s = peer->server;
    bool exception = s->place.state && is_changed(&s->place);
    if (peer->gone || peer->place.slot == PEER_OWN) return;
    if (!exception && !is_changed(&peer->place)) return;
    strbuf_printf(out, "peer \"" STR_FMT " " STR_FMT "\"", STR_ARG(peer->name), STR_ARG(s->name));
    write_settings(out, peer->place.state);
}

static void write_name(strbuf_t *out, const upstream_server_t *s)
{
    if (!s->place.state || !is_changed(&s->place)) return;
    strbuf_printf(out, "peer \"" STR_FMT "\"", STR_ARG(s->name));
    write_settings(out, s->place.state);
}

static str_t content(const upstream_t *g, pool_t *pool)
{
    char line[ROSTER_LINE];
    strbuf_t out = {.pool = pool};
    strbuf_printf(&out, "# What was changed at run time of the servers of \"" STR_FMT
                        "\"; written by proxyd.\n", STR_ARG(g->name));
    for (unsigned i = 0; i < ROSTER_ADDED; i++) {
        uint64_t seen = 0;
        if (roster_line(g->known.shared->roster, i, &seen, line) && line[0])
            strbuf_printf(&out, "%s\n", line);
    }
    VEC_EACH(const upstream_server_t, s, &g->servers) write_name(&out, s);
    VEC_EACH(upstream_peer_t *, it, &g->peers) write_peer(&out, *it);
    return strbuf_text(&out);
}

/* Others make changes at the same time: who writes last has seen them all. */
int state_file_write(upstream_t *g, pool_t *pool)
{
    enum { TRIES = 8 };
    if (!g->state.n) return 0;
    for (int i = 0; i < TRIES; i++) {
        upstream_refresh(g);
        uint64_t changes = peers_changes(&g->known);
        int err = paths_replace(pool, g->state.p, content(g, pool));
        if (err || changes == peers_changes(&g->known)) return err;
    }
    return 0;
}
