/*
 * invalidate: what a request that changes something makes invalid (RFC 9111 4.4). Pure.
 */
#ifndef MODULES_CACHE_INVALIDATE_H
#define MODULES_CACHE_INVALIDATE_H

#include "http/header.h"
#include "modules/cache/reference.h"

enum { INVALIDATE_MAX = 3 };

/* Whether the method may change what GET answers: every one that is not known to be safe. */
bool invalidate_unsafe(str_t method);

/*
 * The targets whose stored responses are to be dropped after `method` on `target` was answered so:
 * the target itself, and Location and Content-Location where they have its origin. How many; none
 * when the method is safe or the answer is not 2xx or 3xx. Paths may lie in the pool.
 */
unsigned invalidate_targets(pool_t *pool, str_t method, const reference_target_t *target,
                            unsigned status, const header_list_t *response,
                            reference_target_t out[INVALIDATE_MAX]);

#endif
