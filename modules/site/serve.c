#include "modules/site/serve.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "http/http.h"
#include "http/precondition.h"
#include "http/range.h"
#include "modules/site/charset.h"
#include "modules/site/types.h"
#include "modules/site/variant.h"

/* Files up to SMALL are read and leave in one write with the head; larger ones go by sendfile. */
enum { SMALL = 16 * 1024, COPY = 64 * 1024 };

/* --- what cannot be served --- */

static verdict_t refuse_open(request_t *r, const path_t *path, const char *failed, int err)
{
    bool missing = err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG;
    bool denied = err == EACCES || err == EPERM || err == ELOOP;
    int level = missing || denied ? LOG_ERR : LOG_CRIT;
    if (!missing || http_conf(r->conf)->log_not_found)
        LOG(&r->log, level, err, "%s \"" STR_FMT "\" failed", failed, STR_ARG(path->full));
    return verdict_refuse(missing ? 404 : denied ? 403 : 500, level, NULL);
}

static verdict_t refuse_special(request_t *r, const path_t *path)
{
    LOG(&r->log, LOG_CRIT, 0, "\"" STR_FMT "\" is not a regular file", STR_ARG(path->full));
    return verdict_refuse(404, LOG_CRIT, NULL);
}

static verdict_t refuse_range(request_t *r, uint64_t size)
{
    if (http_error_page(http_conf(r->conf), 416)) return verdict_refuse(416, LOG_INFO, NULL);
    reply_reset(r, 416);
    header_add_id(&r->reply.headers, HEADER_CONTENT_RANGE, range_unsatisfied(r->pool, size));
    return reply_own_page(r);
}

/* --- the head --- */

static char *put_hex(char *out, uint64_t v)
{
    static const char digits[] = "0123456789abcdef";
    int shift = 60;
    while (shift && !(v >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) *out++ = digits[v >> shift & 15];
    return out;
}

/*
 * "TIME-SIZE" in hexadecimal, as nginx makes it: caches stay valid when one replaces the other.
 * With a coding its name stands behind it, since no two representations may have the same (RFC 9110
 * 8.8.3.3), and a compressed file may be as old and as large as the plain one.
 */
static str_t make_etag(pool_t *pool, const file_t *f, str_t coding)
{
    char *p = pool_bytes(pool, 2 * 16 + 4 + coding.n), *end = p;
    *end++ = '"';
    end = put_hex(end, (uint64_t)f->mtime);
    *end++ = '-';
    end = put_hex(end, f->size);
    if (coding.n) *end++ = '-';
    if (coding.n) end = mempcpy(end, coding.p, coding.n);
    *end++ = '"';
    return str_make(p, (size_t)(end - p));
}

/* Status, type and validators of a reply with the file. */
static void describe(request_t *r, const static_conf_t *c, const file_t *f, const variant_t *v)
{
    char *date = pool_bytes(r->pool, CLOCK_HTTP_DATE_LEN);
    header_list_t *list = &r->reply.headers;
    reply_reset(r, 200);
    clock_put_http_date(date, f->mtime);
    header_add_id(list, HEADER_LAST_MODIFIED, str_make(date, CLOCK_HTTP_DATE_LEN));
    if (c->etag)
        header_add_id(list, HEADER_ETAG, make_etag(r->pool, f, negotiate_name(v->coding)));
    if (v->varies) header_add_id(list, HEADER_VARY, STR("Accept-Encoding"));
    r->reply.content_type = types_of(r);
}

static precondition_t judge(request_t *r, const static_conf_t *c, const file_t *f, bool *range)
{
    precondition_target_t target = {
        .etag = header_value(&r->reply.headers, HEADER_ETAG),
        .last_modified = f->mtime,
        .now = clock_unix(),
        .since = c->since,
    };
    return precondition_check(&r->head.headers, r->method_id, &target, range);
}

/* --- the body --- */

static int copy_file(request_t *r, const piece_t *file, unsigned flags)
{
    buf_t *b = buf_take(COPY);
    int err = 0;
    for (size_t at = 0; at < file->n && err == 0;) {
        size_t n = file->n - at < COPY ? file->n - at : COPY;
        bool last = at + n == file->n;
        err = file_read(file->fd, b->start, n, (uint64_t)file->at + at);
        piece_t piece = {.p = b->start, .n = n, .fd = -1};
        if (err == 0) err = reply_body(r, &piece, 1, last ? flags : 0);
        at += n;
    }
    buf_return(b);
    return err;
}

/* The same as reply_send, for `sendfile off`. */
static verdict_t send_copied(request_t *r, const piece_t *pieces, unsigned n)
{
    r->reply.length = 0;
    for (unsigned i = 0; i < n; i++) r->reply.length += (int64_t)pieces[i].n;
    int err = reply_start(r);
    if (err == 0 && r->reply.head_only) err = reply_body(r, NULL, 0, BODY_LAST);
    for (unsigned i = 0; i < n && err == 0 && !r->reply.head_only; i++) {
        unsigned flags = i + 1 == n ? BODY_LAST : 0;
        err = pieces[i].fd < 0 ? reply_body(r, &pieces[i], 1, flags)
                               : copy_file(r, &pieces[i], flags);
    }
    if (err < 0) reply_abort(r);
    return VERDICT(REPLIED);
}

static verdict_t send_pieces(request_t *r, const static_conf_t *c, const piece_t *pieces,
                             unsigned n)
{
    return c->sendfile ? reply_send(r, pieces, n) : send_copied(r, pieces, n);
}

static verdict_t send_whole(request_t *r, const static_conf_t *c, const piece_t *whole)
{
    if (c->max_ranges) header_add_id(&r->reply.headers, HEADER_ACCEPT_RANGES, STR("bytes"));
    return send_pieces(r, c, whole, whole->n ? 1 : 0);
}

static verdict_t send_ranges(request_t *r, const static_conf_t *c, const piece_t *whole)
{
    range_set_t set;
    uint64_t size;
    unsigned n;
    str_t value = header_value(&r->head.headers, HEADER_RANGE), boundary;
    str_t type = charset_named(r, r->reply.content_type);
    range_result_t result = range_parse(r->pool, value, whole->n, c->max_ranges, &set);
    if (result == RANGE_WHOLE) return send_whole(r, c, whole);
    if (result == RANGE_UNSATISFIED) return refuse_range(r, whole->n);
    r->reply.status = 206;
    boundary = range_boundary(r->pool);
    if (set.ranges.n > 1)
        r->reply.content_type = range_multipart_type(r->pool, boundary);
    else
        header_add_id(&r->reply.headers, HEADER_CONTENT_RANGE,
                      range_content_range(r->pool, set.ranges.v, set.length));
    const piece_t *pieces = range_pieces(r->pool, &set, whole, boundary, type, &n, &size);
    return send_pieces(r, c, pieces, n);
}

/* Sends the file, a small one by way of memory. */
static verdict_t send_file(request_t *r, const static_conf_t *c, const file_t *f, bool range)
{
    piece_t whole = {.n = (size_t)f->size, .fd = f->fd};
    buf_t *b = NULL;
    int err = 0;
    if (f->size && f->size <= SMALL && r->method_id != METHOD_HEAD) {
        b = buf_take(f->size);
        err = file_read(f->fd, b->start, (size_t)f->size, 0);
        whole = (piece_t){.p = b->start, .n = (size_t)f->size, .fd = -1};
    }
    verdict_t v = err < 0 ? verdict_refuse(500, LOG_CRIT, "reading a file failed")
                  : range ? send_ranges(r, c, &whole)
                          : send_whole(r, c, &whole);
    buf_return(b);
    return v;
}

static verdict_t serve_regular(request_t *r, const file_t *f, const variant_t *v)
{
    const static_conf_t *c = static_conf(r);
    bool range = false;
    precondition_t p = PRECONDITION_PASS;
    describe(r, c, f, v);
    if (!r->error_status) p = judge(r, c, f, &range);
    if (p == PRECONDITION_FAILED) return verdict_refuse(412, LOG_INFO, NULL);
    if (p == PRECONDITION_PASS) {
        if (v->coding)
            header_add_id(&r->reply.headers, HEADER_CONTENT_ENCODING, negotiate_name(v->coding));
        return send_file(r, c, f, range && c->max_ranges);
    }
    r->reply.status = 304;
    r->reply.content_type = (str_t){NULL, 0};
    return reply_send(r, NULL, 0);
}

verdict_t serve_path(request_t *r, const path_t *path)
{
    file_t f;
    variant_t variant = variant_open(r, path, &f);
    int err = variant.coding ? 0 : static_open(r, path, &f);
    if (err < 0) return refuse_open(r, path, f.failed, -err);
    verdict_t v = f.directory ? reply_redirect(r, 301, request_absolute(r, request_with_slash(r)))
                  : !f.regular ? refuse_special(r, path)
                  : r->method_id == METHOD_POST ? static_refuse_method(r)
                                                : serve_regular(r, &f, &variant);
    close(f.fd);
    return v;
}
