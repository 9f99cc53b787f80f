/*
 * status_field: the text of Cache-Status (RFC 9211). Pure; the text lies in the pool.
 */
#ifndef MODULES_CACHE_STATUS_FIELD_H
#define MODULES_CACHE_STATUS_FIELD_H

#include "core/base/pool.h"

/* Why a request went forward (RFC 9211 2.2). */
typedef enum status_field_fwd {
    STATUS_FIELD_NO_FWD,
    STATUS_FIELD_BYPASS,
    STATUS_FIELD_METHOD,
    STATUS_FIELD_URI_MISS,
    STATUS_FIELD_VARY_MISS,
    STATUS_FIELD_MISS,
    STATUS_FIELD_REQUEST,
    STATUS_FIELD_STALE,
    STATUS_FIELD_PARTIAL,
} status_field_fwd_t;

typedef struct status_field {
    str_t cache; /* our name in the list of caches */
    bool hit;    /* answered without going forward; fwd is none then */
    status_field_fwd_t fwd;
    unsigned fwd_status; /* what the origin answered; 0: not said */
    bool has_ttl;
    int64_t ttl; /* seconds of freshness left, negative when stale */
    bool stored, collapsed;
    str_t key, detail; /* p NULL: not said; bytes that no String may hold are left out */
} status_field_t;

/* Our member of the list. */
str_t status_field_text(pool_t *pool, const status_field_t *s);

/* The same behind what caches nearer to the origin said (p NULL: nothing). */
str_t status_field_append(pool_t *pool, str_t upstream, const status_field_t *s);

#endif
