/* cache_purge: what requests drop from the store: PURGE, and those that change something. */
#ifndef MODULES_CACHE_CACHE_PURGE_H
#define MODULES_CACHE_CACHE_PURGE_H

#include "modules/cache/cache.h"

/*
 * Drops what the request names: the key of its URL with all variants; with "*" at the end of the
 * key all that begin so; the tags in its Surrogate-Key, Cache-Tag or xkey; with "Purge-All: 1" all
 * that the store has. "Soft-Purge: 1" leaves it stale.
 */
verdict_t cache_purge(const cache_conf_t *c, request_t *r);

/* A reply to a request that may have changed something: what it makes invalid (RFC 9111 4.4). */
void cache_purge_invalidate(const cache_conf_t *c, request_t *r);

#endif
