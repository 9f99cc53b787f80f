/*
 * cache_fill: a fetch whose response may enter the store: validated, stored, or handed on.
 *
 * It runs in the fetch's own fiber and goes on when its client has left, as long as what it fetches
 * is worth keeping. Whatever it ends with, those who wait for it in other workers are woken.
 */
#ifndef MODULES_CACHE_CACHE_FILL_H
#define MODULES_CACHE_CACHE_FILL_H

#include "http/fetch.h"
#include "modules/cache/cache.h"

/* For how long requests for what was not storable do not wait for each other. */
enum { CACHE_PASS_SECONDS = 120 };

/*
 * Starts the fetch for which the turn was given (fill); what was found before is validated where it
 * can be. The outcome is written into *u while the request waits; with background set nobody waits.
 * NULL: it could not be started, and the turn was given back.
 */
fetch_t *cache_fill_start(cache_use_t *u, store_fill_t *fill, bool background);

#endif
