#include "modules/cache/storable.h"

static bool has(const cache_control_t *cc, unsigned flag)
{
    return (cc->flags & flag) != 0;
}

/* A POST says that its answer is what GET would find there (RFC 9110 9.3.3). */
static bool speaks_for_target(pool_t *pool, const storable_request_t *request,
                              const storable_response_t *response)
{
    const header_t *location = header_get(response->headers, HEADER_CONTENT_LOCATION);
    reference_target_t named;
    return location && reference_resolve(pool, request->target, location->value, &named) &&
           reference_same(request->target, &named);
}

static bool method_fits(pool_t *pool, const storable_request_t *request,
                        const storable_response_t *response)
{
    if (request->method == METHOD_GET) return true;
    return request->method == METHOD_POST && response->status != 206 &&
           response->freshness->source == FRESHNESS_EXPLICIT &&
           speaks_for_target(pool, request, response);
}

/* Statuses whose rules for caches are known here: those of RFC 9110 15, which has no more. */
static bool status_understood(unsigned status)
{
    return (status >= 200 && status <= 206) || (status >= 300 && status <= 308 && status != 306) ||
           (status >= 400 && status <= 417 && status != 402) || status == 421 || status == 422 ||
           status == 426 || (status >= 500 && status <= 505);
}

/* A 304 changes what is stored and is not stored itself; RFC 6585 forbids the four of its own. */
static bool status_fits(const storable_response_t *response)
{
    switch (response->status) {
    case 304: case 428: case 429: case 431: case 511:
        return false;
    default:
        return response->status >= 200 &&
               (!has(response->cc, CACHE_CONTROL_MUST_UNDERSTAND) ||
                status_understood(response->status));
    }
}

/* must-understand takes the place of the no-store beside it (RFC 9111 5.2.2.3). */
static bool store_forbidden(const cache_control_t *cc)
{
    return has(cc, CACHE_CONTROL_NO_STORE) && !has(cc, CACHE_CONTROL_MUST_UNDERSTAND);
}

/* RFC 9111 3.5. */
static bool authorization_forbids(const storable_request_t *request,
                                  const storable_response_t *response)
{
    const cache_control_t *cc = response->cc;
    return header_get(request->headers, HEADER_AUTHORIZATION) &&
           !has(cc, CACHE_CONTROL_PUBLIC | CACHE_CONTROL_MUST_REVALIDATE) &&
           cc->s_maxage == CACHE_CONTROL_NONE;
}

static bool range_fits(const storable_response_t *response)
{
    str_t range = str_trim(header_value(response->headers, HEADER_CONTENT_RANGE));
    str_t type = str_trim(header_value(response->headers, HEADER_CONTENT_TYPE));
    return response->status != 206 || (str_istarts(range, STR("bytes ")) &&
                                       !str_istarts(type, STR("multipart/byteranges")));
}

/* The last of RFC 9111 3: something says that it may be stored. */
static bool marked(const storable_response_t *response)
{
    return response->freshness->source == FRESHNESS_EXPLICIT ||
           has(response->cc, CACHE_CONTROL_PUBLIC) || freshness_heuristic_status(response->status);
}

/* Anything it could be used for: fresh for a while, stale for a while, or validated. */
static bool useful(const storable_response_t *response)
{
    return response->freshness->lifetime > 0 || response->cc->stale_while_revalidate > 0 ||
           response->cc->stale_if_error > 0 || header_get(response->headers, HEADER_ETAG) ||
           header_get(response->headers, HEADER_LAST_MODIFIED);
}

/* What Cache-Control and Authorization say against it. */
static storable_t check_directives(const storable_request_t *request,
                                   const storable_response_t *response,
                                   const storable_options_t *options)
{
    bool ignore = options->ignore_cache_control;
    if (has(request->cc, CACHE_CONTROL_NO_STORE)) return STORABLE_NO_STORE;
    if (!ignore && store_forbidden(response->cc)) return STORABLE_NO_STORE;
    if (!ignore && has(response->cc, CACHE_CONTROL_PRIVATE)) return STORABLE_PRIVATE;
    return authorization_forbids(request, response) ? STORABLE_AUTHORIZATION : STORABLE_YES;
}

/* What the response itself has against it. */
static storable_t check_response(const storable_response_t *response,
                                 const storable_options_t *options)
{
    const header_list_t *headers = response->headers;
    if (!options->ignore_vary && header_has_token(headers, HEADER_VARY, STR("*")))
        return STORABLE_VARY;
    if (!range_fits(response)) return STORABLE_RANGE;
    if (!options->ignore_set_cookie && header_get(headers, HEADER_SET_COOKIE) &&
        response->freshness->source == FRESHNESS_HEURISTIC)
        return STORABLE_SET_COOKIE;
    if (!marked(response)) return STORABLE_UNMARKED;
    return useful(response) ? STORABLE_YES : STORABLE_USELESS;
}

storable_t storable_check(pool_t *pool, const storable_request_t *request,
                          const storable_response_t *response, const storable_options_t *options)
{
    if (!method_fits(pool, request, response)) return STORABLE_METHOD;
    if (!status_fits(response)) return STORABLE_STATUS;
    storable_t reason = check_directives(request, response, options);
    return reason ? reason : check_response(response, options);
}

str_t storable_text(storable_t reason)
{
    static const str_t texts[] = {
        [STORABLE_YES] = STR_INIT("stored"),
        [STORABLE_METHOD] = STR_INIT("method"),
        [STORABLE_STATUS] = STR_INIT("status"),
        [STORABLE_NO_STORE] = STR_INIT("no-store"),
        [STORABLE_PRIVATE] = STR_INIT("private"),
        [STORABLE_AUTHORIZATION] = STR_INIT("authorization"),
        [STORABLE_VARY] = STR_INIT("vary-star"),
        [STORABLE_RANGE] = STR_INIT("range"),
        [STORABLE_SET_COOKIE] = STR_INIT("set-cookie"),
        [STORABLE_UNMARKED] = STR_INIT("unmarked"),
        [STORABLE_USELESS] = STR_INIT("no-freshness"),
    };
    return texts[reason];
}
