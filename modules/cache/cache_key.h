/* cache_key: under which text the response to a request is kept, and which variant it selects. */
#ifndef MODULES_CACHE_CACHE_KEY_H
#define MODULES_CACHE_CACHE_KEY_H

#include "modules/cache/cache.h"
#include "modules/cache/reference.h"

/*
 * proxy_cache_key, or scheme, host, port and target. In the request's pool. p NULL: longer than
 * STORE_KEY_MAX, nothing can be kept for it.
 */
str_t cache_key_text(const cache_conf_t *c, request_t *r);

/* The same for another target of the same site; r is left as it is. */
str_t cache_key_of(const cache_conf_t *c, request_t *r, const reference_target_t *target);

/* What stands for the request's selecting fields, when responses of the key select by these. */
str_t cache_key_variant(request_t *r, str_t vary);

/* The target URI of the request: of what a response to it speaks. */
reference_target_t cache_key_target(request_t *r);

#endif
