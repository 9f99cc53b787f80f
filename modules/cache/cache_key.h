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

/* Of a part: the key of the whole, and what Range asks for it with, "bytes=0-499". p NULL as
   above. */
str_t cache_key_part(pool_t *pool, str_t whole, const range_t *part);
str_t cache_key_range(pool_t *pool, const range_t *part);

/* Of its end (cache_tail). p NULL as above. */
str_t cache_key_tail(pool_t *pool, str_t whole);

/* Of what is known about its parts (cache_parts). p NULL as above. */
str_t cache_key_parts(pool_t *pool, str_t whole);

/* $slice_range: the Range that goes to the origin. Empty in keys, and without `slice`. */
str_t cache_key_slice_range(request_t *r);

/* What stands for the request's selecting fields, when responses of the key select by these. */
str_t cache_key_variant(request_t *r, str_t vary);

/* The target URI of the request: of what a response to it speaks. */
reference_target_t cache_key_target(request_t *r);

#endif
