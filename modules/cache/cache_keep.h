/* cache_keep: whether a response is kept, and what of it beside its body. Nothing suspends. */
#ifndef MODULES_CACHE_CACHE_KEEP_H
#define MODULES_CACHE_CACHE_KEEP_H

#include "modules/cache/cache.h"
#include "modules/cache/storable.h"

/* One response as it came. */
typedef struct cache_keep {
    const cache_conf_t *conf;
    request_t *in;                  /* that asked for it; all is made in its pool */
    const cache_control_t *request; /* of in */
    parse_method_t method;          /* GET: also of what stands for one */
    uint64_t asked_ms;              /* clock_ms */
    uint64_t tail;                  /* n > 0: for the last so many bytes (entry.h) */
    unsigned status;
    const header_list_t *headers;   /* from the origin */
    const reply_t *reply;           /* as clients are to see it */
    cache_control_t cc;             /* cache_keep_judge says these two */
    reuse_stored_t decide;
} cache_keep_t;

/* The rules of RFC 9111 with what the operator says. */
storable_t cache_keep_judge(cache_keep_t *k);

/* The head to be stored, with these fields, reason and type. */
str_t cache_keep_head(const cache_keep_t *k, str_t reason, str_t type, const header_list_t *fields);

/* Begins to store it. whole: for a part, the key of the whole. 0 or negative errno. */
int cache_keep_begin(store_fill_t *fill, const cache_keep_t *k, str_t whole);

#endif
