/*
 * reference: URI references in responses (Location, Content-Location) against the target they
 * answer (RFC 3986 5.2). Only http and https. Pure.
 */
#ifndef MODULES_CACHE_REFERENCE_H
#define MODULES_CACHE_REFERENCE_H

#include "core/base/pool.h"

/* A target URI: the scheme in lower case, host with its port as in Host, "/path?query". */
typedef struct reference_target {
    str_t scheme, host, path;
} reference_target_t;

/*
 * What the reference means under base, without its fragment and with dot segments removed; false
 * when it is malformed or of another scheme. Escapes stay as they are.
 */
bool reference_resolve(pool_t *pool, const reference_target_t *base, str_t reference,
                       reference_target_t *out);

/* Whether two targets have one origin (RFC 9110 4.3.1): default ports are the same as none. */
bool reference_same_origin(const reference_target_t *a, const reference_target_t *b);

/* Whether they are one URI, paths compared byte by byte. */
bool reference_same(const reference_target_t *a, const reference_target_t *b);

#endif
