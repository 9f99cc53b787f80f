#include "http/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/process/worker.h"
#include "http/http.h"

list_t conn_idle = {&conn_idle, &conn_idle};
list_t conn_busy = {&conn_busy, &conn_busy};

static uint64_t last_number;

void conn_move(conn_t *c, list_t *to)
{
    list_remove(&c->link);
    list_push(to, &c->link);
}

void conn_gauge(conn_t *c, uint64_t *gauge)
{
    if (c->gauge) --*c->gauge;
    if (gauge) ++*gauge;
    c->gauge = gauge;
}

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

/* ", client: 10.0.0.1, server: 0.0.0.0:80" */
static size_t log_context(const void *arg, char *out, size_t n)
{
    const conn_t *c = arg;
    char client[NET_TEXT_MAX], server[NET_TEXT_MAX];
    net_addr_t peer = conn_peer(c);
    net_format(&peer, false, client);
    net_format(&c->listen->addr, true, server);
    int len = snprintf(out, n, ", client: %s, server: %s", client, server);
    return len < 0 ? 0 : (size_t)len < n ? (size_t)len : n - 1;
}

log_t conn_log(const conn_t *c)
{
    const http_conf_t *conf = http_conf(conn_site(c)->fallback->conf);
    log_t log = conf->log.targets ? conf->log : log_main;
    log.connection = c->number;
    log.context = log_context;
    log.arg = c;
    return log;
}

conn_t *conn_new(const listen_t *l, const net_addr_t *peer)
{
    conn_t *c = calloc(1, sizeof(*c));
    if (!c) panic("out of memory: connection");
    c->listen = l;
    c->number = ++last_number;
    c->accepted_ms = clock_ms();
    list_init(&c->link);
    set_peer(c, peer);
    worker_counters->active++;
    return c;
}

void conn_close(conn_t *c, bool reset)
{
    timer_disarm(&c->idle);
    list_remove(&c->link);
    buf_return(c->in);
    stream_close(&c->stream, reset);
    conn_gauge(c, NULL);
    worker_counters->active--;
    free(c->proxied);
    free(c);
    worker_release();
}
