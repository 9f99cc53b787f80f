/*
 * conn: a client's connection. Idle, it holds no fiber, no pool and no buffer: only this struct.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/io/stream.h"
#include "core/io/timer.h"
#include "core/process/listen.h"

typedef struct site_address site_address_t;

enum { CONN_PEER_MAX = 46 };

typedef struct conn {
    stream_t stream;
    list_t link;               /* among the worker's idle, or among its busy connections */
    struct timer idle;         /* keepalive_timeout, or client_header_timeout before the first byte */
    fiber_t *fiber;            /* NULL while idle */
    buf_t *in;                 /* NULL while idle */
    const listen_t *listen;
    const site_address_t *site;
    net_addr_t peer;
    uint64_t number;           /* *N in the log, $connection */
    uint64_t accepted_ms;      /* clock_ms */
    unsigned requests;         /* $connection_requests */
    uint8_t peer_len;
    char peer_text[CONN_PEER_MAX]; /* without port; "unix:" for unix sockets */
} conn_t;

static inline str_t conn_peer(const conn_t *c)
{
    return str_make(c->peer_text, c->peer_len);
}

#endif
