#include "modules/upstream/choice.h"

#include "core/base/clock.h"
#include "modules/upstream/outlier.h"

static bool was_tried(const choice_t *c, const upstream_peer_t *peer)
{
    for (unsigned i = 0; i < c->tried.n; i++)
        if (c->tried.v[i] == peer) return true;
    return false;
}

bool choice_has_failed(const upstream_peer_t *peer)
{
    unsigned most = peer->server->max_fails;
    return most && PEER_GET(peer->place.state->fails) >= most;
}

/* A group of one is never given up: there is no better choice. */
bool choice_rests(const upstream_t *g, const upstream_peer_t *peer)
{
    return choice_has_failed(peer) && upstream_has_choice(g) &&
           clock_ms() - PEER_GET(peer->place.state->checked_ms) <= peer->server->fail_timeout;
}

bool choice_is_full(const upstream_t *g, const upstream_peer_t *peer, unsigned more)
{
    unsigned most = peer->settings.max_conns;
    return most && peers_active(&g->known, &peer->place) + more > most;
}

static bool is_free(choice_t *c, const upstream_peer_t *peer)
{
    const upstream_t *g = c->group;
    if (was_tried(c, peer) || choice_rests(g, peer) ||
        (!c->take_outliers && outlier_is_out(g, peer)))
        return false;
    if (!choice_is_full(g, peer, 1)) return true;
    c->saturated = true;
    return false;
}

bool choice_fits(choice_t *c, const upstream_peer_t *peer, bool backup)
{
    return peer->serves && upstream_peer_is_backup(peer) == backup && is_free(c, peer);
}

bool choice_fits_own(choice_t *c, const upstream_peer_t *peer)
{
    return !peer->gone && peer->healthy && !(peer->settings.flags & PEER_DOWN) && is_free(c, peer);
}
