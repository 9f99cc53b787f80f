/*
 * cache_tail: the end of something that is not stored as a whole (RFC 9111 3.3).
 *
 * `Range: bytes=-500` is asked of the origin as it is, so that nobody waits for all that comes
 * before, and its 206 is kept under a key of its own, one for each whole. The same range is
 * answered with the same 206; another one when it lies wholly within. What a 206 encloses begins
 * where its Content-Range says and is as long as its body: where the two differ, the shorter
 * counts.
 */
#ifndef MODULES_CACHE_CACHE_TAIL_H
#define MODULES_CACHE_CACHE_TAIL_H

#include "modules/cache/cache.h"

/* For how many last bytes the request asks; 0: for something else, or for something beside. */
uint64_t cache_tail_asked(const request_t *r);

/* Turns u from the whole to its end, and back. False: the key is too long. */
bool cache_tail_enter(cache_use_t *u);
void cache_tail_leave(cache_use_t *u);

/* Whether a response to a request for the end of something is one that can be kept. */
bool cache_tail_fits(const header_list_t *headers, int64_t body);

/* Whether u's request can be answered from the 206 that was found; u->cut says how. */
bool cache_tail_covers(cache_use_t *u);

#endif
