/*
 * cache: what the rooms that answer requests from a store share: one request's dealings with it.
 *
 *     cache_module   the content handler: look up, decide, answer or fetch; variables
 *     cache_conf     the directives
 *     cache_choice   proxy_cache with variables
 *     cache_key      under which text a request's response is kept
 *     cache_fill     a fetch whose response may enter the store
 *     cache_serve    what is stored as a reply
 *     cache_slice    a reply put together from parts that are stored one by one
 *     cache_parts    which of these there are
 *     cache_tail     the end of what is not stored
 *     cache_pack     each stored body packed once, for all who like it so
 *     cache_pack_large  the same for long ones, while nobody waits
 *     cache_post     answers to POST that are what GET would find
 *     cache_keep     whether a response is kept, and how
 *     cache_purge    what requests drop: PURGE, and those that change something
 *     store.h        what is stored, for all workers
 *
 * The decisions themselves are pure: storable, admit, freshness, reuse, vary, update, invalidate,
 * partial.
 */
#ifndef MODULES_CACHE_CACHE_H
#define MODULES_CACHE_CACHE_H

#include "http/range.h"
#include "http/request.h"
#include "modules/cache/cache_conf.h"
#include "modules/cache/partial.h"
#include "modules/cache/reuse.h"
#include "modules/cache/status_field.h"

/* What became of a fetch, as far as the request that waits for it is concerned. */
typedef enum cache_outcome {
    CACHE_ASKING,
    CACHE_STORED,    /* being stored: read along */
    CACHE_REFRESHED, /* what was stored is valid: read it again */
    CACHE_RELAYED,   /* not storable: it comes by the fetch */
    CACHE_FAILED,    /* a stale response may be sent in its place */
    CACHE_WHOLE,     /* the origin gives no end alone: ask for all */
} cache_outcome_t;

typedef struct cache_use {
    request_t *r;
    const cache_conf_t *conf;
    cache_control_t cc;        /* of the request */
    store_key_t key;
    range_t part;              /* n > 0: this part alone is asked for (cache_slice) */
    str_t whole;               /* the key of what it is a part of */
    str_t variant;             /* which of the key's representations this request selects */
    store_object_t object;     /* what was found; open until the request ends */
    struct post *post;         /* of cache_post: what may be kept of the answer; NULL: nothing */
    struct slice *slice;       /* of cache_slice: the parts of the reply; NULL: there are none */
    store_object_t seen;       /* what had been found before anybody was asked; closed */
    bool found;                /* there is one */
    store_object_t packed;     /* its body in another coding, for this client */
    bool has_packed;           /* it is open */
    entry_t entry;             /* of it */
    reuse_decision_t decision;
    bool fresh;                /* somebody has just fetched: another than `seen` serves as it is */
    bool fetched;              /* it was this request's own fetch */
    bool may_be_stale;         /* it may be sent though the origin ought to have been asked */
    bool noted;                /* Cache-Status has been said */
    bool counted;              /* by the store */
    bool kept;                 /* the reply is from the store, or on its way into it */
    bool passed;               /* answers are not storable, whoever asks */
    bool tail;                 /* the end alone is looked for, under a key of its own */
    partial_t cut;             /* range.n > 0: the reply is cut from this part, which was found */
    bool in_one;               /* has been tried in parts: it is answered as a whole */
    cache_outcome_t outcome;
    status_field_t field;      /* for Cache-Status */
    const char *status;        /* $upstream_cache_status; NULL: not yet known */
} cache_use_t;

extern unsigned cache_index;

#endif
