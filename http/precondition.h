/*
 * precondition: conditional requests (RFC 9110 section 13): whether a representation is to be sent.
 *
 * For whoever has a representation in hand: files, the cache. Pure; nothing suspends.
 */
#ifndef HTTP_PRECONDITION_H
#define HTTP_PRECONDITION_H

#include <time.h>

#include "http/parse.h"

/* How If-Modified-Since is taken. */
typedef enum precondition_since {
    PRECONDITION_SINCE_OFF,    /* not at all */
    PRECONDITION_SINCE_EXACT,  /* unmodified when the dates are equal */
    PRECONDITION_SINCE_BEFORE, /* unmodified when not modified after it, as the RFC has it */
} precondition_since_t;

/* What there is to be sent. */
typedef struct precondition_target {
    str_t etag;           /* with its quotes and W/; p NULL: none */
    time_t last_modified; /* -1: unknown */
    time_t now;           /* a date as young as this is no strong validator (RFC 9110 8.8.2.2) */
    precondition_since_t since;
} precondition_target_t;

typedef enum precondition {
    PRECONDITION_PASS,         /* answer as if there had been none */
    PRECONDITION_NOT_MODIFIED, /* 304 */
    PRECONDITION_FAILED,       /* 412 */
} precondition_t;

/*
 * Judges If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range, in the order
 * of RFC 9110 13.2.2. *range: whether the request's Range counts (GET, one Range, If-Range holds).
 * A date that is malformed, or given several times, counts as not given.
 */
precondition_t precondition_check(const header_list_t *request, parse_method_t method,
                                  const precondition_target_t *target, bool *range);

/* Whether the request has any of these fields, or Range. */
bool precondition_asked(const header_list_t *request);

#endif
