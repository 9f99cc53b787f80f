#include "modules/cache/freshness.h"

#include "core/base/clock.h"

const freshness_options_t freshness_default = {.heuristic_percent = 10, .heuristic_max = 86400};

static int64_t bounded(int64_t seconds)
{
    if (seconds < 0) return 0;
    return seconds < CACHE_CONTROL_MAX ? seconds : CACHE_CONTROL_MAX;
}

bool freshness_heuristic_status(unsigned status)
{
    switch (status) {
    case 200: case 203: case 204: case 206: case 300: case 301: case 308:
    case 404: case 405: case 410: case 414: case 501:
        return true;
    default:
        return false;
    }
}

/* What Cache-Control gives; CACHE_CONTROL_NONE: nothing. */
static int64_t directive_lifetime(const cache_control_t *cc, const freshness_options_t *options)
{
    if (options->ignore_cache_control) return CACHE_CONTROL_NONE;
    return cc->s_maxage != CACHE_CONTROL_NONE ? cc->s_maxage : cc->max_age;
}

/* An Expires that is no date, such as "0", is past (RFC 9111 5.3). */
static int64_t expires_lifetime(str_t expires, time_t date)
{
    time_t t = clock_parse_http_date(expires);
    return t == (time_t)-1 ? 0 : bounded((int64_t)t - (int64_t)date);
}

static bool may_guess(unsigned status, const cache_control_t *cc)
{
    return freshness_heuristic_status(status) || (cc->flags & CACHE_CONTROL_PUBLIC);
}

static int64_t guessed_lifetime(const header_list_t *response, time_t date,
                                const freshness_options_t *options)
{
    time_t modified = clock_parse_http_date(header_value(response, HEADER_LAST_MODIFIED));
    if (modified == (time_t)-1 || modified >= date) return 0;
    int64_t guess = ((int64_t)date - (int64_t)modified) * options->heuristic_percent / 100;
    return bounded(guess < options->heuristic_max ? guess : options->heuristic_max);
}

static void find_lifetime(unsigned status, const header_list_t *response, const cache_control_t *cc,
                          const freshness_options_t *options, freshness_t *f)
{
    const header_t *expires = header_get(response, HEADER_EXPIRES);
    bool targeted = !options->ignore_cache_control && (cc->flags & CACHE_CONTROL_TARGETED);
    int64_t said = directive_lifetime(cc, options);
    f->source = FRESHNESS_EXPLICIT;
    if (said != CACHE_CONTROL_NONE) {
        f->lifetime = said;
    } else if (expires && !targeted && !options->ignore_expires) {
        f->lifetime = expires_lifetime(expires->value, f->date);
    } else {
        f->lifetime = may_guess(status, cc) ? guessed_lifetime(response, f->date, options) : 0;
        f->source = f->lifetime ? FRESHNESS_HEURISTIC : FRESHNESS_UNKNOWN;
    }
}

/* The first member of the list alone; what is no number counts as not sent (RFC 9111 5.1). */
static int64_t age_value(const header_list_t *response)
{
    str_t rest = header_value(response, HEADER_AGE), first;
    int64_t age = 0;
    if (header_element(&rest, &first)) cache_control_seconds(first, &age);
    return age;
}

freshness_t freshness_of(unsigned status, const header_list_t *response, const cache_control_t *cc,
                         time_t request_time, time_t response_time,
                         const freshness_options_t *options)
{
    freshness_t f = {.response_time = response_time};
    time_t date = clock_parse_http_date(header_value(response, HEADER_DATE));
    f.date = date == (time_t)-1 ? response_time : date;
    int64_t apparent = bounded((int64_t)response_time - (int64_t)f.date);
    int64_t delay = bounded((int64_t)response_time - (int64_t)request_time);
    int64_t corrected = bounded(age_value(response) + delay);
    f.initial_age = apparent > corrected ? apparent : corrected;
    find_lifetime(status, response, cc, options, &f);
    return f;
}

int64_t freshness_age(const freshness_t *f, time_t now)
{
    return bounded(f->initial_age + bounded((int64_t)now - (int64_t)f->response_time));
}

int64_t freshness_left(const freshness_t *f, time_t now)
{
    return f->lifetime - freshness_age(f, now);
}
