#include "http/h1_reply.h"

#include <errno.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/process/worker.h"
#include "http/http.h"
#include "http/status.h"

enum { OUT_BUFFER = 4096, FIXED_FIELDS = 512, IOV_MOST = 16, UNREAD_MOST = 64 * 1024 };
enum { COPIED_MOST = 2048 };

/* --- the head --- */

static void put_field(buf_t *b, str_t name, str_t value)
{
    buf_put(b, name);
    buf_put(b, STR(": "));
    buf_put(b, value);
    buf_put(b, STR("\r\n"));
}

static void put_status_line(buf_t *b, int status, str_t reason)
{
    char digits[20];
    buf_put(b, STR("HTTP/1.1 "));
    buf_put(b, str_make(digits, str_put_u64(digits, (uint64_t)status)));
    buf_putc(b, ' ');
    buf_put(b, reason.p ? reason : status_reason(status));
    buf_put(b, STR("\r\n"));
}

static size_t fields_size(const header_list_t *list)
{
    size_t n = 0;
    HEADER_EACH(h, list) n += h->name.n + h->value.n + 4;
    return n;
}

static void put_fields(buf_t *b, const header_list_t *list)
{
    HEADER_EACH(h, list) put_field(b, h->name, h->value);
}

static size_t head_size(const reply_t *p)
{
    return FIXED_FIELDS + p->reason.n + p->content_type.n + p->server.n + p->date.n +
           fields_size(&p->headers);
}

/* How much of the request's body has not been read: too much to read it for the sake of
   keep-alive. */
static bool much_unread(const request_t *r, const h1_t *h)
{
    if (r->body.ended || !body_present(r)) return false;
    if (!h->body_asked && header_get(&r->head.headers, HEADER_EXPECT)) return true;
    return r->head.framing == PARSE_CHUNKED || h->left > UNREAD_MOST;
}

static bool may_keep_alive(const request_t *r, const h1_t *h)
{
    const http_conf_t *c = http_conf(r->conf);
    return h->keep_alive && !r->reply.close && c->keepalive_timeout && !worker_stopping &&
           r->conn->requests < c->keepalive_requests &&
           clock_ms() - r->conn->accepted_ms < c->keepalive_time && !much_unread(r, h);
}

/* How the end of the body is told (RFC 9112 section 6). */
static void set_framing(request_t *r, h1_t *h)
{
    reply_count_begin(r);
    h->chunked = !r->reply.counted && r->head.minor >= 1 &&
                 http_conf(r->conf)->chunked_transfer_encoding;
    if (!r->reply.counted && !h->chunked) h->keep_alive = false;
}

static void put_framing(buf_t *b, const request_t *r, const h1_t *h)
{
    const reply_t *p = &r->reply;
    char digits[20];
    if (p->status == 204 || p->status < 200) return;
    if (reply_tells_length(r))
        put_field(b, STR("Content-Length"),
                  str_make(digits, str_put_u64(digits, (uint64_t)p->length)));
    else if (h->chunked)
        buf_put(b, STR("Transfer-Encoding: chunked\r\n"));
}

static void put_connection(buf_t *b, const request_t *r, const h1_t *h)
{
    char digits[20];
    uint64_t seconds = http_conf(r->conf)->keepalive_header / 1000;
    if (r->reply.status == 101) return; /* the handler's own Connection: upgrade */
    buf_put(b, h->keep_alive ? STR("Connection: keep-alive\r\n") : STR("Connection: close\r\n"));
    if (!h->keep_alive || !seconds) return;
    buf_put(b, STR("Keep-Alive: timeout="));
    buf_put(b, str_make(digits, str_put_u64(digits, seconds)));
    buf_put(b, STR("\r\n"));
}

int h1_reply_head(request_t *r)
{
    h1_t *h = r->sink_state;
    const reply_t *p = &r->reply;
    set_framing(r, h);
    h->keep_alive = may_keep_alive(r, h);
    size_t size = head_size(p);
    buf_t *b = h->out = buf_take(size > OUT_BUFFER ? size : OUT_BUFFER);
    put_status_line(b, p->status, p->reason);
    put_field(b, STR("Server"), reply_server(r));
    put_field(b, STR("Date"), p->date.p ? p->date : clock_http_date());
    if (p->content_type.p) put_field(b, STR("Content-Type"), p->content_type);
    put_framing(b, r, h);
    put_connection(b, r, h);
    put_fields(b, &p->headers);
    buf_put(b, STR("\r\n"));
    h->head_end = r->conn->stream.sent + buf_used(b);
    return 0;
}

/* --- the body --- */

/* Remembers how the connection is to end when a client has not taken what it was sent in time. */
static int lost(request_t *r, ssize_t err)
{
    if (err == -ETIMEDOUT) {
        LOG(&r->log, LOG_INFO, ETIMEDOUT, "client timed out while sending response to client");
        r->conn->reset |= http_conf(r->conf)->reset_timedout_connection;
    }
    return (int)err;
}

/* One write in the making: memory that goes out together. */
typedef struct batch {
    request_t *r;
    h1_t *h;
    struct iovec iov[IOV_MOST];
    int n;
} batch_t;

static int send_batch(batch_t *batch, bool more)
{
    request_t *r = batch->r;
    stream_t *s = &r->conn->stream;
    if (batch->n == 0) return 0;
    s->more = more;
    ssize_t put = stream_writev(s, batch->iov, batch->n, http_conf(r->conf)->send_timeout);
    s->more = false;
    batch->n = 0;
    if (put < 0) return lost(r, put);
    r->reply.head_sent = true;
    if (batch->h->out) {
        buf_return(batch->h->out);
        batch->h->out = NULL;
    }
    return 0;
}

/* A few bytes behind the head are copied to it: one plain send costs less than a vector. */
static bool joins_head(const batch_t *batch, size_t n)
{
    const buf_t *head = batch->h->out;
    return head && batch->n == 1 && batch->iov[0].iov_base == head->pos && n <= COPIED_MOST &&
           n <= buf_room(head);
}

static int add_memory(batch_t *batch, const char *p, size_t n)
{
    if (n == 0) return 0;
    if (joins_head(batch, n)) {
        buf_put(batch->h->out, str_make(p, n));
        batch->iov[0].iov_len += n;
        return 0;
    }
    if (batch->n == IOV_MOST) {
        int err = send_batch(batch, true);
        if (err < 0) return err;
    }
    batch->iov[batch->n++] = (struct iovec){(void *)(uintptr_t)p, n};
    return 0;
}

static int add_file(batch_t *batch, const piece_t *piece)
{
    request_t *r = batch->r;
    int err = send_batch(batch, http_conf(r->conf)->tcp_nopush);
    if (err < 0) return err;
    ssize_t put = stream_sendfile(&r->conn->stream, piece->fd, piece->at, piece->n,
                                  http_conf(r->conf)->send_timeout);
    return put < 0 ? lost(r, put) : 0;
}

static int add_pieces(batch_t *batch, const piece_t *pieces, unsigned n)
{
    int err = 0;
    for (unsigned i = 0; i < n && err == 0; i++)
        err = pieces[i].fd < 0 ? add_memory(batch, pieces[i].p, pieces[i].n)
                               : pieces[i].n ? add_file(batch, &pieces[i]) : 0;
    return err;
}

static uint64_t total(const piece_t *pieces, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) sum += pieces[i].n;
    return sum;
}

/* The last chunk, with trailers for a client that takes them (RFC 9110 6.5.1). */
static int add_last_chunk(batch_t *batch)
{
    request_t *r = batch->r;
    const header_list_t *trailers = &r->reply.trailers;
    if (!trailers->n || !header_has_token(&r->head.headers, HEADER_TE, STR("trailers")))
        return add_memory(batch, "0\r\n\r\n", 5);
    buf_t *b = buf_take(fields_size(trailers) + 8);
    buf_put(b, STR("0\r\n"));
    put_fields(b, trailers);
    buf_put(b, STR("\r\n"));
    int err = add_memory(batch, b->pos, buf_used(b));
    if (err == 0) err = send_batch(batch, false);
    buf_return(b);
    return err;
}

static int add_chunked(batch_t *batch, const piece_t *pieces, unsigned n, uint64_t size, bool last,
                       char head[CHUNK_HEAD_MAX])
{
    int err = 0;
    if (size) {
        err = add_memory(batch, head, chunk_put_head(head, size));
        if (err == 0) err = add_pieces(batch, pieces, n);
        if (err == 0) err = add_memory(batch, "\r\n", 2);
    }
    return err == 0 && last ? add_last_chunk(batch) : err;
}

/* $bytes_sent and $body_bytes_sent: what is on the wire, also of a reply that broke off. */
static void count_sent(request_t *r, const h1_t *h)
{
    uint64_t sent = r->conn->stream.sent;
    r->reply.bytes_sent = sent - h->sent_before;
    r->reply.body_sent = sent > h->head_end ? sent - h->head_end : 0;
}

int h1_reply_body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    h1_t *h = r->sink_state;
    char chunk_head[CHUNK_HEAD_MAX];
    batch_t batch = {.r = r, .h = h};
    uint64_t size = total(pieces, n);
    bool last = flags & BODY_LAST;
    int err = reply_count(r, r->reply.head_only ? 0 : size, last);
    if (err < 0 || (!size && !flags)) return err;
    if (h->out) err = add_memory(&batch, h->out->pos, buf_used(h->out));
    if (err == 0)
        err = h->chunked ? add_chunked(&batch, pieces, n, size, last, chunk_head)
                         : add_pieces(&batch, pieces, n);
    if (err == 0) err = send_batch(&batch, false);
    count_sent(r, h);
    return err;
}

/* --- the rest --- */

int h1_reply_interim(request_t *r, int status, const header_list_t *headers)
{
    buf_t *b = buf_take(fields_size(headers) + FIXED_FIELDS);
    put_status_line(b, status, (str_t){NULL, 0});
    put_fields(b, headers);
    buf_put(b, STR("\r\n"));
    ssize_t put = stream_write(&r->conn->stream, b->pos, buf_used(b),
                               http_conf(r->conf)->send_timeout);
    buf_return(b);
    return put < 0 ? (int)put : 0;
}

void h1_reply_abort(request_t *r)
{
    h1_t *h = r->sink_state;
    h->keep_alive = false;
    /* Where closing would mean "that was all", only a reset tells that it was not. */
    bool ends_by_close = r->reply.started && !r->reply.counted && !h->chunked;
    if (r->reply.head_sent && ends_by_close) r->conn->reset = true;
}
