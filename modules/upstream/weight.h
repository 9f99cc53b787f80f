/*
 * weight: how much of its weight a peer has at present: one that came back has little of it at
 * first and all of it after slow_start, with every method. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_WEIGHT_H
#define MODULES_UPSTREAM_WEIGHT_H

#include "modules/upstream/upstream.h"

enum { WEIGHT_WHOLE = 1024 };

/* In WEIGHT_WHOLE-ths; not 0. */
static inline unsigned weight_share(const upstream_peer_t *peer)
{
    msec_t slow = peer->server->slow_start;
    uint64_t back = slow ? PEER_GET(peer->place.state->back_ms) : 0;
    uint64_t age = back ? peers_age(back) : slow;
    return age >= slow ? WEIGHT_WHOLE : (unsigned)(age * (WEIGHT_WHOLE - 1) / slow) + 1;
}

/* The weight of the moment, times WEIGHT_WHOLE. */
static inline uint64_t weight_of(const upstream_peer_t *peer)
{
    return (uint64_t)peer->settings.weight * weight_share(peer);
}

/* Whether its share of all lots (evenly spread numbers: drawn, or made from a key) has this one. */
static inline bool weight_takes(const upstream_peer_t *peer, uint32_t lot)
{
    return lot % WEIGHT_WHOLE < weight_share(peer);
}

#endif
