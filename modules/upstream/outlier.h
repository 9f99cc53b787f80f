/*
 * outlier: which peer takes so much longer than the others that it is out.
 *
 * Once a second one worker holds each peer's latency against the median of its group: one beyond
 * outlier_factor times that, and beyond outlier_least, is out for outlier_time, unless as many as
 * outlier_share allows are out already. What was known of its latency is forgotten then. Nothing
 * suspends.
 */
#ifndef MODULES_UPSTREAM_OUTLIER_H
#define MODULES_UPSTREAM_OUTLIER_H

#include "core/base/clock.h"
#include "core/base/log.h"
#include "modules/upstream/upstream.h"

static inline bool outlier_is_out(const upstream_t *g, const upstream_peer_t *peer)
{
    return g->policy.outlier_factor && PEER_GET(peer->place.state->out_ms) > clock_ms();
}

/* Judges the group if it goes by outliers and if it is time. log, where it is told, may be NULL. */
void outlier_judge(upstream_t *g, pool_t *pool, const log_t *log);

#endif
