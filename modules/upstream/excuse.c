#include "modules/upstream/excuse.h"

#include "core/base/strbuf.h"
#include "modules/upstream/upstream_status.h"

static bool was_tried(const choice_t *c, const upstream_peer_t *peer)
{
    VEC_EACH(upstream_peer_t *, it, &c->tried)
        if (*it == peer) return true;
    return false;
}

static const char *state_of(const choice_t *c, const upstream_peer_t *peer)
{
    const char *state = upstream_status_of(c->group, peer);
    if (strcmp(state, "up") != 0) return state;
    if (was_tried(c, peer)) return "tried";
    return choice_is_full(c->group, peer, 1) ? "full" : state;
}

static void add(strbuf_t *out, const choice_t *c, const upstream_peer_t *peer)
{
    const char *state = state_of(c, peer), *error = peer->place.state->error;
    bool failed = strcmp(state, "down") != 0 && strcmp(state, "full") != 0 && *error;
    strbuf_printf(out, "%s" STR_FMT " is %s%s%s", out->n ? "; " : "", STR_ARG(peer->name), state,
                  failed ? ": " : "", failed ? error : "");
}

str_t excuse_of(const choice_t *c)
{
    enum { MOST = 10 }; /* as a line of the log holds */
    strbuf_t out = {.pool = c->pool};
    unsigned told = 0, left = 0;
    VEC_EACH(upstream_peer_t *, it, &c->group->peers)
    {
        if ((*it)->gone) continue;
        if (told++ < MOST) add(&out, c, *it);
        else left++;
    }
    if (left) strbuf_printf(&out, "; and %u more", left);
    return strbuf_text(&out);
}
