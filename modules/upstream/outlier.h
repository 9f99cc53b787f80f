/*
 * outlier: how long peers take, and which one takes so much longer than the others that it is out.
 *
 * Once a second one worker holds each peer's average latency against the median of its group: one
 * beyond outlier_factor times that, and beyond outlier_least, is out for outlier_time, unless as
 * many as outlier_share allows are out already. What was known of its latency is forgotten then.
 * Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_OUTLIER_H
#define MODULES_UPSTREAM_OUTLIER_H

#include "core/base/clock.h"
#include "modules/upstream/balance.h"

static inline bool outlier_is_out(const upstream_t *g, const upstream_peer_t *peer)
{
    return g->policy.outlier_factor && PEER_GET(peer->place.state->out_ms) > clock_ms();
}

/* An exchange is over: what it says of the peer's latency, where the group goes by that. */
void outlier_note(const balance_t *b, upstream_peer_t *peer, balance_result_t result,
                  const upstream_attempt_t *attempt);

#endif
