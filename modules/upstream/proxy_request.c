#include "modules/upstream/proxy_request.h"

#include <errno.h>

#include "http/http.h"
#include "http/scan.h"

enum { HEAD_BUFFER = 4096 };

/* --- which method and body --- */

static str_t method_of(const proxy_t *p)
{
    if (!p->conf->method.set) return p->r->method;
    str_t method = text_eval(&p->conf->method, p->r);
    return parse_is_token(method) ? method : p->r->method;
}

static bool is_buffered(const proxy_t *p)
{
    /* HTTP/1.0 has no chunks: the length must be known before the head is sent. */
    return p->conf->request_buffering ||
           (p->http_version == PROXY_HTTP_10 && body_length(p->r) < 0);
}

static void set_given_body(proxy_t *p)
{
    p->body = text_eval(&p->conf->set_body, p->r);
    p->body_length = (int64_t)p->body.n;
    p->has_body = true;
}

/* RFC 9110 6.5.1, 7.6.1: not what frames or routes, what is set here, or what Connection names. */
void proxy_request_take_trailers(proxy_t *p)
{
    const header_list_t *from = &p->r->trailers, *head = &p->r->head.headers;
    p->trailers = NULL;
    if (!from->n || p->conf->set_body.set || !p->conf->pass_headers) return;
    header_list_t *list = POOL_NEW(p->r->pool, header_list_t);
    header_list_init(list, p->r->pool);
    proxy_names_t ended = proxy_names_of_connection(p->r->pool, head);
    HEADER_EACH(h, from)
    {
        bool ends = proxy_names_has(&p->conf->fields.dropped, h) || proxy_names_has(&ended, h);
        if (ends || !proxy_fields_may_trail(h)) continue;
        header_add_as(list, h->id, h->name, h->value);
    }
    if (list->n) p->trailers = list;
}

static verdict_t gather(proxy_t *p)
{
    request_t *r = p->r;
    int err = body_gather(r);
    if (err < 0) return body_verdict(r, err);
    p->body_length = (int64_t)r->body.size;
    p->body_in_file = r->body.fd >= 0;
    if (!p->body_in_file && r->body.memory) p->body = buf_str(r->body.memory);
    if (r->trailers.n) proxy_request_take_trailers(p);
    return VERDICT(NEXT);
}

/* Some of the body has gone to an origin or was too much: the whole cannot be sent any more. */
static bool is_spent(const request_t *r)
{
    return r->body.size > 0 && !r->body.gathered;
}

/* An error page that is asked for with GET needs no body; anything else would miss it. */
static verdict_t without_body(proxy_t *p)
{
    if (p->method_id != METHOD_GET && p->method_id != METHOD_HEAD)
        return verdict_refuse(502, LOG_ERR, "request body cannot be sent to another upstream");
    p->has_body = false;
    p->body_length = 0;
    return VERDICT(NEXT);
}

verdict_t proxy_request_prepare(proxy_t *p)
{
    request_t *r = p->r;
    p->method_id = p->conf->method.set ? parse_method(method_of(p)) : r->method_id;
    if (p->conf->set_body.set) {
        set_given_body(p);
        return VERDICT(NEXT);
    }
    /* A body of no bytes is a body, too: Content-Length: 0 goes on. */
    p->has_body = p->conf->pass_body && r->head.framing != PARSE_NO_BODY;
    if (!p->has_body) return VERDICT(NEXT);
    p->body_length = body_length(r);
    if (!body_present(r)) return VERDICT(NEXT);
    if (is_spent(r)) return without_body(p);
    if (is_buffered(p) || r->body.gathered || body_at_hand(r)) return gather(p);
    p->body_streamed = true;
    return VERDICT(NEXT);
}

/* --- the head --- */

static void reserve(buf_t **b, size_t n)
{
    if (buf_room(*b) < n) *b = buf_grow(*b, buf_used(*b) + n + HEAD_BUFFER);
}

static void put(buf_t **b, str_t s)
{
    reserve(b, s.n);
    buf_put(*b, s);
}

/*
 * A value that variables made may hold anything (decoded %0a, say): a line break in it would begin
 * a field of the client's choice, so controls become spaces (RFC 9110 5.5).
 */
static void put_text(buf_t **b, str_t value)
{
    reserve(b, value.n);
    char *at = (*b)->last, *end = at + value.n;
    buf_put(*b, value);
    for (char *c = (char *)(uintptr_t)scan_text((*b)->start, at, end); c < end;
         c = (char *)(uintptr_t)scan_text((*b)->start, c, end))
        *c = ' ';
}

static void put_field(buf_t **b, str_t name, str_t value)
{
    reserve(b, name.n + value.n + 4);
    buf_put(*b, name);
    buf_put(*b, STR(": "));
    put_text(b, value);
    put(b, STR("\r\n"));
}

static void put_request_line(const proxy_t *p, buf_t **b, str_t uri)
{
    str_t method = method_of(p);
    reserve(b, method.n + uri.n + 16);
    buf_put(*b, method);
    buf_putc(*b, ' ');
    buf_put(*b, uri);
    bool old = p->http_version == PROXY_HTTP_10;
    buf_put(*b, old ? STR(" HTTP/1.0\r\n") : STR(" HTTP/1.1\r\n"));
}

static void put_host(const proxy_t *p, buf_t **b)
{
    const text_t *given = p->conf->fields.host;
    str_t host = given ? text_eval(given, p->r) : p->target.host;
    if (host.n || p->http_version == PROXY_HTTP_11) put_field(b, STR("Host"), host);
}

static void put_parts(const proxy_t *p, buf_t **b)
{
    VEC_EACH(const proxy_part_t, part, &p->conf->fields.parts)
    {
        str_t value = part->value ? text_eval(part->value, p->r) : STR("");
        if (part->value && value.n == 0) continue;
        put(b, part->literal);
        if (!part->value) continue;
        put_text(b, value);
        put(b, STR("\r\n"));
    }
}

/* --- connection and upgrade --- */

static bool list_has(str_t list, str_t token)
{
    str_t element;
    while (header_element(&list, &element))
        if (str_ieq(element, token)) return true;
    return false;
}

/* h2c ends at the next hop (RFC 9113 3.2): a carried upgrade would tunnel requests past us. */
static bool is_h2c(str_t upgrade)
{
    str_t element;
    while (header_element(&upgrade, &element))
        if (str_istarts(element, STR("h2c"))) return true;
    return false;
}

/* An inner request has nobody to carry a tunnel for. HTTP/2 asks for one in a way of its own
   (h2_head.h), which is an Upgrade here. */
static bool cannot_upgrade(const request_t *r)
{
    return r->inner || (r->head.http2 && !header_get(&r->head.headers, HEADER_UPGRADE));
}

static bool takes_trailers(const proxy_t *p)
{
    const parse_request_t *head = &p->r->head;
    return p->http_version != PROXY_HTTP_10 && head->minor >= 1 && p->conf->pass_headers &&
           header_has_token(&head->headers, HEADER_TE, STR("trailers"));
}

str_t proxy_request_protocol(const proxy_t *p)
{
    const proxy_fields_t *f = &p->conf->fields;
    if (p->conf->http_version == PROXY_HTTP_10) return STR("");
    str_t upgrade = text_eval(f->upgrade, p->r);
    return is_h2c(upgrade) || cannot_upgrade(p->r) ? STR("") : upgrade;
}

/* A body would be read as the tunnel's. */
static bool may_tunnel(const proxy_t *p, str_t connection)
{
    return list_has(connection, STR("upgrade")) && !body_present(p->r) && p->body_length == 0;
}

static void put_connection(proxy_t *p, buf_t **b)
{
    const proxy_fields_t *f = &p->conf->fields;
    str_t connection = f->connection ? text_eval(f->connection, p->r) : STR("");
    if (!p->protocol.n && str_ieq(connection, STR("upgrade"))) connection = STR("");
    if (!f->connection && p->http_version == PROXY_HTTP_10) connection = STR("close");
    p->upgrade = p->protocol.n && may_tunnel(p, connection);
    if (p->protocol.n) put_field(b, STR("Upgrade"), p->protocol);
    if (connection.n)
        put_field(b, STR("Connection"), connection);
    else if (takes_trailers(p))
        put(b, STR("TE: trailers\r\nConnection: TE\r\n"));
}

bool proxy_request_may_tunnel(const proxy_t *p)
{
    const text_t *connection = p->conf->fields.connection;
    return p->protocol.n && connection && may_tunnel(p, text_eval(connection, p->r));
}

/* --- what the client sent --- */

/* RFC 9110 7.6.2: one less; zero was answered here. */
static void put_max_forwards(const proxy_t *p, buf_t **b, str_t value)
{
    uint64_t n;
    char digits[20];
    bool counts = p->r->head.method_id == METHOD_OPTIONS || p->r->head.method_id == METHOD_TRACE;
    if (counts && str_to_u64(value, &n) && n > 0)
        value = str_make(digits, str_put_u64(digits, n - 1));
    put_field(b, STR("Max-Forwards"), value);
}

static void put_client_field(buf_t **b, const header_t *h)
{
    reserve(b, h->name.n + h->value.n + 4);
    char *at = mempcpy((*b)->last, h->name.p, h->name.n);
    *at++ = ':';
    *at++ = ' ';
    if (h->value.n) at = mempcpy(at, h->value.p, h->value.n);
    *at++ = '\r';
    *at++ = '\n';
    (*b)->last = at;
}

static void put_client_fields(const proxy_t *p, buf_t **b)
{
    const header_list_t *list = &p->r->head.headers;
    const proxy_names_t *dropped = &p->conf->fields.dropped;
    bool named = header_get(list, HEADER_CONNECTION);
    proxy_names_t ended = named ? proxy_names_of_connection(p->r->pool, list)
                                : (proxy_names_t){.ids = {0}};
    HEADER_EACH(h, list)
    {
        if (h->id == HEADER_ACCEPT_ENCODING && p->r->plain) continue;
        if (proxy_names_has(dropped, h) || (named && proxy_names_has(&ended, h))) continue;
        if (h->id == HEADER_MAX_FORWARDS)
            put_max_forwards(p, b, h->value);
        else
            put_client_field(b, h);
    }
}

/* RFC 9110 7.6.3: a gateway says in each request that it came through it. */
static void put_via(const proxy_t *p, buf_t **b)
{
    const header_list_t *list = &p->r->head.headers;
    if (p->conf->fields.via_given) return;
    str_t before = p->conf->pass_headers && header_get(list, HEADER_VIA)
                       ? header_join(list, STR("Via")) : STR("");
    if (!before.n && !p->conf->via.n) return;
    put(b, STR("Via: "));
    put_text(b, before);
    if (before.n && p->conf->via.n) put(b, STR(", "));
    if (p->conf->via.n) {
        put(b, p->r->head.http2 ? STR("2.0 ") : p->r->head.minor ? STR("1.1 ") : STR("1.0 "));
        put(b, p->conf->via);
    }
    put(b, STR("\r\n"));
}

/* Also a body of known length, when there is something behind it. */
static bool in_chunks(const proxy_t *p)
{
    return p->body_length < 0 || (p->trailers && p->http_version == PROXY_HTTP_11);
}

/* RFC 9110 6.6.2: the names that the client has announced. */
static void put_trailer(const proxy_t *p, buf_t **b)
{
    if (!p->conf->pass_headers) return;
    HEADER_EACH(h, &p->r->head.headers) if (h->id == HEADER_TRAILER) put_client_field(b, h);
}

static void put_framing(const proxy_t *p, buf_t **b)
{
    char digits[20];
    if (!p->has_body) return;
    if (in_chunks(p)) {
        put(b, STR("Transfer-Encoding: chunked\r\n"));
        put_trailer(p, b);
    } else {
        put_field(b, STR("Content-Length"),
                  str_make(digits, str_put_u64(digits, (uint64_t)p->body_length)));
    }
}

buf_t *proxy_request_head(proxy_t *p, str_t uri)
{
    buf_t *b = buf_take(HEAD_BUFFER);
    put_request_line(p, &b, uri);
    put_host(p, &b);
    put_connection(p, &b);
    put_parts(p, &b);
    put_framing(p, &b);
    if (p->conf->pass_headers) put_client_fields(p, &b);
    put_via(p, &b);
    put(&b, STR("\r\n"));
    return b;
}

/* --- sending --- */

static proxy_sent_t sent(int r, int *err)
{
    *err = r;
    return r < 0 ? PROXY_SENT_ERROR : r > 0 ? PROXY_SENT_PART : PROXY_SENT;
}

/* What ends a body in chunks. */
static buf_t *make_tail(const proxy_t *p)
{
    buf_t *b = buf_take(HEAD_BUFFER);
    put(&b, STR("0\r\n"));
    if (p->trailers) {
        HEADER_EACH(h, p->trailers) put_client_field(&b, h);
    }
    put(&b, STR("\r\n"));
    return b;
}

static int send_pieces(proxy_t *p, const str_t *pieces, int n)
{
    struct iovec iov[4];
    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){(void *)(uintptr_t)pieces[i].p, pieces[i].n};
    return client_send(p->client, iov, n);
}

/* The head, with as much of a body of known length as stands in memory. */
static int send_head(proxy_t *p, str_t uri)
{
    char size[CHUNK_HEAD_MAX];
    buf_t *head = proxy_request_head(p, uri);
    str_t pieces[3] = {buf_str(head)};
    int n = 1;
    if (p->body_length > 0 && in_chunks(p))
        pieces[n++] = str_make(size, chunk_put_head(size, (uint64_t)p->body_length));
    if (p->body.n) pieces[n++] = p->body;
    p->client->origin->stream.more = p->body_in_file;
    int r = send_pieces(p, pieces, n);
    p->client->origin->stream.more = false;
    buf_return(head);
    return r;
}

/* Behind a body of known length that is sent as one chunk. */
static int send_tail(proxy_t *p)
{
    buf_t *tail = make_tail(p);
    str_t pieces[2] = {p->body_length ? STR("\r\n") : STR(""), buf_str(tail)};
    int r = send_pieces(p, pieces, 2);
    buf_return(tail);
    return r;
}

/*
 * Waits until the client has sent more. 1 when the origin has answered meanwhile, 0 when there is
 * something to read (or something has gone wrong there), or an error of the origin's.
 */
static int wait_for_client(proxy_t *p)
{
    request_t *r = p->r;
    for (;;) {
        int answered = client_poll(p->client);
        if (answered != 0) return answered;
        if (!p->body_begun || body_readable(r)) return 0;
        int err = r->sink->wait(r, &p->client->origin->stream.io,
                                http_conf(r->conf)->client_body_timeout);
        if (err < 0 || body_readable(r)) return 0; /* body_next will say which */
    }
}

static int send_chunk(proxy_t *p, str_t data)
{
    char head[CHUNK_HEAD_MAX];
    str_t pieces[3] = {str_make(head, chunk_put_head(head, data.n)), data, STR("\r\n")};
    return send_pieces(p, pieces, 3);
}

static int send_piece(proxy_t *p, str_t data)
{
    return p->body_length < 0 ? send_chunk(p, data) : send_pieces(p, &data, 1);
}

static int end_body(proxy_t *p)
{
    if (p->body_length >= 0) return 0;
    proxy_request_take_trailers(p);
    buf_t *tail = make_tail(p);
    str_t last = buf_str(tail);
    int r = send_pieces(p, &last, 1);
    buf_return(tail);
    return r;
}

/* The body as the client sends it. */
static proxy_sent_t stream_body(proxy_t *p, int *err)
{
    for (;;) {
        str_t piece;
        int r = wait_for_client(p);
        if (r != 0) return sent(r, err);
        p->body_begun = true;
        ssize_t got = body_next(p->r, &piece);
        if (got < 0) {
            *err = (int)got;
            return PROXY_SENT_CLIENT;
        }
        r = got ? send_piece(p, piece) : end_body(p);
        if (r != 0 || got == 0) return sent(r, err);
    }
}

proxy_sent_t proxy_request_send(proxy_t *p, str_t uri, int *err)
{
    int r = send_head(p, uri);
    p->request_sent |= client_sent(p->client) > 0;
    if (r != 0) return sent(r, err);
    if (p->body_streamed) return stream_body(p, err);
    if (p->body_in_file)
        r = client_send_file(p->client, p->r->body.fd, 0, (uint64_t)p->body_length);
    if (r == 0 && p->has_body && in_chunks(p)) r = send_tail(p);
    return sent(r, err);
}
