/*
 * cache_conf: the directives of the cache, but for proxy_cache_path (store_module).
 *
 * `proxy_cache NAME;` is enough: everything else has the default that RFC 9111 gives it. Directives
 * of nginx mean what they mean there where they are written.
 */
#ifndef MODULES_CACHE_CACHE_CONF_H
#define MODULES_CACHE_CACHE_CONF_H

#include "http/text.h"
#include "modules/cache/admit.h"
#include "modules/cache/store.h"

/* Bits of proxy_cache_use_stale: after what a stale response may be sent. */
enum {
    CACHE_STALE_ERROR = 1 << 0,
    CACHE_STALE_TIMEOUT = 1 << 1,
    CACHE_STALE_INVALID = 1 << 2,
    CACHE_STALE_UPDATING = 1 << 3,
    CACHE_STALE_500 = 1 << 4,
    CACHE_STALE_502 = 1 << 5,
    CACHE_STALE_503 = 1 << 6,
    CACHE_STALE_504 = 1 << 7,
    CACHE_STALE_403 = 1 << 8,
    CACHE_STALE_404 = 1 << 9,
    CACHE_STALE_429 = 1 << 10,
    CACHE_STALE_OFF = 1 << 11,
};

typedef struct cache_choice cache_choice_t;

/* proxy_cache */
typedef struct cache_zone {
    store_t *store;         /* NULL: no cache here, or: */
    cache_choice_t *choice; /* each request says which (cache_choice.h) */
} cache_zone_t;

typedef struct cache_conf {
    cache_zone_t zone;
    text_t key;
    admit_valids_t valid;
    text_list_t bypass, no_cache, purge;
    conf_strs_t targets;       /* targeted fields; empty: CDN-Cache-Control */
    unsigned methods, min_uses, use_stale;
    bool lock, background_update, revalidate, convert_head, status_field;
    msec_t lock_timeout, lock_age;
    size_t slice;              /* 0: off */
    size_t max_range_offset;   /* a range that begins further on is not worth fetching the whole */
    bool max_range_offset_set;
} cache_conf_t;

extern const conf_row_t cache_conf_rows[];

#endif
