/*
 * cache_parts: which parts of a representation have been stored by themselves, so that whoever asks
 * for all of it is answered from them, too, and the origin is asked for the rest alone (RFC 9111
 * 3.4).
 *
 * Kept in the store beside them, under a key of its own: a hint that may be behind the times.
 */
#ifndef MODULES_CACHE_CACHE_PARTS_H
#define MODULES_CACHE_CACHE_PARTS_H

#include "modules/cache/cache.h"

/* That part has been stored, of something of `length` bytes under the key `whole`. May suspend. */
void cache_parts_note(store_t *s, pool_t *pool, str_t whole, const range_t *part, uint64_t length);

/* Whether at least half of what the request asks for is there in parts. May suspend. */
bool cache_parts_suffice(const cache_use_t *u);

#endif
