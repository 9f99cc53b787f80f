#include "modules/upstream/upstream_status.h"

#include "modules/upstream/choice.h"
#include "modules/upstream/outlier.h"

const char *upstream_status_of(const upstream_t *g, const upstream_peer_t *peer)
{
    if (peer->settings.flags & PEER_DOWN) return "down";
    if (peer->settings.flags & PEER_DRAIN) return "draining";
    if (!peer->healthy) return "unhealthy";
    if (outlier_is_out(g, peer)) return "ejected";
    if (choice_rests(g, peer)) return "resting";
    return "up";
}

static void write_failures(report_t *r, const peer_state_t *state, const tally_sum_t *sum)
{
    report_open(r, "failures");
    report_count(r, "all", PEER_GET(state->failures));
    for (unsigned i = UPSTREAM_FINE + 1; i < UPSTREAM_FAILURES; i++)
        report_count(r, tally_failure_names[i], sum->failures[i]);
    report_close(r);
}

static void write_responses(report_t *r, const tally_sum_t *sum)
{
    static const char *const classes[TALLY_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    report_open(r, "responses");
    for (unsigned i = 0; i < TALLY_CLASSES; i++) report_count(r, classes[i], sum->responses[i]);
    report_close(r);
}

static void write_latency(report_t *r, const tally_sum_t *sum)
{
    report_open(r, "latency");
    report_ms(r, "p50", tally_percentile(sum, 50));
    report_ms(r, "p90", tally_percentile(sum, 90));
    report_ms(r, "p99", tally_percentile(sum, 99));
    report_close(r);
}

static void write_last_error(report_t *r, const peer_state_t *state)
{
    report_open(r, "last_error");
    report_time(r, "time", PEER_GET(state->error_ms));
    report_text(r, "text", str_of(state->error));
    report_close(r);
}

static void write_peer(report_t *r, const upstream_t *g, const upstream_peer_t *peer)
{
    const peer_state_t *state = peer->place.state;
    tally_sum_t sum = peers_tally(&g->known, &peer->place);
    report_item(r, "server", peer->name);
    report_text(r, "name", peer->server->name);
    report_state(r, "state", str_of(upstream_status_of(g, peer)));
    report_flag(r, "backup", upstream_peer_is_backup(peer));
    report_gauge(r, "weight", peer->settings.weight);
    report_gauge(r, "max_conns", peer->settings.max_conns);
    report_gauge(r, "active", peers_active(&g->known, &peer->place));
    report_count(r, "requests", PEER_GET(state->requests));
    write_failures(r, state, &sum);
    write_responses(r, &sum);
    report_count(r, "received", sum.received);
    report_count(r, "sent", sum.sent);
    write_latency(r, &sum);
    write_last_error(r, state);
    report_count(r, "ejections", PEER_GET(state->ejections));
    report_close(r);
}

/* One address given twice is one peer to all workers. */
static bool is_repeated(const upstream_t *g, unsigned i)
{
    const peer_place_t *place = &g->peers.v[i]->place;
    for (unsigned j = 0; j < i; j++)
        if (g->peers.v[j]->place.state == place->state) return true;
    return false;
}

static void write_unresolved(report_t *r, const upstream_server_t *s)
{
    report_item(r, "server", s->name);
    report_state(r, "state", STR("unresolved"));
    report_close(r);
}

static void write_group(report_t *r, upstream_t *g)
{
    report_item(r, "upstream", g->name);
    report_flag(r, "shared", g->zone != NULL);
    report_list(r, "servers");
    for (unsigned i = 0; i < g->peers.n; i++)
        if (!g->peers.v[i]->gone && !is_repeated(g, i)) write_peer(r, g, g->peers.v[i]);
    VEC_EACH(const upstream_server_t, s, &g->servers)
        if (upstream_is_unresolved(g, s)) write_unresolved(r, s);
    report_close(r);
    report_close(r);
}

static void write_upstreams(report_t *r, const void *main_struct)
{
    const upstream_conf_t *c = main_struct;
    if (!c->groups) return; /* there is no http block */
    VEC_EACH(upstream_t *, it, &c->groups->all)
    {
        upstream_join(*it);
        upstream_refresh(*it);
        peers_look(&(*it)->known);
        write_group(r, *it);
    }
}

const report_section_t upstream_status[] = {{"upstreams", write_upstreams}, {NULL, NULL}};
