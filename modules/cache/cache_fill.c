#include "modules/cache/cache_fill.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "modules/cache/cache_keep.h"
#include "modules/cache/cache_key.h"
#include "modules/cache/cache_parts.h"
#include "modules/cache/cache_tail.h"
#include "modules/cache/partial.h"
#include "modules/cache/update.h"

/* What is wrong with an origin may be over soon. */
enum { PASS_ERROR_SECONDS = 2 };

typedef struct filling {
    cache_use_t *waiting;    /* of the request that waits; touched only while it does */
    const cache_conf_t *conf;
    store_fill_t *fill;      /* NULL: ended */
    store_key_t key;
    store_object_t old;      /* what is validated */
    bool has_old;
    entry_t old_entry;
    cache_control_t cc;      /* of the request */
    bool has_stale;          /* something is there to be sent in place of an error */
    bool stale_if_error;     /* an error of the origin's is not worth having */
    range_t part;            /* n > 0: this part alone is asked for */
    uint64_t tail;           /* n > 0: the last so many bytes alone are asked for */
    uint64_t length;         /* of the whole that the part in hand is of; 0: it is none */
    str_t whole;             /* the key of the whole */
    uint64_t asked_ms;
} filling_t;

/* --- the request to the origin --- */

/* RFC 9111 4.3.1. */
static void add_validators(const filling_t *f, header_list_t *headers)
{
    str_t etag = header_value(&f->old_entry.headers, HEADER_ETAG);
    str_t modified = header_value(&f->old_entry.headers, HEADER_LAST_MODIFIED);
    if (etag.n) header_add_id(headers, HEADER_IF_NONE_MATCH, etag);
    if (modified.n) header_add_id(headers, HEADER_IF_MODIFIED_SINCE, modified);
}

static void take_over(request_t *in, const request_t *r, header_id_t id)
{
    str_t value = request_copy_text(in->pool, header_value(&r->head.headers, id));
    if (value.p) header_add_id(&in->head.headers, id, value);
}

static request_t *inner_request(cache_use_t *u)
{
    request_t *in = fetch_request(u->r);
    if (u->part.n || u->tail) { /* as its request asks for it */
        take_over(in, u->r, HEADER_RANGE);
        take_over(in, u->r, HEADER_IF_RANGE);
    }
    if (in->method_id == METHOD_POST) return in; /* proxy_cache_methods */
    in->method = in->head.method = STR("GET");
    in->method_id = in->head.method_id = METHOD_GET;
    return in;
}

/* A second hold on what was found: the first one ends with the request. */
static void hold_old(filling_t *f, const cache_use_t *u, request_t *in)
{
    bool post = in->method_id == METHOD_POST; /* to which a condition means something else */
    if (!u->found || u->object.filling || !u->conf->revalidate || post) return;
    if (store_open(u->conf->zone.store, &f->key, request_copy_text(in->pool, u->variant), in->pool,
                   &f->old) != STORE_HIT)
        return;
    f->has_old = entry_read(in->pool, f->old.head, &f->old_entry);
    if (f->has_old)
        add_validators(f, &in->head.headers);
    else
        store_close(&f->old);
}

/* --- what comes back --- */

static void tell(filling_t *f, bool outer_waits, cache_outcome_t outcome)
{
    if (outer_waits && f->waiting) f->waiting->outcome = outcome;
}

static void tell_reply(filling_t *f, bool outer_waits, unsigned status, bool stored)
{
    if (!outer_waits || !f->waiting) return;
    f->waiting->field.fwd_status = status;
    f->waiting->field.stored = stored;
}

/* Whether the response is of what was asked for: all, or that part. */
static bool is_asked_for(filling_t *f, const request_t *in, const header_list_t *headers,
                         unsigned status)
{
    partial_t got;
    if (f->tail) return status != 206 || cache_tail_fits(headers, in->reply.length);
    if (status != 206) return !f->part.n || status != 200;
    if (!f->part.n || !partial_fits(headers, &f->part, in->reply.length, &got)) return false;
    f->length = got.length;
    return true;
}

static cache_keep_t judged(filling_t *f, request_t *in, const header_list_t *headers,
                           unsigned status, storable_t *why)
{
    cache_keep_t k = {.conf = f->conf, .in = in, .request = &f->cc, .method = METHOD_GET,
                      .tail = f->tail, .asked_ms = f->asked_ms, .status = status,
                      .headers = headers, .reply = &in->reply};
    *why = cache_keep_judge(&k);
    return k;
}

/* --- 304 --- */

/* The stored fields with those of the 304, as it came or as clients are to see it. */
static bool merge(request_t *in, const entry_t *old, const header_list_t *with,
                  const cache_control_t *cc, header_list_t *out)
{
    header_list_init(out, in->pool);
    HEADER_EACH(h, &old->headers)
        if (!header_add_as(out, h->id, h->name, h->value)) return false;
    return update_apply(out, with, cc);
}

/* What it says may be that what is stored must not be any more. */
static int refresh(filling_t *f, request_t *in, const header_list_t *headers)
{
    cache_control_t cc;
    header_list_t said, shown;
    storable_t why;
    cache_control_response(in->pool, headers, NULL, 0, &cc);
    if (!merge(in, &f->old_entry, headers, &cc, &said) ||
        !merge(in, &f->old_entry, &in->reply.headers, &cc, &shown))
        return -EMSGSIZE;
    cache_keep_t k = judged(f, in, &said, f->old_entry.decide.status, &why);
    if (why != STORABLE_YES && why != STORABLE_USELESS) return store_remove(&f->old), -EACCES;
    str_t type = in->reply.content_type.p ? in->reply.content_type : f->old_entry.content_type;
    k.tail = f->old_entry.tail;
    str_t head = cache_keep_head(&k, f->old_entry.reason, type, &shown);
    int err = store_fill_refresh(f->fill, &f->old, head);
    f->fill = NULL;
    return err;
}

/* A 304 to our condition. FETCH_TAKE, or an error: it is not about what we have. */
static int take_unmodified(filling_t *f, request_t *in, const header_list_t *headers, bool waits)
{
    if (!update_selects(&f->old_entry.headers, headers, true)) return -EBADMSG;
    if (refresh(f, in, headers) < 0) return -EBADMSG;
    tell(f, waits, CACHE_REFRESHED);
    tell_reply(f, waits, 304, true);
    return FETCH_TAKE;
}

/* --- anything else --- */

/* pass: for so many seconds the next ones need not wait for each other; 0: they had better. */
static void give_up(filling_t *f, unsigned pass)
{
    if (!f->fill) return;
    if (pass)
        store_fill_pass(f->fill, pass);
    else
        store_fill_abandon(f->fill);
    f->fill = NULL;
}

/* Reasons that lie in the response, so that the next request would find the same. */
static bool holds_for_all(const filling_t *f, storable_t why)
{
    if (why == STORABLE_NO_STORE && f->cc.flags & CACHE_CONTROL_NO_STORE) return false;
    if (why == STORABLE_RANGE) return f->part.n > 0 || f->tail > 0;
    return why == STORABLE_NO_STORE || why == STORABLE_PRIVATE || why == STORABLE_VARY ||
           why == STORABLE_SET_COOKIE || why == STORABLE_UNMARKED || why == STORABLE_USELESS ||
           why == STORABLE_STATUS;
}

static int relay(filling_t *f, bool waits, unsigned status, bool for_all)
{
    unsigned seconds = status < 500 ? CACHE_PASS_SECONDS : PASS_ERROR_SECONDS;
    give_up(f, for_all ? seconds : 0);
    if (waits && f->waiting) f->waiting->passed = for_all;
    tell(f, waits, CACHE_RELAYED);
    tell_reply(f, waits, status, false);
    return waits ? FETCH_RELAY : -ECANCELED;
}

static bool is_error(unsigned status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

static bool stale_instead(const filling_t *f, unsigned status)
{
    static const struct {
        unsigned status, flag;
    } flags[] = {{500, CACHE_STALE_500}, {502, CACHE_STALE_502}, {503, CACHE_STALE_503},
                 {504, CACHE_STALE_504}, {403, CACHE_STALE_403}, {404, CACHE_STALE_404},
                 {429, CACHE_STALE_429}};
    if (f->stale_if_error && is_error(status)) return true;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i].status == status) return f->has_stale && f->conf->use_stale & flags[i].flag;
    return false;
}

/* An error in place of which a stale response serves: nobody needs it. */
static int fail(filling_t *f, bool waits, unsigned status)
{
    give_up(f, 0);
    tell(f, waits, CACHE_FAILED);
    tell_reply(f, waits, status, false);
    return -ECANCELED;
}

/* Range was not heeded: it had better be stored as what it is. */
static int all_instead(filling_t *f, bool waits)
{
    give_up(f, 0);
    tell(f, waits, CACHE_WHOLE);
    return -ECANCELED;
}

static int fill_head(void *state, request_t *in, bool waits)
{
    filling_t *f = state;
    unsigned status = (unsigned)in->reply.status;
    const header_list_t *headers = in->upstream_headers ? in->upstream_headers : &in->reply.headers;
    storable_t why;
    if (f->has_old && status == 304) return take_unmodified(f, in, headers, waits);
    if (stale_instead(f, status)) return fail(f, waits, status);
    if (f->tail && status == 200) return all_instead(f, waits);
    cache_keep_t k = judged(f, in, headers, status, &why);
    if (!is_asked_for(f, in, headers, status)) why = STORABLE_RANGE;
    if (why != STORABLE_YES) return relay(f, waits, status, holds_for_all(f, why));
    if (text_any(&f->conf->no_cache, in)) return relay(f, waits, status, false);
    if (cache_keep_begin(f->fill, &k, f->whole) < 0) return relay(f, waits, status, false);
    tell(f, waits, CACHE_STORED);
    tell_reply(f, waits, status, true);
    return FETCH_TAKE;
}

static int fill_body(void *state, request_t *in, const piece_t *pieces, unsigned n, unsigned flags)
{
    filling_t *f = state;
    (void)in, (void)flags;
    if (!f->fill) return 0; /* a 304 has none */
    for (unsigned i = 0; i < n; i++) {
        ASSERT(pieces[i].fd < 0); /* an origin's bytes come in memory */
        int err = store_fill_body(f->fill, str_make(pieces[i].p, pieces[i].n));
        if (err < 0) return err;
    }
    return 0;
}

static void fill_end(void *state, request_t *in, verdict_t v)
{
    filling_t *f = state;
    (void)v;
    if (f->fill && in->reply.finished && !in->reply.aborted) {
        bool stored = store_fill_commit(f->fill) == 0;
        f->fill = NULL;
        if (stored && f->length && !f->conf->slice)
            cache_parts_note(f->conf->zone.store, in->pool, f->whole, &f->part, f->length);
    }
    give_up(f, 0);
    if (f->has_old) store_close(&f->old);
    free(f);
}

static const fetch_ops_t ops = {fill_head, fill_body, fill_end};

static fetch_t *start(filling_t *f, request_t *r, request_t *in)
{
    if (in->method_id == METHOD_POST && body_share(r, in) < 0) return request_end(in), NULL;
    return fetch_start(f->waiting ? r : NULL, in, &ops, f);
}

fetch_t *cache_fill_start(cache_use_t *u, store_fill_t *fill, bool background)
{
    request_t *in = inner_request(u);
    filling_t *f = calloc(1, sizeof(*f));
    if (!f) panic("out of memory: cache");
    *f = (filling_t){.waiting = background ? NULL : u, .conf = u->conf, .fill = fill, .key = u->key,
                     .cc = u->cc, .asked_ms = clock_ms(),
                     .has_stale = u->may_be_stale,
                     .stale_if_error = u->decision.stale_if_error};
    f->key.text = pool_str(in->pool, u->key.text);
    f->part = u->part;
    if (u->tail) f->tail = cache_tail_asked(u->r);
    if (u->part.n || u->tail) f->whole = pool_str(in->pool, u->whole);
    hold_old(f, u, in);
    u->outcome = CACHE_ASKING;
    fetch_t *fetch = start(f, u->r, in);
    if (fetch) return fetch;
    give_up(f, 0);
    if (f->has_old) store_close(&f->old);
    free(f);
    return NULL;
}
