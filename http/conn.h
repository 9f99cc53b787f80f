/*
 * conn: a client's connection. Idle, it holds no fiber, no pool and no buffer: only this struct.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/pool.h"
#include "core/io/stream.h"
#include "core/io/timer.h"
#include "core/process/listen.h"

typedef struct site_address site_address_t;
typedef struct site_server site_server_t;
typedef struct proxy_protocol proxy_protocol_t;

typedef struct conn conn_t;

/* What a protocol other than HTTP/1 does with its connection when others want something of it. */
typedef struct conn_protocol {
    void (*timeout)(conn_t *c); /* conn.idle has fired */
    void (*stop)(conn_t *c);    /* the worker stops: finish what is in flight, begin nothing */
    void (*cancel)(conn_t *c);  /* close now (an idle one before this returns) */
} conn_protocol_t;

struct conn {
    stream_t stream;
    list_t link;               /* in conn_idle or conn_busy */
    struct timer idle;         /* keepalive_timeout, before the first byte client_header_timeout */
    fiber_t *fiber;            /* NULL while idle */
    buf_t *in;                 /* NULL while idle */
    const listen_t *listen;
    struct sockaddr_in6 peer;  /* or a sockaddr_in; of a unix socket the family alone (conn_peer) */
    uint64_t *gauge;           /* of worker_counters: what the connection counts as now */
    uint64_t number;           /* *N in the log, $connection */
    uint64_t accepted_ms;      /* clock_ms */
    unsigned requests;         /* begun on it */
    uint32_t keepalive_ms;     /* how long it may idle now: what the last request's location says */
    const conn_protocol_t *protocol; /* NULL: HTTP/1 */
    void *state;               /* the protocol's */
    proxy_protocol_t *proxied; /* what the PROXY protocol said; NULL: not spoken, or not yet */
    site_server_t *named;      /* the server found by the handshake's server name; NULL: none */
    bool secure;               /* over TLS */
    bool http2;                /* HTTP/2 has been agreed on */
    bool unread;               /* the client may be sending what nobody reads: linger at the end */
    bool reset;                /* end it with a reset */
    bool detached;             /* a tunnel owns connection and request; the fiber only ends */
};

/* A connection of a socket accepted on l, not yet open; it is counted until conn_close. */
conn_t *conn_new(const listen_t *l, const net_addr_t *peer);

/* Closes and frees. With reset the client sees that what it got is not whole. */
void conn_close(conn_t *c, bool reset);

/* The worker's connections: those that wait for a request, the longest first, and those that
   serve. */
extern list_t conn_idle, conn_busy;

/* Moves it to the end of one of them. */
void conn_move(conn_t *c, list_t *to);

/* The log of its servers' default, with the client for context. */
log_t conn_log(const conn_t *c);

/* The connection counts under this gauge of worker_counters from now on (NULL: none). */
void conn_gauge(conn_t *c, uint64_t *gauge);

/* The client's address; of a unix socket the family alone. */
net_addr_t conn_peer(const conn_t *c);

/* The servers of the address the client connected to. */
static inline const site_address_t *conn_site(const conn_t *c)
{
    return c->listen->data;
}

#endif
