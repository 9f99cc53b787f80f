#include "modules/cache/admit.h"

#include "http/reply.h"

static int64_t bounded(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds > CACHE_CONTROL_MAX ? CACHE_CONTROL_MAX : seconds;
}

/* A lifetime that is counted from now, whatever Age says: it is the operator's, not the
   origin's. */
static void set_lifetime(freshness_t *f, int64_t seconds)
{
    f->source = FRESHNESS_EXPLICIT;
    f->lifetime = bounded(seconds + f->initial_age);
}

/* "60", "0" (not to be stored), "@1700000000"; false: neither. */
static bool accel_seconds(str_t value, time_t now, int64_t *seconds)
{
    uint64_t n;
    bool moment = value.n && value.p[0] == '@';
    if (!str_to_u64(moment ? str_sub(value, 1, value.n) : value, &n)) return false;
    int64_t cut = n > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)n;
    *seconds = moment ? bounded(cut - (int64_t)now) : bounded(cut);
    return true;
}

/* X-Accel-Expires, if it is heeded: how long, in place of all else that says so, as in nginx. */
static bool take_accel(const admit_response_t *response, const admit_rules_t *rules,
                       int64_t *seconds)
{
    str_t accel = str_trim(header_value(response->headers, HEADER_X_ACCEL_EXPIRES));
    return accel.n && !(rules->ignored & REPLY_IGNORE_ACCEL_EXPIRES) &&
           accel_seconds(accel, response->came, seconds);
}

static bool has_cookie(const admit_response_t *response, const admit_rules_t *rules)
{
    return header_get(response->headers, HEADER_SET_COOKIE) &&
           !(rules->ignored & REPLY_IGNORE_SET_COOKIE);
}

static const admit_valid_t *valid_for(const admit_valids_t *valids, unsigned status)
{
    const admit_valid_t *any = NULL;
    VEC_EACH(const admit_valid_t, v, valids)
    {
        if (v->status == status) return v;
        if (v->status == 0) any = v;
    }
    return any;
}

/* What the operator says in place of the response. That some status may be kept does not mean that
   a cookie may be given to others (as in nginx). */
static storable_t overrule(const admit_response_t *response, const admit_rules_t *rules,
                           freshness_t *f)
{
    int64_t seconds;
    if (take_accel(response, rules, &seconds)) {
        set_lifetime(f, seconds);
        if (seconds <= 0) return STORABLE_USELESS;
        return has_cookie(response, rules) ? STORABLE_SET_COOKIE : STORABLE_YES;
    }
    if (f->source == FRESHNESS_EXPLICIT) return STORABLE_YES;
    const admit_valid_t *valid = valid_for(rules->valid, response->status);
    if (!valid) return STORABLE_YES;
    set_lifetime(f, valid->seconds);
    if (valid->seconds == 0) return STORABLE_USELESS;
    return has_cookie(response, rules) ? STORABLE_SET_COOKIE : STORABLE_YES;
}

/* What is ignored was not said. X-Accel-Expires takes the place of all but the windows for what is
   stale, as in nginx. */
static void ignore(bool accel, const freshness_options_t *options, cache_control_t *cc)
{
    cache_control_t none = {.max_age = CACHE_CONTROL_NONE, .s_maxage = CACHE_CONTROL_NONE,
                            .stale_while_revalidate = CACHE_CONTROL_NONE,
                            .stale_if_error = CACHE_CONTROL_NONE, .max_stale = CACHE_CONTROL_NONE,
                            .min_fresh = CACHE_CONTROL_NONE};
    if (accel) {
        none.stale_while_revalidate = cc->stale_while_revalidate;
        none.stale_if_error = cc->stale_if_error;
    }
    if (options->ignore_cache_control) *cc = none;
}

storable_t admit_judge(pool_t *pool, const storable_request_t *request,
                       const admit_response_t *response, const admit_rules_t *rules,
                       cache_control_t *cc, reuse_stored_t *decide)
{
    int64_t seconds;
    freshness_options_t options = freshness_default;
    bool accel = take_accel(response, rules, &seconds);
    options.ignore_expires = accel || rules->ignored & REPLY_IGNORE_EXPIRES;
    options.ignore_cache_control = accel || rules->ignored & REPLY_IGNORE_CACHE_CONTROL;
    cache_control_response(pool, response->headers, rules->targets, rules->targets_n, cc);
    ignore(accel, &options, cc);
    freshness_t f = freshness_of(response->status, response->headers, cc, response->asked,
                                 response->came, &options);
    storable_t overruled = overrule(response, rules, &f);
    storable_options_t how = {.ignore_cache_control = options.ignore_cache_control,
                              .ignore_vary = rules->ignored & REPLY_IGNORE_VARY,
                              .ignore_set_cookie = rules->ignored & REPLY_IGNORE_SET_COOKIE};
    storable_response_t judged = {response->status, response->headers, cc, &f};
    storable_t why = storable_check(pool, request, &judged, &how);
    *decide = reuse_describe(response->status, cc, &f);
    return why != STORABLE_YES ? why : overruled;
}
