/*
 * tunnel: relays what carries a request (a connection, or a stream of HTTP/2) and an origin's
 * connection, both ways, after a 101.
 *
 * The request's fiber ends; the request stays for its log line. While nothing moves, a tunnel holds
 * no fiber and no buffer, only its struct and the request's pool: readiness starts a short fiber
 * that moves what there is and ends. A side that has said its last word is told on (half close); the
 * tunnel ends when both have, on an error, or when nothing has moved for the timeout. It then
 * writes the log line, and ends request and both connections.
 */
#ifndef HTTP_TUNNEL_H
#define HTTP_TUNNEL_H

#include "http/origin.h"
#include "http/request.h"

/*
 * Takes over r, what carries it, and the origin's connection. rest: what the origin has sent behind
 * its head. The caller's fiber leaves all of them alone from now on. The last of r->attempts is
 * completed at the end.
 */
void tunnel_start(request_t *r, origin_t *origin, str_t rest, uint64_t timeout_ms);

/* The worker must stop: ends all tunnels (with their log lines). */
void tunnel_cancel_all(void);

#endif
