#include "modules/upstream/outlier.h"

#include <stdlib.h>

#include "modules/upstream/latency.h"

enum { PERIOD_MS = 1000 };

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_judged(const upstream_t *g, const upstream_peer_t *peer)
{
    return peer->serves && !upstream_peer_is_backup(peer) && !outlier_is_out(g, peer);
}

/* The lower one of two in the middle; 0 when fewer than two are known. */
static uint64_t median_of(const upstream_t *g, pool_t *pool)
{
    uint64_t *all = POOL_ARRAY(pool, uint64_t, g->peers.n);
    unsigned n = 0;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (is_judged(g, *it) && (all[n] = latency_of((*it)->place.state))) n++;
    if (n < 2) return 0;
    qsort(all, n, sizeof(*all), by_size);
    return all[(n - 1) / 2];
}

static unsigned may_go(const upstream_t *g)
{
    unsigned all = 0, out = 0;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        if (!(*it)->serves || upstream_peer_is_backup(*it)) continue;
        all++;
        out += outlier_is_out(g, *it);
    }
    unsigned most = all * g->policy.outlier_share / 100;
    return most > out ? most - out : 0;
}

static void eject(const upstream_t *g, upstream_peer_t *peer, uint64_t us, uint64_t median,
                  const log_t *log)
{
    uint64_t until = clock_ms() + g->policy.outlier_time;
    peer_state_t *s = peer->place.state;
    PEER_SET(s->latency_us, 0);
    PEER_SET(s->back_ms, until);
    PEER_SET(s->out_ms, until);
    PEER_ADD(s->ejections, 1);
    if (log)
        LOG(log, LOG_WARNING, 0,
            "upstream server " STR_FMT " of \"" STR_FMT "\" is out for %llu ms: it takes %llu ms, "
            "the median is %llu ms", STR_ARG(peer->name), STR_ARG(g->name), g->policy.outlier_time,
            (unsigned long long)(us / 1000), (unsigned long long)(median / 1000));
}

/* One worker a second. */
static bool is_time(upstream_t *g)
{
    uint64_t *at = &g->known.shared->judged_ms;
    uint64_t now = clock_ms(), before = PEER_GET(*at);
    return now - before >= PERIOD_MS &&
           __atomic_compare_exchange_n(at, &before, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void outlier_judge(upstream_t *g, pool_t *pool, const log_t *log)
{
    const upstream_policy_t *policy = &g->policy;
    if (!policy->outlier_factor || !is_time(g)) return;
    uint64_t median = median_of(g, pool), least = policy->outlier_least * 1000;
    unsigned left = may_go(g);
    if (median == 0) return;
    VEC_EACH(upstream_peer_t *, it, &g->peers)
    {
        uint64_t us = latency_of((*it)->place.state);
        if (left == 0 || !is_judged(g, *it)) continue;
        if (us < least || us <= median * policy->outlier_factor) continue;
        eject(g, *it, us, median, log);
        left--;
    }
}
