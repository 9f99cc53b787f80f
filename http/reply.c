#include "http/reply.h"

#include <errno.h>

#include "core/base/clock.h"
#include "config.h"
#include "http/http.h"
#include "http/request.h"
#include "http/status.h"

void reply_reset(request_t *r, int status)
{
    reply_t *p = &r->reply;
    *p = (reply_t){.status = status,
                   .headers = {.pool = r->pool},
                   .trailers = {.pool = r->pool},
                   .length = REPLY_LENGTH_UNKNOWN,
                   .limit_rate = p->limit_rate,
                   .limit_rate_set = p->limit_rate_set,
                   .error_page = p->error_page,
                   .close = p->close};
}

void reply_recast(reply_t *p)
{
    p->length = REPLY_LENGTH_UNKNOWN;
    header_remove(&p->headers, HEADER_ACCEPT_RANGES);
    header_remove_digests(&p->headers);
    header_weaken_etag(&p->headers);
}

static bool has_no_body(const request_t *r)
{
    int status = r->reply.status;
    return r->head.method_id == METHOD_HEAD || status == 204 || status == 304;
}

/* The one place that all heads pass, whoever wrote their fields. */
static void clean_fields(request_t *r)
{
    reply_t *p = &r->reply;
    p->content_type = header_clean(r->pool, p->content_type);
    p->server = header_clean(r->pool, p->server);
    p->date = header_clean(r->pool, p->date);
    for (unsigned i = 0; i < p->headers.n; i++)
        p->headers.v[i].value = header_clean(r->pool, p->headers.v[i].value);
}

/* The status that error_page has given, with its own phrase. */
static void set_error_status(request_t *r)
{
    if (r->error_status) {
        r->reply.status = r->error_status;
        r->reply.reason = (str_t){NULL, 0};
    }
    r->reply.status = status_sent(r->reply.status);
}

/* Also an error page of ours must say how to authenticate (RFC 9110 15.5.2). */
static void add_challenge(request_t *r)
{
    header_list_t *list = &r->reply.headers;
    if (r->reply.status == 401 && r->challenge.p && !header_get(list, HEADER_WWW_AUTHENTICATE))
        header_add_id(list, HEADER_WWW_AUTHENTICATE, r->challenge);
}

static int run_head_hooks(request_t *r)
{
    for (void (*const *h)(request_t *) = hooks_table.made; *h; h++) (*h)(r);
    for (int (*const *h)(request_t *) = hooks_table.head; *h; h++) {
        int err = (*h)(r);
        if (err < 0) return err;
    }
    return 0;
}

int reply_start(request_t *r)
{
    reply_t *p = &r->reply;
    set_error_status(r);
    add_challenge(r);
    p->head_only = has_no_body(r);
    int err = r->inner ? 0 : run_head_hooks(r);
    if (err < 0) return err;
    p->head_only = has_no_body(r); /* a hook may have made it a 304 */
    clean_fields(r);
    p->started = true;
    return r->sink->head(r);
}

int reply_body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    reply_t *p = &r->reply;
    int err = 0;
    if (p->finished || p->aborted) return -EPIPE;
    if (p->head_only)
        err = flags & BODY_LAST ? r->sink->body(r, NULL, 0, flags) : 0;
    else if (p->filters)
        err = p->filters->body(p->filters, r, pieces, n, flags);
    else
        err = r->sink->body(r, pieces, n, flags);
    if (err == 0 && (flags & BODY_LAST)) p->finished = true;
    return err;
}

int reply_interim(request_t *r, int status, const header_list_t *headers)
{
    if (r->reply.started || r->head.minor == 0) return 0; /* RFC 9110 15.2: not to HTTP/1.0 */
    return r->sink->interim(r, status, headers);
}

void reply_abort(request_t *r)
{
    if (r->reply.finished || r->reply.aborted) return;
    r->reply.aborted = true;
    r->reply.close = true;
    r->sink->abort(r);
}

/* --- for connections --- */

void reply_count_begin(request_t *r)
{
    reply_t *p = &r->reply;
    p->counted = p->head_only || p->length >= 0;
    p->left = p->head_only || p->length < 0 ? 0 : (uint64_t)p->length;
}

int reply_count(request_t *r, uint64_t size, bool last)
{
    reply_t *p = &r->reply;
    if (!p->counted) return 0;
    if (size > p->left || (last && size < p->left)) return -EPROTO;
    p->left -= size;
    return 0;
}

bool reply_tells_length(const request_t *r)
{
    const reply_t *p = &r->reply;
    if (p->status == 204 || p->status < 200) return false;
    return p->length >= 0 && !(p->status == 304 && p->length == 0);
}

str_t reply_server(const request_t *r)
{
    if (r->reply.server.p) return r->reply.server;
    return http_conf(r->conf)->server_tokens ? STR("proxyd/" PROXYD_VERSION) : STR("proxyd");
}

/* --- whole replies --- */

verdict_t reply_send(request_t *r, const piece_t *body, unsigned n)
{
    int64_t length = 0;
    for (unsigned i = 0; i < n; i++) length += (int64_t)body[i].n;
    r->reply.length = length;
    int err = reply_start(r);
    if (err == 0) err = reply_body(r, body, n, BODY_LAST);
    if (err < 0) reply_abort(r);
    return VERDICT(REPLIED);
}

verdict_t reply_text(request_t *r, int status, str_t content_type, str_t body)
{
    reply_reset(r, status);
    r->reply.content_type = content_type;
    piece_t piece = PIECE_MEMORY(body);
    return reply_send(r, &piece, body.n ? 1 : 0);
}

/* The body of a built-in page. */
static str_t page_body(request_t *r, int status)
{
    str_t line = status_line(status);
    const char *sign = http_conf(r->conf)->server_tokens ? "proxyd/" PROXYD_VERSION : "proxyd";
    return pool_printf(r->pool,
                       "<!DOCTYPE html>\n<html><head><title>" STR_FMT "</title></head>\n"
                       "<body style=\"font-family: sans-serif; text-align: center\">\n"
                       "<h1>" STR_FMT "</h1>\n<hr><p>%s</p>\n</body></html>\n",
                       STR_ARG(line), STR_ARG(line), sign);
}

static bool may_have_page(int status)
{
    return status >= 300 && status != 304;
}

verdict_t reply_own_page(request_t *r)
{
    int status = r->reply.status;
    if (!may_have_page(status)) return reply_send(r, NULL, 0);
    r->reply.content_type = STR("text/html");
    piece_t piece = PIECE_MEMORY(page_body(r, status));
    return reply_send(r, &piece, 1);
}

/* A status of its own: it stands also where error_page has given another. */
static void begin_page(request_t *r, int status)
{
    r->error_status = 0;
    reply_reset(r, status);
}

verdict_t reply_page(request_t *r, int status)
{
    begin_page(r, status);
    return reply_own_page(r);
}

verdict_t reply_redirect(request_t *r, int status, str_t location)
{
    begin_page(r, status);
    header_add_id(&r->reply.headers, HEADER_LOCATION, location);
    return reply_own_page(r);
}
