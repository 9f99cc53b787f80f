#include "modules/cache/cache_slice.h"

#include <errno.h>

#include "core/base/clock.h"
#include "http/fetch.h"
#include "modules/cache/cache_fill.h"
#include "modules/cache/cache_key.h"
#include "modules/cache/cache_serve.h"
#include "modules/cache/partial.h"

/* Where a range begins that begins further on than anything is long. */
static const uint64_t beyond = INT64_MAX / 2;

typedef struct slice {
    uint64_t size;          /* of a part */
    bool picky;
    fetch_t *fetch;         /* of the present part; NULL: none is open */
    range_t part;           /* the present one */
    uint64_t at;            /* what its fetch offers next */
    int status;             /* its answer */
    bool fits;              /* it is the part that was asked for */
    bool found, kept, passed; /* as in cache_use_t */
    const char *cache_status;
    status_field_t field;
    bool known;             /* the first part has come; the rest is of it */
    uint64_t length;        /* of the whole */
    str_t validator;        /* p NULL: it has none */
    time_t date;
} slice_t;

uint64_t cache_slice_from(const request_t *r)
{
    range_set_t set;
    str_t value = header_value(&r->head.headers, HEADER_RANGE);
    if (r->method_id != METHOD_GET || str_istarts(value, STR("bytes=-"))) return 0;
    switch (range_parse(r->pool, value, beyond, RANGE_SPECS_MAX, &set)) {
    case RANGE_PARTIAL: return set.ranges.v[0].from;
    case RANGE_UNSATISFIED: return beyond;
    default: return 0;
    }
}

/* --- one part --- */

static time_t date_of(const request_t *in)
{
    str_t date = in->reply.date;
    if (!date.p && in->upstream_headers) date = header_value(in->upstream_headers, HEADER_DATE);
    time_t t = clock_parse_http_date(date);
    return t < 0 ? clock_unix() : t;
}

/* The first part says what the others have to be like. Texts live as long as s. */
static void take_first(slice_t *s, const partial_t *got, time_t date, str_t validator, pool_t *pool)
{
    s->known = true;
    s->length = got->length;
    s->validator = request_copy_text(pool, validator);
    s->date = date;
}

/* Runs in the part's fiber: what its head is like. */
static int part_head(void *state, request_t *in, bool outer_waits)
{
    cache_use_t *u = state, *inner = in->cache;
    partial_t got;
    if (!outer_waits) return -ECANCELED;
    slice_t *s = u->slice;
    time_t date = date_of(in);
    str_t validator = partial_validator(&in->reply.headers, date);
    s->status = in->reply.status;
    s->found = inner->found;
    s->kept = inner->kept;
    s->passed = inner->passed;
    s->cache_status = inner->status;
    s->field = inner->field;
    s->fits = s->status == 206 &&
              partial_fits(&in->reply.headers, &s->part, in->reply.length, &got) &&
              (!s->known || (got.length == s->length && str_eq(validator, s->validator)));
    if (s->fits && !s->known) take_first(s, &got, date, validator, u->r->pool);
    if (!s->fits && inner->found) store_remove(&inner->object);
    return FETCH_RELAY;
}

static int part_body(void *state, request_t *in, const piece_t *pieces, unsigned n, unsigned flags)
{
    (void)state, (void)in, (void)pieces, (void)n, (void)flags;
    return 0; /* it is relayed */
}

static void part_end(void *state, request_t *in, verdict_t v)
{
    (void)state, (void)in, (void)v;
}

static const fetch_ops_t ops = {part_head, part_body, part_end};

static request_t *part_request(const cache_use_t *u)
{
    const slice_t *s = u->slice;
    request_t *in = fetch_request(u->r);
    header_list_t *headers = &in->head.headers;
    cache_use_t *inner = POOL_NEW(in->pool, cache_use_t);
    in->method = in->head.method = STR("GET");
    in->method_id = in->head.method_id = METHOD_GET;
    header_add_id(headers, HEADER_RANGE, cache_key_range(in->pool, &s->part));
    if (s->known && s->validator.p)
        header_add_id(headers, HEADER_IF_RANGE, request_copy_text(in->pool, s->validator));
    inner->conf = u->conf;
    inner->part = s->part;
    in->cache = inner;
    return in;
}

static void close_part(slice_t *s)
{
    if (s->fetch) fetch_leave(s->fetch);
    s->fetch = NULL;
}

/* Asks for the part that holds the position. FETCH_RELAYED: s->status and s->fits tell. */
static fetch_stage_t open_part(cache_use_t *u, uint64_t at)
{
    slice_t *s = u->slice;
    close_part(s);
    s->part = (range_t){at / s->size * s->size, s->size};
    s->at = s->part.from;
    s->fits = s->found = false;
    s->status = 0;
    s->fetch = fetch_start(u->r, part_request(u), &ops, u);
    if (!s->fetch) return FETCH_LEFT;
    if (s->known) fetch_keep_apart(s->fetch);
    return fetch_wait(s->fetch);
}

/* --- the body --- */

/* There is no such part of what is being sent. Where the origin has another whole by now, nobody
   shall have more of the old one. */
static int missing(cache_use_t *u)
{
    slice_t *s = u->slice;
    bool changed = s->status == 200 || s->status == 206 || s->status == 416;
    LOG(&u->r->log, LOG_ERR, 0, "no slice from %llu on (status %d)%s",
        (unsigned long long)s->part.from, s->status,
        changed ? ": the response has changed at the origin" : "");
    if (changed) store_purge_key(u->conf->zone.store, &u->key, false);
    return -EPROTO;
}

/* The part with that position is open, and has not been read beyond it. 0 or negative errno. */
static int reach(cache_use_t *u, uint64_t at)
{
    slice_t *s = u->slice;
    if (s->fetch && at - s->part.from < s->part.n && s->at <= at) return 0;
    fetch_stage_t stage = open_part(u, at);
    if (s->found && !s->fits) stage = open_part(u, at); /* what was stored has been dropped */
    if (stage == FETCH_RELAYED && s->fits) return 0;
    return stage == FETCH_LEFT ? -ECONNABORTED : missing(u);
}

static piece_t cut(piece_t piece, uint64_t skip, uint64_t most)
{
    if (piece.fd < 0) piece.p += skip;
    else piece.at += (off_t)skip;
    piece.n -= skip;
    if (piece.n > most) piece.n = (size_t)most;
    return piece;
}

/* Of one offer what lies in [*at, *at + *n). */
static int pass_offer(cache_use_t *u, const fetch_offer_t *o, uint64_t *at, uint64_t *n,
                      unsigned flags)
{
    slice_t *s = u->slice;
    int err = 0;
    for (unsigned i = 0; i < o->n && *n > 0 && err == 0; i++) {
        uint64_t skip = *at - s->at, size = o->pieces[i].n;
        s->at += size;
        if (skip >= size) continue;
        piece_t piece = cut(o->pieces[i], skip, *n);
        *at += piece.n;
        *n -= piece.n;
        err = reply_body(u->r, &piece, 1, *n == 0 ? flags : o->flags & BODY_FLUSH);
    }
    return err;
}

/* Takes what the open part has next. 1: it is there; 0: it has come to its end; negative errno. */
static int take_next(cache_use_t *u, uint64_t *at, uint64_t *n, unsigned flags)
{
    slice_t *s = u->slice;
    fetch_offer_t o;
    if (!fetch_next(s->fetch, &o)) return 0;
    int err = pass_offer(u, &o, at, n, flags);
    fetch_took(s->fetch, err);
    return err < 0 ? err : !(o.flags & BODY_LAST);
}

/* A part that ends too early (its origin broke off, who fetched it was killed) is asked for once
   more where it did: it is the same, or there is none. */
static int send_slices(cache_use_t *u, uint64_t at, uint64_t n, unsigned flags)
{
    slice_t *s = u->slice;
    uint64_t broke_at = UINT64_MAX;
    while (n > 0) {
        int got = reach(u, at);
        if (got == 0) got = take_next(u, &at, &n, flags);
        if (got < 0) return got;
        bool early = got == 0 && n > 0 && at - s->part.from < s->part.n;
        if (early && broke_at == at) return -ECONNABORTED;
        if (early) broke_at = at;
        if (got == 0) close_part(s);
    }
    return 0;
}

static verdict_t send_all(cache_use_t *u)
{
    const slice_t *s = u->slice;
    request_t *r = u->r;
    r->reply.length = (int64_t)s->length;
    int err = reply_start(r);
    if (err == 0)
        err = r->reply.head_only ? reply_body(r, NULL, 0, BODY_LAST)
                                 : send_slices(u, 0, s->length, BODY_LAST);
    if (err < 0) reply_abort(r);
    return VERDICT(REPLIED);
}

/* --- the head --- */

/* Whether the parts may be joined; if not, one of them may still be all that is asked for. */
static bool is_joinable(const cache_use_t *u)
{
    const slice_t *s = u->slice;
    return s->validator.p || !s->picky || s->length <= s->size;
}

static verdict_t answer(cache_use_t *u)
{
    slice_t *s = u->slice;
    reply_t *reply = &u->r->reply;
    cache_source_t source = {(int64_t)s->length, s->date, send_slices, send_all};
    fetch_head(s->fetch);
    reply->status = 200;
    reply->reason = (str_t){NULL, 0};
    header_remove(&reply->headers, HEADER_CONTENT_RANGE);
    return cache_serve_from(u, &source);
}

/* Others that ask for it need not try in parts either. */
static verdict_t pass(cache_use_t *u)
{
    store_fill_t *fill = NULL;
    store_object_t *o = POOL_NEW(u->r->pool, store_object_t);
    store_turn_t turn = store_join(u->conf->zone.store, &u->key, u->variant, NULL, u->r->pool,
                                   &u->object, o, &fill);
    if (turn == STORE_FOLLOWS) store_close(o);
    if (turn == STORE_FILLER) store_fill_pass(fill, CACHE_PASS_SECONDS);
    return VERDICT(NEXT);
}

bool cache_slice_only_range(const request_t *r)
{
    static const header_id_t others[] = {HEADER_IF_RANGE, HEADER_IF_MATCH, HEADER_IF_NONE_MATCH,
                                         HEADER_IF_MODIFIED_SINCE, HEADER_IF_UNMODIFIED_SINCE};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (header_get(&r->head.headers, others[i])) return false;
    return r->method_id == METHOD_GET && header_get(&r->head.headers, HEADER_RANGE);
}

/* The first part's answer is there. */
static verdict_t take(cache_use_t *u, bool *whole)
{
    slice_t *s = u->slice;
    u->status = s->cache_status;
    u->field = s->field;
    if (s->fits && s->picky && !s->kept) {
        close_part(s);
        return s->passed ? pass(u) : VERDICT(NEXT);
    }
    if (s->fits && is_joinable(u)) return answer(u);
    *whole = s->status == 200 || s->status == 206 ||
             (s->status == 416 && !cache_slice_only_range(u->r));
    return *whole ? VERDICT(NEXT) : fetch_relay(s->fetch);
}

verdict_t cache_slice(cache_use_t *u, uint64_t size, bool picky, bool *whole)
{
    slice_t *s = u->slice = POOL_NEW(u->r->pool, slice_t);
    verdict_t v;
    *s = (slice_t){.size = size, .picky = picky};
    *whole = false;
    switch (open_part(u, cache_slice_from(u->r))) {
    case FETCH_RELAYED: v = take(u, whole); break;
    case FETCH_ENDED: v = fetch_verdict(s->fetch); break;
    default: v = s->fetch ? verdict_refuse(499, LOG_INFO, NULL)
                          : verdict_refuse(503, LOG_ALERT, "no connection is left for a slice");
    }
    close_part(s);
    return v;
}
