/* cache_serve: what is stored as a reply: conditions and ranges are judged on it. */
#ifndef MODULES_CACHE_CACHE_SERVE_H
#define MODULES_CACHE_CACHE_SERVE_H

#include "modules/cache/cache.h"

/*
 * Answers with u->object, whose head is u->entry. stale: it is sent though the origin should have been
 * asked. What is still being fetched is sent as it comes. Suspends.
 */
verdict_t cache_serve(cache_use_t *u);

#endif
