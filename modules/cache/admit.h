/*
 * admit: whether a response that was fetched may be stored, and what for: the rules of RFC 9111
 * with what the operator says (proxy_cache_valid, proxy_ignore_headers, X-Accel-Expires). Pure.
 */
#ifndef MODULES_CACHE_ADMIT_H
#define MODULES_CACHE_ADMIT_H

#include "core/base/vec.h"
#include "modules/cache/entry.h"
#include "modules/cache/storable.h"

/* proxy_cache_valid: how long a status is fresh when the response does not say. */
typedef struct admit_valid {
    unsigned status;  /* 0: any */
    int64_t seconds;  /* 0: is not stored */
} admit_valid_t;

typedef VEC(admit_valid_t) admit_valids_t;

typedef struct admit_rules {
    const admit_valids_t *valid;
    const str_t *targets; /* targeted fields (RFC 9213), the first that is there counts */
    size_t targets_n;
    unsigned ignored;     /* REPLY_IGNORE_ bits */
} admit_rules_t;

typedef struct admit_response {
    unsigned status;
    const header_list_t *headers; /* as they came from the origin */
    time_t asked, came;           /* seconds since 1970 */
} admit_response_t;

/*
 * STORABLE_YES: *decide is what it will be judged by. Else the reason. `cc` is what its
 * Cache-Control says either way.
 */
storable_t admit_judge(pool_t *pool, const storable_request_t *request,
                       const admit_response_t *response, const admit_rules_t *rules,
                       cache_control_t *cc, reuse_stored_t *decide);

#endif
