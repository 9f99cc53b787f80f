/*
 * cache_control: what Cache-Control says (RFC 9111 5.2), or a targeted field in its stead (9213).
 *
 * Of a directive that comes several times the first counts; no-cache and private are added up, and
 * their form without fields wins. A delta-seconds that is malformed or missing counts as 0, which
 * is the cautious reading of every directive that has one (RFC 9111 4.2.1). What is unknown is
 * passed over. Lists of field names lie in the pool or in the fields themselves. Pure.
 */
#ifndef MODULES_CACHE_CACHE_CONTROL_H
#define MODULES_CACHE_CACHE_CONTROL_H

#include "http/header.h"

enum {
    CACHE_CONTROL_NO_STORE = 1 << 0,
    CACHE_CONTROL_NO_CACHE = 1 << 1, /* without fields */
    CACHE_CONTROL_PRIVATE = 1 << 2,  /* without fields */
    CACHE_CONTROL_PUBLIC = 1 << 3,
    CACHE_CONTROL_MUST_REVALIDATE = 1 << 4,
    CACHE_CONTROL_PROXY_REVALIDATE = 1 << 5,
    CACHE_CONTROL_MUST_UNDERSTAND = 1 << 6,
    CACHE_CONTROL_NO_TRANSFORM = 1 << 7,
    CACHE_CONTROL_IMMUTABLE = 1 << 8,      /* RFC 8246 */
    CACHE_CONTROL_ONLY_IF_CACHED = 1 << 9, /* in requests */
    CACHE_CONTROL_TARGETED = 1 << 10,      /* a targeted field spoke: Expires does not count */
};

/* delta-seconds: none, and the largest, to which larger ones are cut (RFC 9111 1.2.2). */
#define CACHE_CONTROL_NONE ((int64_t)-1)
#define CACHE_CONTROL_MAX ((int64_t)1 << 31)

typedef struct cache_control {
    unsigned flags;
    int64_t max_age, s_maxage; /* seconds or CACHE_CONTROL_NONE, as all below */
    int64_t stale_while_revalidate, stale_if_error; /* RFC 5861 */
    int64_t max_stale, min_fresh;                   /* in requests; max-stale alone: the largest */
    str_t no_cache_fields, private_fields;          /* "a, b"; empty: none */
} cache_control_t;

/* The targeted fields that are heeded unless the operator names others: CDN-Cache-Control. */
extern const str_t cache_control_targets[1];

/* A number of seconds; false when s is none (RFC 9111 1.2.2). Cut to CACHE_CONTROL_MAX. */
bool cache_control_seconds(str_t s, int64_t *out);

/* Of a request: Cache-Control, or without one "Pragma: no-cache" (RFC 9111 5.4). */
void cache_control_request(pool_t *pool, const header_list_t *request, cache_control_t *out);

/*
 * Of a response: the first of the n fields `targets` that is there and valid, else Cache-Control.
 * A targeted field that is empty or no Dictionary counts as not there (RFC 9213 2.2).
 */
void cache_control_response(pool_t *pool, const header_list_t *response, const str_t *targets,
                            size_t n, cache_control_t *out);

/* Whether the list "a, b" has the field name, in any case. */
bool cache_control_lists(str_t fields, str_t name);

#endif
