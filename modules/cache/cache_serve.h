/* cache_serve: what is stored as a reply: conditions and ranges are judged here. */
#ifndef MODULES_CACHE_CACHE_SERVE_H
#define MODULES_CACHE_CACHE_SERVE_H

#include "modules/cache/cache.h"

/* Sends u->object, of which u->entry is the head. Suspends. */
verdict_t cache_serve(cache_use_t *u);

/* Where the body of a 200 is. */
typedef struct cache_source {
    int64_t length; /* -1: not known yet */
    time_t date;    /* of the response */
    int (*send)(cache_use_t *u, uint64_t at, uint64_t n, unsigned flags); /* 0 or negative errno */
    verdict_t (*send_whole)(cache_use_t *u);
} cache_source_t;

/* The same when the reply's head is made, for a body that is elsewhere. */
verdict_t cache_serve_from(cache_use_t *u, const cache_source_t *source);

#endif
