#include "modules/upstream/proxy_response.h"

#include <errno.h>
#include <openssl/evp.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/panic.h"
#include "http/http.h"
#include "http/tunnel.h"
#include "modules/upstream/proxy_upload.h"
#include "modules/upstream/sticky.h"

enum { PIECES_MOST = 8, HEAD_PATIENCE_MS = 10 };

/* --- the end of an exchange --- */

void proxy_response_release(proxy_t *p)
{
    client_t *c = p->client;
    str_t unwanted;
    if (!c || !client_is_open(c)) return;
    proxy_upload_end(p);
    while (c->answered && client_next(c, &unwanted) > 0) continue; /* of a body nobody gets */
    upstream_attempt_t *a = proxy_attempt(p);
    a->received = client_received(c);
    a->sent = client_sent(c);
    a->response_us = (int64_t)(clock_ms() * 1000 - a->started_us);
    if (client_reusable(c) && p->http_version == PROXY_HTTP_11 && !p->conf->protocol)
        keepalive_put(p->target.group->idle, &p->target.group->keepalive, client_take(c));
    else
        client_close(c);
}

/* --- the head --- */

static proxy_redirect_default_t usual_redirect(const proxy_t *p)
{
    const proxy_rewrites_t *rules = &p->conf->redirects;
    const site_location_t *l = p->r->location;
    const proxy_pass_t *pass = p->conf->pass;
    bool wanted = rules->automatic || !rules->given;
    if (!wanted || p->target.evaluated || !l)
        return (proxy_redirect_default_t){.from = {NULL, 0}};
    return p->target.uri.n ? (proxy_redirect_default_t){pass->text.source, l->name}
                           : (proxy_redirect_default_t){pass->slashed, STR("/")};
}

/* What rules made of a value may hold anything; a line break would split the response. */
static str_t checked(str_t before, str_t after)
{
    return after.p == before.p || parse_is_field_value(after) ? after : before;
}

static str_t translate(const proxy_t *p, const header_t *h)
{
    const proxy_conf_t *c = p->conf;
    proxy_redirect_default_t usual;
    str_t cookie;
    switch (h->id) {
    case HEADER_LOCATION:
        usual = usual_redirect(p);
        return checked(h->value, proxy_redirect_location(&c->redirects, &usual, p->r, h->value));
    case HEADER_REFRESH:
        usual = usual_redirect(p);
        return checked(h->value, proxy_redirect_refresh(&c->redirects, &usual, p->r, h->value));
    case HEADER_SET_COOKIE:
        cookie = proxy_redirect_cookie(&c->cookie_domains, &c->cookie_paths, p->r, h->value);
        return checked(h->value, proxy_cookie_flags(&c->cookie_flags, p->r, cookie));
    default: return h->value;
    }
}

/* Everything but what ends here: hidden fields, and those that Connection names. */
static void pass_fields(const proxy_t *p, const header_list_t *from, header_list_t *to)
{
    bool named = header_get(from, HEADER_CONNECTION);
    proxy_names_t ended = named ? proxy_names_of_connection(p->r->pool, from)
                                : (proxy_names_t){.ids = {0}};
    HEADER_EACH(h, from)
    {
        if (proxy_names_has(&p->conf->hidden, h) || (named && proxy_names_has(&ended, h))) continue;
        header_add_as(to, h->id, h->name, translate(p, h));
    }
}

static bool shows(const proxy_conf_t *c, str_t name)
{
    for (unsigned i = 0; i < c->show.n; i++)
        if (str_ieq(c->show.v[i], name)) return true;
    return false;
}

static int64_t length_of(const client_t *c)
{
    if (c->head.status == 204) return 0;
    return c->head.framing == PARSE_LENGTH ? (int64_t)c->head.content_length : REPLY_LENGTH_UNKNOWN;
}

/* X-Accel-Charset, where the type says none itself. */
static str_t content_type(const proxy_t *p)
{
    const header_list_t *list = &p->client->head.headers;
    str_t type = header_value(list, HEADER_CONTENT_TYPE);
    str_t charset = header_value(list, HEADER_X_ACCEL_CHARSET);
    if (!charset.n || !type.n || p->conf->ignore_headers & PROXY_IGNORE_CHARSET) return type;
    if (!str_istarts(type, STR("text/")) || str_find(type, 0, ';') < type.n) return type;
    return pool_printf(p->r->pool, STR_FMT "; charset=" STR_FMT, STR_ARG(type), STR_ARG(charset));
}

static void make_reply(const proxy_t *p)
{
    const client_t *c = p->client;
    const header_list_t *list = &c->head.headers;
    reply_t *reply = &p->r->reply;
    reply_reset(p->r, c->head.status);
    reply->reason = c->head.reason.n ? c->head.reason : (str_t){NULL, 0};
    reply->length = length_of(c);
    reply->ignored = p->conf->ignore_headers;
    if (header_get(list, HEADER_CONTENT_TYPE)) reply->content_type = content_type(p);
    if (p->conf->show.n && shows(p->conf, STR("Server")))
        reply->server = header_value(list, HEADER_SERVER);
    if (p->conf->show.n && shows(p->conf, STR("Date")))
        reply->date = header_value(list, HEADER_DATE);
    pass_fields(p, list, &reply->headers);
    if (p->target.group->policy.sticky) sticky_answered(p->target.group, p->peer, p->r);
}

int proxy_response_interim(void *arg, const parse_response_t *head)
{
    proxy_t *p = arg;
    header_list_t passed;
    if (head->status == 100) return 0; /* of this hop: the client was told by its connection */
    bool watching = p->watching;
    proxy_watch_client(p, false);
    header_list_init(&passed, p->r->pool);
    pass_fields(p, &head->headers, &passed);
    int err = reply_interim(p->r, head->status, &passed);
    proxy_watch_client(p, watching);
    return err < 0 ? -ECONNABORTED : 0;
}

/* --- the body --- */

/* Pieces from what has been read. Their number, or an error; *ended when the last is among them. */
static int collect(client_t *c, piece_t *pieces, bool *ended)
{
    int n = 0;
    str_t s;
    *ended = false;
    while (n < PIECES_MOST) {
        ssize_t got = client_next(c, &s);
        if (got == -EAGAIN) return n;
        if (got < 0) return (int)got;
        if (got > 0) pieces[n++] = PIECE_MEMORY(s);
        *ended = c->ended;
        if (*ended) return n;
    }
    return n;
}

static int fill(proxy_t *p)
{
    proxy_watch_client(p, true);
    p->client->read_most = request_window(p->r);
    int err = client_fill(p->client);
    proxy_watch_client(p, false);
    return err;
}

/*
 * Nothing of the body has come yet: the head goes with the first of it, when that comes soon. That
 * of an answer that is told as it goes, at once. 0, or what the client's connection failed of.
 */
static int show_head(proxy_t *p)
{
    client_t *c = p->client;
    int waited = -ETIMEDOUT;
    if (p->r->reply.head_sent || (c->origin && stream_readable(&c->origin->stream))) return 0;
    if (p->buffering) {
        proxy_watch_client(p, true);
        waited = client_wait(c, HEAD_PATIENCE_MS);
        proxy_watch_client(p, false);
    }
    return waited == -ETIMEDOUT ? reply_body(p->r, NULL, 0, BODY_FLUSH) : 0;
}

static const char *const reading = "reading upstream";

/* The head is out: whatever is wrong now can only break the reply off. */
static verdict_t broken(proxy_t *p, int err)
{
    if (err == -ECONNABORTED)
        proxy_log(p, LOG_INFO, 0, "client prematurely closed connection", reading);
    else if (err == -ENODATA)
        proxy_log(p, LOG_ERR, 0, "upstream prematurely closed connection", reading);
    else if (err == -EBADMSG)
        proxy_log(p, LOG_ERR, 0,
                  p->client->stream ? proxy_fault(p) : "upstream sent invalid chunked response",
                  reading);
    else if (err == -ETIMEDOUT)
        proxy_log(p, LOG_ERR, ETIMEDOUT, "upstream timed out", reading);
    else
        proxy_log(p, LOG_ERR, -err, "recv() failed", reading);
    proxy_response_release(p);
    reply_abort(p->r);
    return VERDICT(REPLIED);
}

static verdict_t client_failed(proxy_t *p, int err)
{
    if (err == -ETIMEDOUT)
        proxy_log(p, LOG_INFO, ETIMEDOUT, "client timed out", "sending to client");
    else
        proxy_log(p, LOG_INFO, -err, "client prematurely closed connection", "sending to client");
    proxy_response_release(p);
    reply_abort(p->r);
    return VERDICT(REPLIED);
}

/* Trailers go on to a client that takes them, but what Connection names (RFC 9110 7.6.1). */
static void pass_trailers(const proxy_t *p)
{
    const header_list_t *from = &p->client->trailers;
    if (!from->n) return;
    proxy_names_t ended = proxy_names_of_connection(p->r->pool, &p->client->head.headers);
    HEADER_EACH(h, from)
    {
        bool ends = proxy_names_has(&p->conf->hidden, h) || proxy_names_has(&ended, h);
        if (ends || !proxy_fields_may_trail(h)) continue;
        header_add_as(&p->r->reply.trailers, h->id, h->name, h->value);
    }
}

/* An origin that does not know its length may be telling as it goes; a file of known length is
   not. */
static unsigned between(const proxy_t *p)
{
    return p->buffering && p->client->head.framing == PARSE_LENGTH ? 0 : BODY_FLUSH;
}

static verdict_t pump(proxy_t *p)
{
    client_t *c = p->client;
    for (;;) {
        piece_t pieces[PIECES_MOST];
        bool ended;
        int n = collect(c, pieces, &ended), err = n < 0 ? n : 0;
        bool more = n == 0 && !ended;
        if (more && (err = show_head(p)) < 0) return client_failed(p, err);
        if (more) err = fill(p);
        if (err < 0) return broken(p, err);
        if (more) continue;
        for (int i = 0; i < n; i++) proxy_attempt(p)->length += pieces[i].n;
        proxy_store_take(p->store, pieces, (unsigned)n, ended);
        if (ended) pass_trailers(p);
        if (ended) proxy_response_release(p); /* before a slow client makes us wait */
        err = reply_body(p->r, pieces, (unsigned)n, ended ? BODY_LAST : between(p));
        client_used(c);
        if (err < 0) return client_failed(p, err);
        if (ended) return VERDICT(REPLIED);
    }
}

static verdict_t reply(proxy_t *p)
{
    make_reply(p);
    if (p->limited) {
        p->r->reply.limit_rate = p->limit_rate;
        p->r->reply.limit_rate_set = true;
    }
    p->store = proxy_store_begin(&p->conf->store, p->r);
    if (reply_start(p->r) == 0) return pump(p);
    client_close(p->client);
    reply_abort(p->r);
    return VERDICT(REPLIED);
}

/* --- X-Accel --- */

static bool is_event_stream(const header_list_t *list)
{
    static const str_t type = STR_INIT("text/event-stream");
    str_t given = header_value(list, HEADER_CONTENT_TYPE);
    return str_istarts(given, type) && (given.n == type.n || strchr("; \t", given.p[type.n]));
}

static void heed_accel(proxy_t *p)
{
    const header_list_t *list = &p->client->head.headers;
    unsigned ignored = p->conf->ignore_headers;
    str_t buffering = header_value(list, HEADER_X_ACCEL_BUFFERING);
    str_t rate = header_value(list, HEADER_X_ACCEL_LIMIT_RATE);
    if (is_event_stream(list)) p->buffering = false;
    if (!(ignored & PROXY_IGNORE_BUFFERING)) {
        if (str_ieq(buffering, STR("no"))) p->buffering = false;
        if (str_ieq(buffering, STR("yes"))) p->buffering = true;
    }
    if (!(ignored & PROXY_IGNORE_LIMIT_RATE)) p->limited = str_to_u64(rate, &p->limit_rate);
}

static verdict_t follow_redirect(proxy_t *p, str_t to)
{
    request_t *r = p->r;
    str_t path = str_sub(to, 0, str_find(to, 0, '?')), uri;
    str_t args = path.n < to.n ? str_sub(to, path.n + 1, to.n) : (str_t){NULL, 0};
    r->attempts.v[r->attempts.n - 1].redirected = true;
    proxy_response_release(p);
    client_close(p->client);
    if (r->method_id != METHOD_HEAD) {
        r->method = STR("GET");
        r->method_id = METHOD_GET;
    }
    reply_reset(r, 0);
    if (to.n && to.p[0] == '@') return request_reroute_named(r, to);
    if (!uri_normalise(r->pool, path, http_conf(r->conf)->merge_slashes, &uri) || !uri.n)
        return verdict_refuse(404, LOG_ERR, "upstream sent an invalid X-Accel-Redirect");
    return request_reroute(r, uri, args);
}

/* An intercepted 401 still needs to say how to authenticate (RFC 9110 15.5.2). */
static void carry_challenge(request_t *r, const header_list_t *from)
{
    header_list_t *to = &r->reply.headers;
    if (r->reply.status != 401 || !r->reply.error_page || header_get(to, HEADER_WWW_AUTHENTICATE))
        return;
    const header_t *h = NULL;
    while ((h = header_next(from, HEADER_WWW_AUTHENTICATE, h)))
        header_add_as(to, h->id, h->name, h->value);
}

int proxy_response_carry(request_t *r)
{
    static const header_id_t carried[] = {HEADER_SET_COOKIE, HEADER_CONTENT_DISPOSITION,
                                          HEADER_CACHE_CONTROL, HEADER_EXPIRES,
                                          HEADER_ACCEPT_RANGES};
    const header_list_t *from = r->upstream_headers;
    if (!from) return 0;
    carry_challenge(r, from);
    bool redirected = r->attempts.n && r->attempts.v[r->attempts.n - 1].redirected;
    if (!redirected || !header_get(from, HEADER_X_ACCEL_REDIRECT)) return 0;
    for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
        const header_t *h = NULL;
        header_list_t *to = &r->reply.headers;
        if (carried[i] != HEADER_SET_COOKIE && header_get(from, carried[i]))
            header_remove(to, carried[i]);
        while ((h = header_next(from, carried[i], h))) header_add_as(to, h->id, h->name, h->value);
    }
    str_t type = header_value(from, HEADER_CONTENT_TYPE);
    if (type.n && r->reply.status < 300) r->reply.content_type = type;
    return 0;
}

/* --- 101 --- */

/* RFC 6455 4.2.2: over HTTP/2 the origin says no such thing. */
static void add_accept(request_t *r)
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    str_t key = header_value(&r->head.headers, HEADER_SEC_WEBSOCKET_KEY);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!key.n) return;
    str_t whole = pool_printf(r->pool, STR_FMT "%s", STR_ARG(key), suffix);
    if (EVP_Digest(whole.p, whole.n, digest, &n, EVP_sha1(), NULL) != 1) panic("no SHA-1");
    header_add(&r->reply.headers, STR("Sec-WebSocket-Accept"),
               base64_encode(r->pool, str_make((const char *)digest, n)));
}

static void make_switch(const proxy_t *p)
{
    request_t *r = p->r;
    reply_t *reply = &r->reply;
    make_reply(p);
    reply->content_type = reply->reason = (str_t){NULL, 0};
    reply->status = 101;
    reply->length = REPLY_LENGTH_UNKNOWN;
    str_t upgrade = p->extended ? p->protocol
                                : header_value(&p->client->head.headers, HEADER_UPGRADE);
    header_add_id(&reply->headers, HEADER_UPGRADE, upgrade);
    header_add_id(&reply->headers, HEADER_CONNECTION, STR("upgrade"));
    if (p->extended) add_accept(r);
    reply->close = true;
}

static void close_origin(void *holder, int err)
{
    (void)err;
    origin_close(holder);
}

static void close_pipe(void *holder, int err)
{
    client_pipe_close(holder, err);
}

static tunnel_side_t side_of(client_t *c, bool extended)
{
    if (extended) return (tunnel_side_t){client_pipe(c), close_pipe, c, STR("")};
    origin_t *o = client_take(c);
    return (tunnel_side_t){&o->stream, close_origin, o, client_rest(c)};
}

static verdict_t tunnel(proxy_t *p)
{
    request_t *r = p->r;
    client_t *c = p->client;
    if (!p->extended) client_settle(c);
    make_switch(p);
    int err = reply_start(r);
    if (err == 0) err = reply_body(r, NULL, 0, BODY_FLUSH);
    if (err < 0) {
        client_close(c);
        reply_abort(r);
        return VERDICT(REPLIED);
    }
    proxy_note_url(p);
    tunnel_side_t side = side_of(c, p->extended);
    tunnel_start(r, &side, p->conf->read_timeout);
    client_drop_buffer(c);
    return VERDICT(REPLIED);
}

/* --- the door --- */

verdict_t proxy_response_pass(proxy_t *p)
{
    client_t *c = p->client;
    request_t *r = p->r;
    int status = c->head.status;
    str_t to = header_value(&c->head.headers, HEADER_X_ACCEL_REDIRECT);
    if (status == 101 || (p->extended && status / 100 == 2)) return tunnel(p);
    if (to.p && !(p->conf->ignore_headers & PROXY_IGNORE_REDIRECT)) return follow_redirect(p, to);
    if (p->conf->intercept_errors && status >= 300 && http_error_page(http_conf(r->conf), status)) {
        proxy_response_release(p);
        client_close(c);
        return verdict_refuse(status, LOG_INFO, NULL);
    }
    heed_accel(p);
    return reply(p);
}
