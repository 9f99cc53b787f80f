/*
 * cache_slice: a response put together from parts that are kept one by one (RFC 9111 3.3, 3.4).
 *
 * `slice SIZE` has every response of a location fetched and stored in parts of SIZE bytes; without
 * it that is done for a Range that begins far inside of what is not stored, so that nobody waits
 * for the bytes before it, and once half of something stands in such parts (cache_parts) for
 * whatever else is asked of it. A part is asked for by an inner request (fetch.h) with that Range,
 * which takes the way of every request: looked up, fetched once for all who ask, validated,
 * stored, all as a 206 under a key of its own (cache_key_part). The key of the whole is a tag of
 * the parts, so that whatever drops the whole drops them.
 *
 * Parts are joined when the whole has one length and one strong validator in all of them
 * (RFC 9110 15.3.7.3); all but the first are fetched with If-Range. A stored one that differs is
 * dropped and fetched anew. When the origin's differs, too, it has changed meanwhile: the reply is
 * broken off, and what is kept of it is dropped.
 */
#ifndef MODULES_CACHE_CACHE_SLICE_H
#define MODULES_CACHE_CACHE_SLICE_H

#include "modules/cache/cache.h"

/* The parts of what is not cut by `slice`; nearer to the beginning the whole is fetched. */
enum { CACHE_SLICE_SIZE = 1 << 20 };

/*
 * Answers u's request, whose key is known, from parts of that size. *whole: it cannot, nothing was
 * sent, it is to be answered as a whole. picky: what could not be stored is not taken either: NEXT,
 * the client had better ask the origin for all of its range at once. Suspends.
 */
verdict_t cache_slice(cache_use_t *u, uint64_t size, bool picky, bool *whole);

/* Whether it is the Range of a GET that the answer depends on, and no condition beside it. */
bool cache_slice_only_range(const request_t *r);

/* The first position of the request's Range; 0 without one. */
uint64_t cache_slice_from(const request_t *r);

#endif
