#include "modules/cache/reuse.h"

/* Never sent stale, whoever asks (RFC 9111 4.2.4; 5.2.2.2, 5.2.2.8, 5.2.2.10, 5.2.2.4). */
enum {
    NEVER_STALE = CACHE_CONTROL_MUST_REVALIDATE | CACHE_CONTROL_PROXY_REVALIDATE |
                  CACHE_CONTROL_NO_CACHE | REUSE_S_MAXAGE,
};

reuse_stored_t reuse_describe(unsigned status, const cache_control_t *cc, const freshness_t *f)
{
    return (reuse_stored_t){
        .status = status,
        .flags = cc->flags | (cc->s_maxage != CACHE_CONTROL_NONE ? REUSE_S_MAXAGE : 0),
        .freshness = *f,
        .stale_while_revalidate = cc->stale_while_revalidate,
        .stale_if_error = cc->stale_if_error,
    };
}

/* Whether the request's max-age is passed. A reload does not count against what said that it never
   changes while fresh (RFC 8246 2). */
static bool too_old(const cache_control_t *cc, const reuse_stored_t *stored,
                    const reuse_decision_t *d)
{
    if (cc->max_age == CACHE_CONTROL_NONE) return false;
    if (d->left > 0 && (stored->flags & CACHE_CONTROL_IMMUTABLE)) return false;
    return d->age > cc->max_age;
}

/* Whether the request is content with how fresh it is (RFC 9111 5.2.1.1 to 5.2.1.3). */
static bool fresh_enough(const cache_control_t *cc, const reuse_stored_t *stored,
                         const reuse_decision_t *d)
{
    if (too_old(cc, stored, d)) return false;
    if (d->left > 0) return cc->min_fresh == CACHE_CONTROL_NONE || d->left >= cc->min_fresh;
    return !(stored->flags & NEVER_STALE) && cc->min_fresh == CACHE_CONTROL_NONE &&
           cc->max_stale != CACHE_CONTROL_NONE && -d->left <= cc->max_stale;
}

/* Within a window of RFC 5861, counted from the end of freshness: 30 seconds are 30 seconds. */
static bool within(const reuse_decision_t *d, int64_t window)
{
    return window != CACHE_CONTROL_NONE && -d->left < window;
}

/* A request that names its own terms of freshness is not answered stale in passing. */
static bool may_revalidate_later(const cache_control_t *cc, const reuse_stored_t *stored,
                                 const reuse_decision_t *d)
{
    return !(stored->flags & NEVER_STALE) && d->left <= 0 &&
           cc->min_fresh == CACHE_CONTROL_NONE && cc->max_age == CACHE_CONTROL_NONE &&
           within(d, stored->stale_while_revalidate);
}

/* What may stand in for an origin that fails. A stored 5xx is no better than the failure. */
static void allow_stale(const cache_control_t *cc, const reuse_stored_t *stored,
                        reuse_decision_t *d)
{
    unsigned never = d->left > 0 ? CACHE_CONTROL_NO_CACHE : NEVER_STALE;
    if ((stored->flags & never) || (cc->flags & CACHE_CONTROL_NO_CACHE) || stored->status >= 500)
        return;
    d->stale_if_error = within(d, stored->stale_if_error) || within(d, cc->stale_if_error);
    d->stale_if_lost = d->stale_if_error || stored->stale_if_error == CACHE_CONTROL_NONE;
}

static void decide_stored(const cache_control_t *cc, const reuse_stored_t *stored,
                          reuse_decision_t *d)
{
    bool asked = cc->flags & CACHE_CONTROL_NO_CACHE;
    bool no_cache = stored->flags & CACHE_CONTROL_NO_CACHE;
    if (!asked && !no_cache && fresh_enough(cc, stored, d)) {
        d->action = REUSE_HIT;
    } else if (!asked && may_revalidate_later(cc, stored, d)) {
        d->action = REUSE_STALE_WHILE_REVALIDATE;
        d->fwd = STATUS_FIELD_STALE;
    } else {
        d->action = REUSE_REVALIDATE;
        d->fwd = !no_cache && d->left > 0 ? STATUS_FIELD_REQUEST : STATUS_FIELD_STALE;
        allow_stale(cc, stored, d);
    }
}

reuse_decision_t reuse_decide(parse_method_t method, const cache_control_t *cc,
                              const reuse_stored_t *stored, time_t now)
{
    reuse_decision_t d = {.action = REUSE_MISS, .fwd = STATUS_FIELD_METHOD};
    if (method != METHOD_GET && method != METHOD_HEAD) return d;
    d.fwd = STATUS_FIELD_URI_MISS;
    if (stored) {
        d.fwd = STATUS_FIELD_NO_FWD;
        d.age = freshness_age(&stored->freshness, now);
        d.left = freshness_left(&stored->freshness, now);
        decide_stored(cc, stored, &d);
    }
    bool asks = d.action == REUSE_REVALIDATE || d.action == REUSE_MISS;
    if (!asks || !(cc->flags & CACHE_CONTROL_ONLY_IF_CACHED)) return d;
    d.action = REUSE_GATEWAY_TIMEOUT;
    d.fwd = STATUS_FIELD_NO_FWD;
    d.stale_if_lost = d.stale_if_error = false;
    return d;
}
