/*
 * tunnel: relays what carries a request (a connection, or a stream of HTTP/2) and an origin's
 * connection (or a stream of one), both ways, after a 101.
 *
 * The request's fiber ends; the request stays for its log line. While nothing moves, a tunnel holds
 * no fiber and no buffer, only its struct and the request's pool: readiness starts a short fiber
 * that moves what there is and ends. A side that has said its last word is told on (half close);
 * the tunnel ends when both have, on an error, or when nothing has moved for the timeout. It then
 * writes the log line, and ends request and both connections.
 */
#ifndef HTTP_TUNNEL_H
#define HTTP_TUNNEL_H

#include "core/io/stream.h"
#include "http/request.h"

/* The origin's side, and how it is closed in the end. */
typedef struct tunnel_side {
    stream_t *stream;
    void (*close)(void *holder, int err); /* err: negative errno; 0: in order. May suspend. */
    void *holder;
    str_t rest;          /* what it has sent behind its head */
} tunnel_side_t;

/*
 * Takes over r, what carries it, and the origin's side. The caller's fiber leaves all of them alone
 * from now on. The last of r->attempts is completed at the end.
 */
void tunnel_start(request_t *r, const tunnel_side_t *origin, uint64_t timeout_ms);

/* The worker must stop: ends all tunnels (with their log lines). */
void tunnel_cancel_all(void);

#endif
