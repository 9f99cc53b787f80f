/*
 * cache_post: the answer to a POST that says of itself to be what a GET of the target finds: fresh
 * by its own word, with a Content-Location that is the target (RFC 9110 9.3.3, RFC 9111 4). One
 * of moderate size is kept before its client gets it, and answers later GETs and HEADs.
 */
#ifndef MODULES_CACHE_CACHE_POST_H
#define MODULES_CACHE_CACHE_POST_H

#include "modules/cache/cache.h"

/* Hook `made`: notes what such an answer is like before others edit it; then r->cache is there. */
void cache_post_look(request_t *r);

/* From a head hook, when the POST has invalidated what was there: begins to keep what was noted. */
void cache_post_begin(cache_use_t *u);

#endif
