#include "http/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/process/worker.h"
#include "http/h1.h"
#include "http/http.h"

static list_t idle_list = {&idle_list, &idle_list};
static list_t busy_list = {&busy_list, &busy_list};
static uint64_t last_number;

static const http_conf_t *conf_of(const conn_t *c)
{
    return http_conf(conn_site(c)->fallback->conf);
}

void conn_gauge(conn_t *c, uint64_t *gauge)
{
    if (c->gauge) --*c->gauge;
    if (gauge) ++*gauge;
    c->gauge = gauge;
}

/* --- closing --- */

static void discard(conn_t *c, bool reset)
{
    timer_disarm(&c->idle);
    list_remove(&c->link);
    buf_return(c->in);
    stream_close(&c->stream, reset);
    conn_gauge(c, NULL);
    worker_counters->active--;
    free(c);
    worker_release();
}

void conn_close(conn_t *c, bool reset)
{
    discard(c, reset);
}

static bool must_linger(const conn_t *c)
{
    unsigned mode = conf_of(c)->lingering_close;
    if (mode == HTTP_LINGER_OFF || (c->stream.io.ready & LOOP_HUP) || c->reset) return false;
    return mode == HTTP_LINGER_ALWAYS || c->unread || stream_readable(&c->stream);
}

/*
 * Reads and drops what the client still sends, so that the kernel does not answer it with a reset that
 * would take our reply with it (RFC 9112 section 9.6). Suspends; bounded.
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

/* Gives back all but the struct, and waits for the next request in the loop. */
static void become_idle(conn_t *c)
{
    buf_return(c->in);
    c->in = NULL;
    c->fiber = NULL;
    c->stream.io.owner = NULL;
    c->stream.io.on_ready = on_ready;
    list_remove(&c->link);
    list_push(&idle_list, &c->link);
    conn_gauge(c, &worker_counters->waiting);
    timer_arm(&c->idle, conf_of(c)->keepalive_timeout);
}

static void become_busy(conn_t *c)
{
    timer_disarm(&c->idle);
    c->stream.io.on_ready = NULL;
    c->stream.io.owner = c->fiber;
    list_remove(&c->link);
    list_push(&busy_list, &c->link);
}

static void serve(void *arg)
{
    conn_t *c = arg;
    bool keep = h1_serve(c);
    if (c->detached) return;
    if (keep && !worker_stopping) {
        become_idle(c);
        return;
    }
    fiber_uncancel(c->fiber);
    if (must_linger(c)) linger(c);
    discard(c, c->reset);
}

static void on_ready(loop_fd_t *io, unsigned events)
{
    conn_t *c = LIST_OF(io, conn_t, stream.io);
    if (!(events & LOOP_READ)) return;
    c->fiber = fiber_start(serve, c);
    if (!c->fiber) {
        LOG(&log_main, LOG_ALERT, errno, "no stack for a request of connection *%llu",
            (unsigned long long)c->number);
        discard(c, true);
        return;
    }
    become_busy(c);
}

static void on_idle_timeout(struct timer *t)
{
    conn_t *c = LIST_OF(t, conn_t, idle);
    discard(c, c->requests == 0 && conf_of(c)->reset_timedout_connection);
}

/* --- accepting --- */

static void set_peer(conn_t *c, const net_addr_t *peer)
{
    size_t n = peer->len < sizeof(c->peer) ? peer->len : sizeof(c->peer);
    if (peer->sa.sa_family == AF_UNIX || n < sizeof(sa_family_t))
        c->peer.sin6_family = AF_UNIX;
    else
        memcpy(&c->peer, &peer->sa, n);
}

net_addr_t conn_peer(const conn_t *c)
{
    net_addr_t a = {.len = sizeof(sa_family_t)};
    if (c->peer.sin6_family == AF_INET) a.len = sizeof(a.in);
    if (c->peer.sin6_family == AF_INET6) a.len = sizeof(a.in6);
    memcpy(&a.sa, &c->peer, a.len);
    return a;
}

str_t conn_peer_text(const conn_t *c, pool_t *pool)
{
    char text[NET_TEXT_MAX];
    net_addr_t a = conn_peer(c);
    if (a.sa.sa_family == AF_UNIX) return STR("unix:");
    return pool_str(pool, str_make(text, net_format(&a, false, text)));
}

static conn_t *conn_new(listen_t *l, const net_addr_t *peer)
{
    conn_t *c = calloc(1, sizeof(*c));
    if (!c) panic("out of memory: connection");
    c->listen = l;
    c->number = ++last_number;
    c->accepted_ms = clock_ms();
    c->idle.fire = on_idle_timeout;
    c->stream.io.on_ready = on_ready;
    list_init(&c->link);
    set_peer(c, peer);
    return c;
}

void conn_accept(listen_t *l, int fd, const net_addr_t *peer)
{
    conn_t *c = conn_new(l, peer);
    int err = stream_open(&c->stream, fd);
    worker_counters->active++;
    if (err < 0) {
        LOG(&log_main, LOG_ALERT, -err, "epoll_ctl() failed for an accepted connection");
        close(fd);
        discard(c, false);
        return;
    }
    worker_counters->handled++;
    list_push(&idle_list, &c->link);
    conn_gauge(c, &worker_counters->waiting);
    timer_arm(&c->idle, conf_of(c)->client_header_timeout);
}

/* --- stopping --- */

void conn_stop_idle(void)
{
    LIST_EACH_SAFE(l, &idle_list) discard(LIST_OF(l, conn_t, link), false);
}

void conn_cancel_all(void)
{
    conn_stop_idle();
    LIST_EACH(l, &busy_list)
    {
        conn_t *c = LIST_OF(l, conn_t, link);
        if (c->fiber) fiber_cancel(c->fiber, -ECANCELED);
    }
}
