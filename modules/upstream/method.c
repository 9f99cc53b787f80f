#include "modules/upstream/method.h"

#include "modules/upstream/keyed.h"
#include "modules/upstream/latency.h"
#include "modules/upstream/lot.h"
#include "modules/upstream/weight.h"

/* --- turns --- */

/* A peer whose weight is less than usual at present passes some of its turns on. */
static bool use_turn(upstream_peer_t *peer)
{
    peer_state_t *s = peer->place.state;
    int32_t effective = PEER_GET(s->effective), weight = (int32_t)peer->settings.weight;
    if (effective < weight) PEER_SET(s->effective, effective + 1);
    uint64_t price = (uint64_t)peer->cost * WEIGHT_WHOLE;
    if (effective > 0) peer->credit += (uint64_t)effective * weight_share(peer);
    if (peer->credit < price) return false;
    peer->credit = (peer->credit - price) % price;
    return true;
}

static uint64_t take_ticket(const upstream_t *g)
{
    return PEER_ADD(g->known.shared->ticket, 1);
}

/* Others draw at the same time: who has not been drawn after all turns is looked for. */
static upstream_peer_t *any(choice_t *c, bool backup)
{
    VEC_EACH(const schedule_member_t, m, &c->group->turns[backup].members)
        if (choice_fits(c, c->group->peers.v[m->id], backup)) return c->group->peers.v[m->id];
    return NULL;
}

static upstream_peer_t *by_turns(choice_t *c, bool backup)
{
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    upstream_peer_t *resting = NULL;
    for (unsigned i = 0; i < s->turns.n; i++) {
        upstream_peer_t *peer = g->peers.v[s->turns.v[take_ticket(g) % s->turns.n]];
        if (!choice_fits(c, peer, backup)) continue;
        if (use_turn(peer)) return peer;
        resting = peer;
    }
    return resting ? resting : any(c, backup);
}

/* --- fewest exchanges --- */

static int compare_load(const upstream_t *g, const upstream_peer_t *a, const upstream_peer_t *b)
{
    uint64_t x = peers_active(&g->known, &a->place) * weight_of(b);
    uint64_t y = peers_active(&g->known, &b->place) * weight_of(a);
    return x < y ? -1 : x > y;
}

/* Among equals whose turn it is. */
static upstream_peer_t *among_equals(choice_t *c, bool backup, upstream_peer_t *best)
{
    enum { DRAWS = 8 };
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    for (unsigned i = 0; i < DRAWS; i++) {
        upstream_peer_t *peer = g->peers.v[s->turns.v[take_ticket(g) % s->turns.n]];
        if (peer == best) return best;
        if (compare_load(g, peer, best) == 0 && choice_fits(c, peer, backup)) return peer;
    }
    return best;
}

static double usual_weight(const upstream_peer_t *peer)
{
    return (double)peer->settings.weight * WEIGHT_WHOLE;
}

/*
 * Exchanges for its weight. One that is coming back has few, and would be flooded: what its first
 * one costs more than usual counts before it is there.
 */
static double load_of(const upstream_peer_t *peer, double active)
{
    return (active + 1) / (double)weight_of(peer) - 1 / usual_weight(peer);
}

/* Where all weights are alike: the next one from somewhere on with fewest exchanges, or that which
   was drawn, if no other has less to do. NULL: those that have may not be asked. */
static upstream_peer_t *with_least(choice_t *c, bool backup, upstream_peer_t *drawn)
{
    upstream_t *g = c->group;
    const schedule_t *s = &g->turns[backup];
    uint32_t least = peers_sum(&g->known, g->bars[backup], g->bar_count[backup]);
    if (least >= g->known.sums[drawn->place.slot]) return drawn;
    unsigned at = (unsigned)(take_ticket(g) % s->members.n);
    for (unsigned i = 0; i < s->members.n; i++) {
        upstream_peer_t *peer = g->peers.v[s->members.v[at].id];
        if (++at == s->members.n) at = 0;
        if (g->known.sums[peer->place.slot] == least && choice_fits(c, peer, backup)) return peer;
    }
    return NULL;
}

/* Whose turn it is, unless others have less to do. */
static upstream_peer_t *by_load(choice_t *c, bool backup)
{
    upstream_t *g = c->group;
    upstream_peer_t *best = by_turns(c, backup), *drawn = best;
    if (!best) return NULL;
    unsigned begun = peers_active(&g->known, &best->place);
    if (begun && g->bars[backup] && (best = with_least(c, backup, drawn))) return best;
    best = drawn;
    double least = begun / (double)weight_of(best);
    const schedule_t *s = &g->turns[backup];
    for (unsigned i = 0; i < s->members.n && least > 0; i++) {
        upstream_peer_t *peer = g->peers.v[s->members.v[i].id];
        double active = peers_active(&g->known, &peer->place);
        if (active >= least * usual_weight(peer)) continue; /* most; it is never less than that */
        double load = load_of(peer, active);
        if (load >= least || !choice_fits(c, peer, backup)) continue;
        best = peer;
        least = load;
    }
    return best == drawn ? best : among_equals(c, backup, best);
}

/* --- chance --- */

/* By weight, for each stands in the schedule as often. */
static upstream_peer_t *by_chance(choice_t *c, bool backup, const upstream_peer_t *but)
{
    upstream_t *g = c->group;
    enum { TRIES = 20 };
    const schedule_t *s = &g->turns[backup];
    for (unsigned i = 0; i < TRIES && s->turns.n; i++) {
        upstream_peer_t *peer = g->peers.v[s->turns.v[lot_below(s->turns.n)]];
        if (peer == but || !choice_fits(c, peer, backup)) continue;
        if (weight_takes(peer, lot_draw())) return peer;
    }
    return NULL;
}

/* What one more request would wait. Of a peer that never answered, yet was asked: long. */
static uint64_t cost_of(const upstream_t *g, const upstream_peer_t *peer)
{
    enum { UNKNOWN_US = 1000 * 1000 };
    uint64_t active = peers_active(&g->known, &peer->place), us = latency_of(peer->place.state);
    if (us == 0) return active * UNKNOWN_US;
    return us * (active + 1);
}

static bool is_better(const upstream_t *g, const upstream_peer_t *a, const upstream_peer_t *b)
{
    if (g->policy.by_time) return cost_of(g, a) < cost_of(g, b);
    return compare_load(g, a, b) < 0;
}

static upstream_peer_t *better_of_two(choice_t *c, bool backup)
{
    upstream_peer_t *one = by_chance(c, backup, NULL);
    if (!one) return by_turns(c, backup);
    upstream_peer_t *other = by_chance(c, backup, one);
    return other && is_better(c->group, other, one) ? other : one;
}

static upstream_peer_t *random_one(choice_t *c, bool backup)
{
    upstream_peer_t *peer = by_chance(c, backup, NULL);
    return peer ? peer : by_turns(c, backup);
}

/* --- all of them --- */

bool method_counts(const upstream_policy_t *policy)
{
    switch (policy->method) {
    case UPSTREAM_LEAST_CONN:
    case UPSTREAM_LEAST_TIME:
    case UPSTREAM_RANDOM_TWO: return true;
    default: return policy->bound > 0;
    }
}

upstream_peer_t *method_pick(choice_t *c, bool backup)
{
    switch (c->group->policy.method) {
    case UPSTREAM_ROUND_ROBIN: return by_turns(c, backup);
    case UPSTREAM_LEAST_CONN: return by_load(c, backup);
    case UPSTREAM_RANDOM: return random_one(c, backup);
    case UPSTREAM_RANDOM_TWO:
    case UPSTREAM_LEAST_TIME: return better_of_two(c, backup);
    default: break;
    }
    upstream_peer_t *peer = backup ? NULL : keyed_pick(c);
    return peer ? peer : by_turns(c, backup);
}
