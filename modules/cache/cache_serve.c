#include "modules/cache/cache_serve.h"

#include <errno.h>
#include <limits.h>

#include "core/base/clock.h"
#include "http/http.h"
#include "http/precondition.h"
#include "http/range.h"
#include "modules/cache/cache_pack.h"
#include "modules/cache/freshness.h"

enum { RANGES_MOST = 16, READ_MOST = 1 << 20 };

/* The descriptor of a piece that stands for bytes of the stored body: `at` and `n` say which. */
enum { STORED_BODY = INT_MAX };

/* --- the head --- */

static void add_age(request_t *r, int64_t age)
{
    char digits[20];
    size_t n = str_put_u64(digits, (uint64_t)age);
    header_add_id(&r->reply.headers, HEADER_AGE, pool_str(r->pool, str_make(digits, n)));
}

/* For $upstream_http_NAME: what the origin said once, unless one has been asked now. */
static void tell_origins_fields(cache_use_t *u)
{
    entry_t *e = &u->entry;
    if (u->r->upstream_headers) return;
    if (e->content_type.p) header_add_id(&e->headers, HEADER_CONTENT_TYPE, e->content_type);
    u->r->upstream_headers = &e->headers;
}

/* Status and fields as they are stored, but for those that may not be sent unasked. */
static void make_head(cache_use_t *u)
{
    request_t *r = u->r;
    const entry_t *e = &u->entry;
    reply_reset(r, (int)e->decide.status);
    if (e->reason.n) r->reply.reason = e->reason;
    r->reply.content_type = e->content_type;
    r->reply.date = e->date;
    HEADER_EACH(h, &e->headers)
    {
        bool kept_back = e->no_cache_fields.n && !u->fresh &&
                         cache_control_lists(e->no_cache_fields, h->name);
        if (!kept_back) header_add_as(&r->reply.headers, h->id, h->name, h->value);
    }
    add_age(r, freshness_age(&e->decide.freshness, clock_unix()));
    tell_origins_fields(u);
}

/* --- the body --- */

/* `n` bytes of the body of o from `at` on; n < 0: all there is. 0 or negative errno. */
static int send_stored(cache_use_t *u, store_object_t *o, uint64_t at, int64_t n, unsigned flags)
{
    request_t *r = u->r;
    while (n != 0) {
        piece_t piece;
        size_t most = n < 0 || n > READ_MOST ? READ_MOST : (size_t)n;
        ssize_t got = store_read(o, at, most, UINT64_MAX, &piece);
        if (got < 0) return (int)got;
        if (got == 0) return n < 0 ? reply_body(r, NULL, 0, flags) : -EIO;
        at += (uint64_t)got;
        if (n > 0) n -= got;
        bool last = n == 0 || (n < 0 && o->length >= 0 && at == (uint64_t)o->length);
        int err = reply_body(r, &piece, 1, last ? flags : o->filling ? BODY_FLUSH : 0);
        if (err < 0 || last) return err;
    }
    return reply_body(r, NULL, 0, flags);
}

static verdict_t finish(cache_use_t *u, int err)
{
    request_t *r = u->r;
    if (err == -EIO)
        LOG(&r->log, LOG_ERR, 0, "cached response ended early while sending to client");
    if (err < 0) reply_abort(r);
    return VERDICT(REPLIED);
}

static verdict_t send_object(cache_use_t *u, store_object_t *o)
{
    request_t *r = u->r;
    r->reply.length = o->length >= 0 ? o->length : REPLY_LENGTH_UNKNOWN;
    int err = reply_start(r);
    if (err == 0 && r->reply.head_only) return finish(u, reply_body(r, NULL, 0, BODY_LAST));
    return finish(u, err < 0 ? err : send_stored(u, o, 0, o->length, BODY_LAST));
}

static verdict_t send_whole(cache_use_t *u)
{
    buf_t *body;
    if (!cache_pack(u, &body)) return send_object(u, &u->object);
    if (!body) return send_object(u, &u->packed);
    piece_t piece = PIECE_MEMORY(buf_str(body));
    verdict_t v = reply_send(u->r, &piece, 1);
    buf_return(body);
    return v;
}

/* The parts of a 206: those in memory as they are, the others from where the body is. */
static int send_parts(cache_use_t *u, const cache_source_t *source, const piece_t *pieces,
                      unsigned n)
{
    int err = 0;
    for (unsigned i = 0; i < n && err == 0; i++) {
        unsigned flags = i + 1 == n ? BODY_LAST : 0;
        err = pieces[i].fd == STORED_BODY
                  ? source->send(u, (uint64_t)pieces[i].at, pieces[i].n, flags)
                  : reply_body(u->r, &pieces[i], 1, flags);
    }
    return err;
}

static verdict_t refuse_range(request_t *r, uint64_t size)
{
    if (http_error_page(http_conf(r->conf), 416)) return verdict_refuse(416, LOG_INFO, NULL);
    reply_reset(r, 416);
    header_add_id(&r->reply.headers, HEADER_CONTENT_RANGE, range_unsatisfied(r->pool, size));
    return reply_own_page(r);
}

static verdict_t send_ranges(cache_use_t *u, const cache_source_t *source)
{
    request_t *r = u->r;
    range_set_t set;
    uint64_t size, length = (uint64_t)source->length;
    unsigned n;
    str_t type = r->reply.content_type, value = header_value(&r->head.headers, HEADER_RANGE);
    range_result_t result = range_parse(r->pool, value, length, RANGES_MOST, &set);
    if (result == RANGE_WHOLE) return source->send_whole(u);
    if (result == RANGE_UNSATISFIED) return refuse_range(r, length);
    str_t boundary = range_boundary(r->pool);
    piece_t whole = {.n = (size_t)length, .fd = STORED_BODY};
    r->reply.status = 206;
    r->reply.reason = (str_t){NULL, 0};
    if (set.ranges.n > 1)
        r->reply.content_type = range_multipart_type(r->pool, boundary);
    else
        header_set(&r->reply.headers, HEADER_CONTENT_RANGE,
                   range_content_range(r->pool, set.ranges.v, length));
    const piece_t *pieces = range_pieces(r->pool, &set, &whole, boundary, type, &n, &size);
    r->reply.length = (int64_t)size;
    int err = reply_start(r);
    return finish(u, err < 0 ? err : send_parts(u, source, pieces, n));
}

/* --- the door --- */

/* RFC 9110 15.4.5: what describes a body it does not have is left out. */
static verdict_t send_unmodified(cache_use_t *u)
{
    request_t *r = u->r;
    r->reply.status = 304;
    r->reply.reason = (str_t){NULL, 0};
    r->reply.content_type = (str_t){NULL, 0};
    return reply_send(r, NULL, 0);
}

/* What the reply's head says of the representation, for conditions. */
static precondition_t judge(request_t *r, time_t date, bool *range)
{
    const header_list_t *headers = &r->reply.headers;
    if (!precondition_asked(&r->head.headers)) return PRECONDITION_PASS;
    str_t modified = header_value(headers, HEADER_LAST_MODIFIED);
    precondition_target_t target = {
        .etag = header_value(headers, HEADER_ETAG),
        .last_modified = modified.p ? clock_parse_http_date(modified)
                                    : date, /* in its place (RFC 9111 4.3.2) */
        .now = date,
        .since = PRECONDITION_SINCE_BEFORE,
    };
    return precondition_check(&r->head.headers, r->method_id, &target, range);
}

verdict_t cache_serve_from(cache_use_t *u, const cache_source_t *source)
{
    bool range = false;
    precondition_t p = PRECONDITION_PASS;
    if (!u->r->error_status) p = judge(u->r, source->date, &range);
    if (p == PRECONDITION_FAILED) return verdict_refuse(412, LOG_INFO, NULL);
    if (p == PRECONDITION_NOT_MODIFIED) return send_unmodified(u);
    return range && source->length >= 0 ? send_ranges(u, source) : source->send_whole(u);
}

static int send_part_of_stored(cache_use_t *u, uint64_t at, uint64_t n, unsigned flags)
{
    return send_stored(u, &u->object, at, (int64_t)n, flags);
}

/* Of a part, whose first byte is not the whole's. */
static int send_part_of_part(cache_use_t *u, uint64_t at, uint64_t n, unsigned flags)
{
    return send_stored(u, &u->object, at - u->cut.range.from, (int64_t)n, flags);
}

static verdict_t serve_cut(cache_use_t *u)
{
    cache_source_t source = {(int64_t)u->cut.length, u->entry.decide.freshness.date,
                             send_part_of_part, send_whole};
    return cache_serve_from(u, &source);
}

verdict_t cache_serve(cache_use_t *u)
{
    cache_source_t source = {u->object.length, u->entry.decide.freshness.date,
                             send_part_of_stored, send_whole};
    make_head(u);
    if (u->cut.range.n) return serve_cut(u);
    return u->entry.decide.status == 200 ? cache_serve_from(u, &source) : send_whole(u);
}
