#include "http/accept.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/process/worker.h"
#include "http/fetch.h"
#include "http/h1.h"
#include "http/h2.h"
#include "http/http.h"
#include "http/proxy_read.h"

/* How long an idle connection is still served when the worker stops: a request may be on its
   way. */
enum { STOP_GRACE_MS = 1000 };

/* Of the idle connections one in so many, and not more than these, are closed at once in a
   shortage. */
enum { RECLAIM_PART = 8, RECLAIM_MOST = 32 };

/* How long a connection that is new has for its first request before it may be closed, too. */
enum { RECLAIM_NEW_MS = 1000 };

static const http_conf_t *conf_of(const conn_t *c)
{
    return http_conf(conn_site(c)->fallback->conf);
}

/* --- lingering --- */

static bool must_linger(const conn_t *c)
{
    unsigned mode = conf_of(c)->lingering_close;
    if (mode == HTTP_LINGER_OFF || !c->in || (c->stream.io.ready & LOOP_HUP) || c->reset)
        return false;
    return mode == HTTP_LINGER_ALWAYS || c->unread || stream_readable(&c->stream);
}

/*
 * Reads and drops what the client still sends, so that the kernel does not answer it with a reset
 * that would take our reply with it (RFC 9112 section 9.6). Suspends; bounded.
 */
static void linger(conn_t *c)
{
    const http_conf_t *conf = conf_of(c);
    uint64_t until = clock_ms() + conf->lingering_time;
    stream_shutdown(&c->stream);
    buf_clear(c->in);
    while (clock_ms() < until && !worker_stopping) {
        ssize_t got = stream_read(&c->stream, c->in->start, buf_capacity(c->in),
                                  conf->lingering_timeout);
        if (got <= 0) return;
    }
}

/* --- serving --- */

static void on_ready(loop_fd_t *io, unsigned events);

static bool over; /* the time for stopping is: nothing becomes idle any more */

/* How long a connection that becomes idle now may stay so. */
static uint64_t idle_ms(const conn_t *c)
{
    uint64_t ms = c->requests ? c->keepalive_ms : conf_of(c)->client_header_timeout;
    return worker_stopping && ms > STOP_GRACE_MS ? STOP_GRACE_MS : ms;
}

/* Gives back all but the struct, and waits for the next request in the loop. */
static void become_idle(conn_t *c)
{
    buf_return(c->in);
    c->in = NULL;
    c->fiber = NULL;
    c->stream.io.owner = NULL;
    c->stream.io.on_ready = on_ready;
    conn_move(c, &conn_idle);
    conn_gauge(c, &worker_counters->waiting);
    timer_arm(&c->idle, idle_ms(c));
}

static void become_busy(conn_t *c)
{
    timer_disarm(&c->idle);
    c->stream.io.on_ready = NULL;
    c->stream.io.owner = c->fiber;
    conn_move(c, &conn_busy);
}

/* Whether there is something to read on behind a greeting that went well. */
static bool more_follows(conn_t *c)
{
    if (!c->in && stream_readable(&c->stream)) c->in = buf_take(H1_HEAD_BUFFER);
    return c->in && (buf_used(c->in) || stream_readable(&c->stream));
}

/* What must come before the first request. True: a request may follow at once. */
static bool greet(conn_t *c, bool *keep)
{
    const site_address_t *address = conn_site(c);
    if (address->proxy_protocol && !c->proxied) {
        conn_gauge(c, &worker_counters->reading);
        *keep = proxy_read(c);
        if (!*keep || !more_follows(c)) return false;
    }
    if (!address->ssl || c->secure) return true;
    conn_gauge(c, &worker_counters->reading);
    *keep = address->shake_hands(c);
    return *keep && (more_follows(c) || c->http2);
}

/* The protocol that has been agreed on, or that the client begins with. */
static bool serve_requests(conn_t *c)
{
    if (!c->http2 && (c->requests || !h2_has_preface(c))) return h1_serve(c);
    h2_begin(c);
    return true;
}

static void serve(void *arg)
{
    conn_t *c = arg;
    bool keep = false;
    if (greet(c, &keep)) keep = serve_requests(c);
    if (c->detached || c->protocol) return;
    if (keep && !over) {
        become_idle(c);
        return;
    }
    fiber_uncancel(c->fiber);
    if (must_linger(c)) linger(c);
    conn_close(c, c->reset);
}

/* Reads the first bytes here, so that a client that only leaves costs no fiber. */
static ssize_t read_first(conn_t *c)
{
    c->in = buf_take(H1_HEAD_BUFFER);
    ssize_t got = stream_try_read(&c->stream, c->in->last, buf_room(c->in));
    if (got > 0) {
        c->in->last += got;
        return got;
    }
    buf_return(c->in);
    c->in = NULL;
    return got;
}

static void on_ready(loop_fd_t *io, unsigned events)
{
    conn_t *c = LIST_OF(io, conn_t, stream.io);
    if (!(events & LOOP_READ)) return;
    ssize_t got = read_first(c);
    if (got == -EAGAIN) return;
    if (got > 0) c->fiber = fiber_start(serve, c);
    if (got > 0 && !c->fiber)
        LOG(&log_main, LOG_ALERT, errno, "no stack for a request of connection *%llu",
            (unsigned long long)c->number);
    if (c->fiber)
        become_busy(c);
    else
        conn_close(c, got > 0);
}

static void on_idle_timeout(struct timer *t)
{
    conn_t *c = LIST_OF(t, conn_t, idle);
    if (c->protocol)
        c->protocol->timeout(c);
    else
        conn_close(c, c->requests == 0 && conf_of(c)->reset_timedout_connection);
}

/* --- accepting --- */

void accept_connection(listen_t *l, int fd, const net_addr_t *peer)
{
    conn_t *c = conn_new(l, peer);
    c->idle.fire = on_idle_timeout;
    c->stream.io.on_ready = on_ready;
    int err = stream_open(&c->stream, fd);
    if (err < 0) {
        LOG(&log_main, LOG_ALERT, -err, "epoll_ctl() failed for an accepted connection");
        close(fd);
        conn_close(c, false);
        return;
    }
    worker_counters->handled++;
    conn_move(c, &conn_idle);
    conn_gauge(c, &worker_counters->waiting);
    timer_arm(&c->idle, conf_of(c)->client_header_timeout);
}

/* --- shortage --- */

static void drop(conn_t *c)
{
    if (c->protocol)
        c->protocol->cancel(c);
    else
        conn_close(c, false);
}

/* Not one whose request is on its way: it would be answered with a reset. */
static bool is_done(const conn_t *c)
{
    char byte;
    if (c->requests == 0 && clock_ms() < c->accepted_ms + RECLAIM_NEW_MS) return false;
    return !stream_readable(&c->stream) &&
           recv(c->stream.io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

unsigned accept_reclaim(void)
{
    unsigned idle = 0, closed = 0;
    for (const list_t *l = conn_idle.next; l != &conn_idle && idle < RECLAIM_MOST * RECLAIM_PART;
         l = l->next)
        idle++;
    unsigned left = idle;
    LIST_EACH_SAFE(l, &conn_idle)
    {
        conn_t *c = LIST_OF(l, conn_t, link);
        if (left-- == 0 || closed * RECLAIM_PART >= idle) break;
        if (!is_done(c)) continue;
        drop(c);
        closed++;
    }
    return closed;
}

/* --- stopping --- */

void accept_stop_idle(void)
{
    LIST_EACH_SAFE(l, &conn_busy)
    {
        conn_t *c = LIST_OF(l, conn_t, link);
        if (c->protocol) c->protocol->stop(c);
    }
    LIST_EACH_SAFE(l, &conn_idle)
    {
        conn_t *c = LIST_OF(l, conn_t, link);
        if (c->protocol)
            c->protocol->stop(c);
        else if (c->idle.at > clock_ms() + STOP_GRACE_MS) timer_arm(&c->idle, STOP_GRACE_MS);
    }
}

void accept_cancel_all(void)
{
    over = true;
    LIST_EACH_SAFE(l, &conn_idle) drop(LIST_OF(l, conn_t, link));
    LIST_EACH_SAFE(l, &conn_busy)
    {
        conn_t *c = LIST_OF(l, conn_t, link);
        if (c->protocol)
            c->protocol->cancel(c);
        else if (c->fiber) fiber_cancel(c->fiber, -ECANCELED);
    }
    fetch_cancel_all();
}
