#include "http/h1.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/process/worker.h"
#include "http/chunk.h"
#include "http/flow.h"
#include "http/h1_reply.h"
#include "http/http.h"
#include "http/request.h"

enum { BODY_BUFFER = 16 * 1024 };

/* --- the request's body --- */

static bool expects_continue(const request_t *r)
{
    return r->head.minor >= 1 &&
           header_has_token(&r->head.headers, HEADER_EXPECT, STR("100-continue"));
}

/* The client may be waiting for our word before it sends the body (RFC 9110 10.1.1). */
static int send_continue(request_t *r, h1_t *h)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (h->body_asked) return 0;
    h->body_asked = true;
    if (!expects_continue(r) || buf_used(r->conn->in) > 0) return 0;
    ssize_t put = stream_write(&r->conn->stream, line, sizeof(line) - 1,
                               http_conf(r->conf)->send_timeout);
    return put < 0 ? -ECONNRESET : 0;
}

static ssize_t read_more(request_t *r, char *room, size_t n)
{
    ssize_t got = stream_read(&r->conn->stream, room, n, http_conf(r->conf)->client_body_timeout);
    if (got == 0 || (got < 0 && got != -ETIMEDOUT && got != -ECANCELED)) return -ECONNRESET;
    if (got > 0) r->received += (uint64_t)got;
    return got;
}

/* The next piece of a body of known length: what came with the head, then straight into room. */
static ssize_t read_length(request_t *r, h1_t *h, char *room, size_t n, str_t *piece)
{
    buf_t *in = r->conn->in;
    if (h->left == 0) return 0;
    size_t have = buf_used(in);
    if (have) {
        size_t take = have < h->left ? have : (size_t)h->left;
        *piece = str_make(in->pos, take);
        in->pos += take;
    } else {
        ssize_t got = read_more(r, room, n < h->left ? n : (size_t)h->left);
        if (got < 0) return got;
        *piece = str_make(room, (size_t)got);
    }
    h->left -= piece->n;
    return (ssize_t)piece->n;
}

/* The encoded bytes of a chunked body stand in h->encoded; what came with the head is moved
   there. */
static void begin_chunked(request_t *r, h1_t *h)
{
    buf_t *in = r->conn->in;
    size_t have = buf_used(in);
    h->encoded = buf_take(have > BODY_BUFFER ? have : BODY_BUFFER);
    buf_put(h->encoded, buf_str(in));
    in->pos = in->last;
}

static int fill_encoded(request_t *r, h1_t *h)
{
    buf_t *b = h->encoded;
    if (!buf_room(b)) buf_compact(b);
    if (!buf_room(b)) return -EBADMSG; /* trailers larger than the buffer */
    ssize_t got = read_more(r, b->last, buf_room(b));
    if (got < 0) return (int)got;
    b->last += got;
    return 0;
}

/* Trailer fields are kept apart: nothing behind us may take them for headers. */
static ssize_t read_trailers(request_t *r, h1_t *h)
{
    header_list_init(&r->trailers, r->pool);
    for (;;) {
        size_t used;
        parse_error_t e = parse_trailers(h->encoded->pos, buf_used(h->encoded), &r->trailers,
                                         &used);
        if (e == PARSE_OK) {
            h->encoded->pos += used;
            h->body_ended = true;
            return 0;
        }
        if (e != PARSE_MORE) return -EBADMSG;
        int err = fill_encoded(r, h);
        if (err < 0) return err;
    }
}

static ssize_t read_chunked(request_t *r, h1_t *h, str_t *piece)
{
    if (h->body_ended) return 0;
    if (!h->encoded) begin_chunked(r, h);
    for (;;) {
        str_t in = buf_str(h->encoded);
        chunk_result_t result = chunk_decode(&h->chunk, &in, piece);
        h->encoded->pos = (char *)(uintptr_t)in.p;
        if (result == CHUNK_DATA) return (ssize_t)piece->n;
        if (result == CHUNK_BAD) return -EBADMSG;
        if (result == CHUNK_LAST) return read_trailers(r, h);
        buf_clear(h->encoded);
        int err = fill_encoded(r, h);
        if (err < 0) return err;
    }
}

static ssize_t read_body(request_t *r, char *room, size_t n, str_t *piece)
{
    h1_t *h = r->sink_state;
    int err = send_continue(r, h);
    if (err < 0) return err;
    if (r->head.framing == PARSE_CHUNKED) return read_chunked(r, h, piece);
    return read_length(r, h, room, n, piece);
}

/* The end can be read at once, too. The line's end behind a chunk is no data, so the decoder is
   asked, not the buffer. */
static bool body_is_readable(const request_t *r)
{
    const h1_t *h = r->sink_state;
    str_t in = buf_str(h->encoded ? h->encoded : r->conn->in), piece;
    chunk_t ahead = h->chunk;
    if (stream_readable(&r->conn->stream) || h->body_ended) return true;
    if (r->head.framing != PARSE_CHUNKED) return in.n > 0 || h->left == 0;
    return chunk_decode(&ahead, &in, &piece) != CHUNK_MORE;
}

static size_t body_rest(const request_t *r)
{
    const h1_t *h = r->sink_state;
    bool whole = r->head.framing == PARSE_LENGTH && h->left <= buf_used(r->conn->in);
    return whole ? (size_t)h->left : SIZE_MAX;
}

static int wait_readable(request_t *r, loop_fd_t *other, uint64_t timeout_ms)
{
    return loop_wait_either(&r->conn->stream.io, LOOP_READ, other, LOOP_READ, timeout_ms);
}

/* --- the client's leaving, and its taking leave of HTTP --- */

static void watch(request_t *r, bool on)
{
    loop_fd_t *io = &r->conn->stream.io;
    if (on && io->ready & LOOP_HUP) return; /* who ended its side before still reads */
    io->abort_on_hup = on;
    if (on) io->owner = fiber_self();
}

/* The buffer stays: the request's head stands there, for the log. */
static stream_t *detach(request_t *r, str_t *early)
{
    conn_t *c = r->conn;
    *early = buf_str(c->in);
    c->in->pos = c->in->last;
    c->fiber = NULL;
    c->detached = r->detached = true;
    c->stream.io.owner = NULL;
    c->stream.io.abort_on_hup = false;
    return &c->stream;
}

static void close_detached(request_t *r, int err)
{
    conn_t *c = r->conn;
    (void)err;
    request_end(r);
    conn_close(c, false);
}

static const sink_ops_t h1_sink = {
    .head = h1_reply_head,
    .body = h1_reply_body,
    .interim = h1_reply_interim,
    .abort = h1_reply_abort,
    .read = read_body,
    .readable = body_is_readable,
    .rest = body_rest,
    .wait = wait_readable,
    .watch = watch,
    .detach = detach,
    .close = close_detached,
};

/* --- the request's head --- */

static size_t head_limit(const http_conf_t *c)
{
    return c->large_buffer_size * c->large_buffers_count;
}

/* Room for more of the head; false when it is as large as the limits allow. */
static bool make_room(conn_t *c, const http_conf_t *conf)
{
    buf_t *in = c->in;
    if (buf_room(in)) return true;
    buf_compact(in);
    if (buf_room(in)) return true;
    size_t most = head_limit(conf);
    if (buf_capacity(in) >= most) return false;
    c->in = buf_grow(in, buf_capacity(in) * 2);
    return true;
}

static void refuse_large(request_t *r)
{
    size_t line = r->head.line.n;
    bool in_line = line ? line > http_conf(r->conf)->large_buffer_size
                        : !memchr(r->conn->in->pos, '\n', buf_used(r->conn->in));
    flow_refuse(r, in_line ? 414 : 431, LOG_INFO,
                in_line ? "client sent too long URI" : "client sent too large request header");
}

/* A line longer than one of large_client_header_buffers, as nginx measures it. */
static bool line_too_long(const request_t *r)
{
    const http_conf_t *c = http_conf(r->conf);
    if (r->head.line.n > c->large_buffer_size) return true;
    HEADER_EACH(h, &r->head.headers)
        if (h->name.n + h->value.n > c->large_buffer_size) return true;
    return false;
}

static parse_error_t parse(request_t *r)
{
    size_t used = 0;
    buf_t *in = r->conn->in;
    parse_error_t e = parse_request(in->pos, buf_used(in), &r->head, &used);
    r->received = used;
    return e;
}

/* A head that did not come whole: looks at what is new, and parses when its end is there. */
static parse_error_t parse_again(request_t *r, size_t *scanned)
{
    const buf_t *in = r->conn->in;
    parse_error_t e = parse_more(in->pos, buf_used(in), scanned);
    return e == PARSE_OK ? parse(r) : e;
}

/* A request line that is none is shown in the logs as it came. */
static str_t raw_line(const buf_t *in)
{
    str_t text = buf_str(in);
    while (text.n && (*text.p == '\r' || *text.p == '\n')) text = str_sub(text, 1, text.n);
    text = str_sub(text, 0, str_find(text, 0, '\n'));
    return text.n && text.p[text.n - 1] == '\r' ? str_sub(text, 0, text.n - 1) : text;
}

static void refuse_malformed(request_t *r, parse_error_t e)
{
    const char *where = r->head.line.n ? "headers" : "line";
    str_t reason = pool_printf(r->pool, "client sent %s while reading client request %s",
                               parse_error_text(e), where);
    if (!r->head.line.n) r->head.line = raw_line(r->conn->in);
    flow_refuse(r, parse_error_status(e), LOG_INFO, reason.p);
}

static int lost_in_head(request_t *r, ssize_t err)
{
    if (!buf_used(r->conn->in)) return 0;
    if (err == -ETIMEDOUT) {
        flow_refuse(r, 408, LOG_INFO, "client timed out (110: Connection timed out) while reading "
                                      "client request headers");
        return -1;
    }
    LOG(&r->log, LOG_INFO, 0, "client prematurely closed connection while reading client request "
                              "headers");
    return 0;
}

/* Reads some more of the head. 1, or as read_head. */
static int read_some(request_t *r, uint64_t deadline)
{
    conn_t *c = r->conn;
    if (!make_room(c, http_conf(r->conf))) return refuse_large(r), -1;
    uint64_t now = clock_ms();
    ssize_t got = stream_read(&c->stream, c->in->last, buf_room(c->in),
                              now < deadline ? deadline - now : 0);
    if (got <= 0) return lost_in_head(r, got);
    c->in->last += got;
    return 1;
}

/* Reads until a head has been parsed: 1. 0: none came (the client left before); -1: refused. */
static int read_head(request_t *r)
{
    uint64_t deadline = clock_ms() + http_conf(r->conf)->client_header_timeout;
    size_t scanned = 0;
    bool first = true;
    parse_error_t e = PARSE_MORE;
    for (;; first = false) {
        if (buf_used(r->conn->in)) e = first ? parse(r) : parse_again(r, &scanned);
        if (e != PARSE_MORE) break;
        int got = read_some(r, deadline);
        if (got <= 0) return got;
    }
    if (e != PARSE_OK) return refuse_malformed(r, e), -1;
    r->conn->in->pos += r->received;
    if (line_too_long(r)) return refuse_large(r), -1;
    return 1;
}

/* --- one request --- */

static h1_t *begin(request_t *r)
{
    h1_t *h = POOL_NEW(r->pool, h1_t);
    r->sink_state = h;
    h->sent_before = r->conn->stream.sent;
    return h;
}

static void begin_parsed(request_t *r, h1_t *h)
{
    r->method = r->head.method;
    r->method_id = r->head.method_id;
    if (r->head.framing == PARSE_LENGTH) h->left = r->head.content_length;
    h->keep_alive = r->head.keep_alive;
}

/* Bytes of the next request that were read with a chunked body go back where heads are read. */
static void return_encoded(conn_t *c, h1_t *h)
{
    if (!h->encoded) return;
    if (buf_used(h->encoded)) {
        buf_return(c->in);
        c->in = h->encoded;
    } else {
        buf_return(h->encoded);
    }
    h->encoded = NULL;
}

static uint32_t idle_time(const http_conf_t *c)
{
    return c->keepalive_timeout < UINT32_MAX ? (uint32_t)c->keepalive_timeout : UINT32_MAX;
}

/* Serves the next request. True: the connection is fit for another. */
static bool serve_one(conn_t *c, bool pipelined)
{
    request_t *r = request_new(c, &h1_sink);
    h1_t *h = begin(r);
    bool keep = false;
    r->pipelined = pipelined;
    conn_gauge(c, &worker_counters->reading);
    int parsed = read_head(r);
    conn_gauge(c, &worker_counters->writing);
    if (parsed > 0) {
        r->serial = ++c->requests;
        begin_parsed(r, h);
        flow_run(r);
        if (r->detached) return true; /* a tunnel has the connection now, and the request */
        keep = h->keep_alive && r->reply.finished && body_drain(r);
        c->keepalive_ms = idle_time(http_conf(r->conf));
    }
    c->unread |= !keep && (parsed < 0 || (body_present(r) && !r->body.ended));
    return_encoded(c, h);
    buf_return(h->out);
    request_end(r);
    return keep;
}

bool h1_serve(conn_t *c)
{
    bool keep, pipelined = false;
    do {
        buf_compact(c->in);
        keep = serve_one(c, pipelined);
        pipelined = !c->detached && buf_used(c->in);
    } while (keep && !c->detached && (buf_used(c->in) || stream_readable(&c->stream)));
    return keep;
}
