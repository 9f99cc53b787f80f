#include "http/h2.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/process/worker.h"
#include "http/h2_reply.h"
#include "http/h2_request.h"
#include "http/h2_session.h"
#include "http/h2_stream.h"
#include "http/http.h"

/* A client has so long to answer the announcement of the end; then it is told the end itself. */
enum {
    WARNED_MS = 1000,
    TURN_MOST = 1024 * 1024,
    UNSENT_MOST = 128 * 1024, /* in the kernel: later frames may be more urgent */
};

/* --- the end --- */

static void destroy(h2_t *h2)
{
    conn_t *c = h2->conn;
    list_remove(&h2->turn.link);
    nghttp2_session_del(h2->session);
    h2_out_drop(&h2->out);
    free(h2);
    conn_close(c, c->reset);
}

/* Nobody is there any more: every request hears of it, the last to unwind ends the connection. */
static void lose(h2_t *h2)
{
    if (h2->stage == H2_LOST) return;
    h2->stage = H2_LOST;
    timer_disarm(&h2->conn->idle);
    h2->conn->stream.io.on_ready = NULL;
    h2_out_drop(&h2->out);
    LIST_EACH_SAFE(l, &h2->streams)
        h2_stream_closed(LIST_OF(l, h2_stream_t, link), NGHTTP2_CANCEL);
    h2_conn_wake(h2);
}

/* What is written must arrive: our side ends, and what still comes is dropped for a while. */
static void linger(h2_t *h2)
{
    conn_t *c = h2->conn;
    h2->stage = H2_LINGERING;
    h2->over = true;
    LIST_EACH_SAFE(l, &h2->streams)
        h2_stream_closed(LIST_OF(l, h2_stream_t, link), NGHTTP2_CANCEL);
    stream_shutdown(&c->stream);
    conn_move(c, &conn_busy);
    timer_arm(&c->idle, h2->conf->lingering_timeout);
}

/* --- reading --- */

/* What is read stands here until nghttp2 has seen it: bodies and heads are copied. */
static buf_t *scratch(const h2_t *h2)
{
    static buf_t *b;
    if (b && buf_capacity(b) >= h2->limits->recv_buffer) return b;
    buf_return(b);
    return b = buf_take(h2->limits->recv_buffer);
}

static void feed(h2_t *h2, str_t bytes)
{
    if (h2->over) return;
    h2->over = !h2_session_feed(h2, bytes);
}

/* Requests begin behind all that was read with their heads: those cancelled at once never do. */
static void begin_requests(h2_t *h2)
{
    list_t *l;
    while ((l = list_pop(&h2->opened))) h2_request_begin(LIST_OF(l, h2_stream_t, queue));
}

/* Reads once. False: there is nothing, or nobody. */
static bool read_some(h2_t *h2)
{
    buf_t *b = scratch(h2);
    ssize_t got = stream_try_read(&h2->conn->stream, b->start, buf_capacity(b));
    if (got == -EAGAIN) return false;
    if (got <= 0) {
        lose(h2);
        return false;
    }
    feed(h2, str_make(b->start, (size_t)got));
    begin_requests(h2);
    return true;
}

static void on_ready(loop_fd_t *io, unsigned events)
{
    h2_t *h2 = LIST_OF(io, conn_t, stream.io)->state;
    if (events & LOOP_READ) read_some(h2);
    h2_conn_wake(h2);
}

/* --- writing --- */

/* Writes until nothing is left to say, or the socket takes no more. False: the connection is
   lost. */
static bool write_all(h2_t *h2)
{
    uint64_t most = h2->conn->stream.sent + TURN_MOST;
    for (;;) {
        int done = h2_out_write(&h2->out, &h2->conn->stream, h2_reply_written);
        if (done <= 0) return done == 0;
        if (h2->conn->stream.sent >= most) {
            h2_conn_wake(h2); /* others first */
            return true;
        }
        if (!h2_session_fill(h2)) return false;
        if (h2_out_empty(&h2->out)) return true;
    }
}

/* --- between requests --- */

/* The last word has been said, and everything before it. */
static bool is_done(const h2_t *h2)
{
    if (h2->stage != H2_CLOSING || !h2_out_empty(&h2->out)) return false;
    return h2->over || list_empty(&h2->streams);
}

static bool is_worn(const h2_t *h2)
{
    const conn_t *c = h2->conn;
    return worker_stopping || !h2->conf->keepalive_timeout ||
           c->requests >= h2->conf->keepalive_requests ||
           clock_ms() - c->accepted_ms >= h2->conf->keepalive_time;
}

static void become_idle(h2_t *h2)
{
    conn_t *c = h2->conn;
    h2->idle = true;
    conn_move(c, &conn_idle);
    conn_gauge(c, &worker_counters->waiting);
    timer_arm(&c->idle,
              c->requests ? h2->conf->keepalive_timeout : h2->conf->client_header_timeout);
}

static void become_busy(h2_t *h2)
{
    conn_t *c = h2->conn;
    h2->idle = false;
    conn_move(c, &conn_busy);
    conn_gauge(c, &worker_counters->writing);
    timer_disarm(&c->idle);
}

static void stop(conn_t *c)
{
    h2_t *h2 = c->state;
    if (h2->stage != H2_SERVING) return;
    h2_session_warn(h2);
    conn_move(c, &conn_busy);
    timer_arm(&c->idle, WARNED_MS);
}

/* What the connection is now that all has been read and written that could be. */
static void settle(h2_t *h2)
{
    conn_t *c = h2->conn;
    bool busy = !list_empty(&h2->streams);
    if (h2->stage == H2_SERVING && c->requests && is_worn(h2)) stop(c);
    if (is_done(h2)) {
        linger(h2);
    } else if (h2->stage != H2_SERVING) {
        if (h2->stage == H2_CLOSING && (!busy || h2->over) && !timer_armed(&c->idle))
            timer_arm(&c->idle, h2->conf->send_timeout);
    } else if (busy == h2->idle) {
        busy ? become_busy(h2) : become_idle(h2);
    } else if (busy && !h2->heading) {
        timer_disarm(&c->idle);
    }
    if (h2->heading && !timer_armed(&c->idle)) timer_arm(&c->idle, h2->conf->client_header_timeout);
}

static void run_turn(loop_task_t *t)
{
    h2_t *h2 = LIST_OF(t, h2_t, turn);
    stream_t *s = &h2->conn->stream;
    if (h2->stage < H2_LOST && stream_readable(s) && read_some(h2)) h2_conn_wake(h2);
    if (h2->stage < H2_LINGERING && !write_all(h2)) lose(h2);
    if (h2->stage < H2_LINGERING) settle(h2);
    if (h2->stage == H2_LOST && list_empty(&h2->streams)) destroy(h2);
}

/* --- what others want of the connection --- */

static void on_timeout(conn_t *c)
{
    h2_t *h2 = c->state;
    bool silent = h2->heading || (h2->stage == H2_SERVING && !c->requests);
    if (h2->stage >= H2_CLOSING) {
        lose(h2);
        return;
    }
    if (silent) {
        log_t log = conn_log(c);
        LOG(&log, LOG_INFO, 0, "client timed out (110: Connection timed out) while reading client "
                               "request headers");
        c->reset = h2->conf->reset_timedout_connection;
    }
    h2_session_goodbye(h2, NGHTTP2_NO_ERROR);
    if (h2->heading) h2->over = true;
}

static void cancel(conn_t *c)
{
    h2_t *h2 = c->state;
    LIST_EACH(l, &h2->streams)
    {
        h2_stream_t *s = LIST_OF(l, h2_stream_t, link);
        if (s->fiber) fiber_cancel(s->fiber, -ECANCELED);
    }
    lose(h2);
    if (list_empty(&h2->streams)) destroy(h2);
}

static const conn_protocol_t protocol = {.timeout = on_timeout, .stop = stop, .cancel = cancel};

/* --- the begin --- */

/* Of the server that the handshake has named, or of the address. */
static void **structs_of(const conn_t *c)
{
    return c->named ? c->named->conf : conn_site(c)->fallback->conf;
}

bool h2_has_preface(conn_t *c)
{
    static const str_t preface = STR_INIT(NGHTTP2_CLIENT_MAGIC);
    const http_conf_t *conf = http_conf(structs_of(c));
    uint64_t deadline = clock_ms() + conf->client_header_timeout;
    if (!conf->http2 && !conn_site(c)->http2) return false;
    for (;;) {
        str_t in = buf_str(c->in);
        if (in.n > preface.n) in.n = preface.n;
        if (memcmp(in.p, preface.p, in.n) != 0) return false;
        if (in.n == preface.n) return true;
        uint64_t now = clock_ms();
        ssize_t got = stream_read(&c->stream, c->in->last, buf_room(c->in),
                                  now < deadline ? deadline - now : 0);
        if (got <= 0) return false; /* HTTP/1 says what is wrong */
        c->in->last += got;
    }
}

static h2_t *new_h2(conn_t *c)
{
    h2_t *h2 = calloc(1, sizeof(*h2));
    if (!h2) panic("out of memory: connection of HTTP/2");
    h2->conn = c;
    h2->conf = http_conf(structs_of(c));
    h2->limits = h2_conf(structs_of(c));
    list_init(&h2->streams);
    list_init(&h2->opened);
    list_init(&h2->turn.link);
    h2->turn.run = run_turn;
    h2->guard.since_ms = clock_ms();
    return h2;
}

void h2_begin(conn_t *c)
{
    h2_t *h2 = new_h2(c);
    buf_t *in = c->in;
    c->in = NULL;
    c->fiber = NULL;
    c->protocol = &protocol;
    c->state = h2;
    c->stream.io.owner = NULL;
    c->stream.io.on_ready = on_ready;
    net_unsent_most(c->stream.io.fd, UNSENT_MOST);
    h2_session_open(h2);
    if (in) feed(h2, buf_str(in));
    buf_return(in);
    begin_requests(h2);
    if (worker_stopping) stop(c);
    h2_conn_wake(h2);
}
