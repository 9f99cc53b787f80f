/*
 * reuse: what is to be done for a request, with what is stored for it (RFC 9111 4, 5.2.1; RFC 5861;
 * RFC 8246). One pure function of (request, stored response, time).
 *
 * The stored response was found under the request's target and variant (vary.h). What RFC 9111
 * 4.2.4 forbids is never allowed by a request. Ranges and preconditions are judged afterwards, on
 * what this decided to send.
 */
#ifndef MODULES_CACHE_REUSE_H
#define MODULES_CACHE_REUSE_H

#include "http/parse.h"
#include "modules/cache/freshness.h"
#include "modules/cache/status_field.h"

/* What is kept of a response to decide by. */
typedef struct reuse_stored {
    unsigned status;
    unsigned flags;        /* of its Cache-Control, and REUSE_S_MAXAGE */
    freshness_t freshness;
    int64_t stale_while_revalidate, stale_if_error; /* seconds or CACHE_CONTROL_NONE */
} reuse_stored_t;

/* Among the flags: its lifetime is that of s-maxage, which implies proxy-revalidate. */
enum { REUSE_S_MAXAGE = 1 << 30 };

reuse_stored_t reuse_describe(unsigned status, const cache_control_t *cc, const freshness_t *f);

typedef enum reuse_action {
    REUSE_HIT,                    /* send it (it may be stale where max-stale allows that) */
    REUSE_STALE_WHILE_REVALIDATE, /* send it, and validate it in the background */
    REUSE_REVALIDATE,             /* ask the origin first, with its validators if it has some */
    REUSE_MISS,                   /* nothing of use is stored: ask the origin */
    REUSE_GATEWAY_TIMEOUT,        /* 504: the origin may not be asked (only-if-cached) */
} reuse_action_t;

typedef struct reuse_decision {
    reuse_action_t action;
    status_field_fwd_t fwd;  /* why the origin is asked, for Cache-Status */
    bool stale_if_lost;      /* with REVALIDATE: send it when the origin cannot be reached */
    bool stale_if_error;     /* with REVALIDATE: send it when the origin says 500, 502, 503, 504 */
    int64_t age, left;       /* seconds, when something is stored: Age; and until stale */
} reuse_decision_t;

/* stored: NULL when there is none. cc: of the request. */
reuse_decision_t reuse_decide(parse_method_t method, const cache_control_t *cc,
                              const reuse_stored_t *stored, time_t now);

#endif
