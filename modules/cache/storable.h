/*
 * storable: whether a response may be stored by a shared cache (RFC 9111 3). Pure.
 */
#ifndef MODULES_CACHE_STORABLE_H
#define MODULES_CACHE_STORABLE_H

#include "http/parse.h"
#include "modules/cache/freshness.h"
#include "modules/cache/reference.h"

typedef enum storable {
    STORABLE_YES,
    STORABLE_METHOD,        /* a method whose answers are not stored, or not under these terms */
    STORABLE_STATUS,        /* not final, forbidden, or not understood (must-understand) */
    STORABLE_NO_STORE,      /* of the request or the response */
    STORABLE_PRIVATE,       /* without fields */
    STORABLE_AUTHORIZATION, /* RFC 9111 3.5 */
    STORABLE_VARY,          /* "*": could never be selected */
    STORABLE_RANGE,         /* a 206 that is not one known part */
    STORABLE_SET_COOKIE,    /* and freshness would have been a guess */
    STORABLE_UNMARKED,      /* nothing says that it may be stored, and the status does not */
    STORABLE_USELESS,       /* stale from the start, and nothing to validate it by */
} storable_t;

typedef struct storable_options {
    bool ignore_cache_control; /* no-store, private and their like of the response */
    bool ignore_vary, ignore_set_cookie;
} storable_options_t;

typedef struct storable_request {
    parse_method_t method;
    const reference_target_t *target;
    const header_list_t *headers;
    const cache_control_t *cc;
} storable_request_t;

typedef struct storable_response {
    unsigned status;
    const header_list_t *headers;
    const cache_control_t *cc;
    const freshness_t *freshness;
} storable_response_t;

/* The first reason against it in the order above, or STORABLE_YES. */
storable_t storable_check(pool_t *pool, const storable_request_t *request,
                          const storable_response_t *response, const storable_options_t *options);

/* A few words for the log and for Cache-Status: "no-store". */
str_t storable_text(storable_t reason);

#endif
