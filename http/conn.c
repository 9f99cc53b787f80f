#include "http/conn.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/process/worker.h"

static uint64_t last_number;

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
