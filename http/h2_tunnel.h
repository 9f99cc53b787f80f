/*
 * h2_tunnel: a stream of HTTP/2 as the client's side of a tunnel (RFC 8441): DATA as plain bytes.
 *
 * The tunnel (tunnel.h) sees a stream_t like any other (pipe.h).
 */
#ifndef HTTP_H2_TUNNEL_H
#define HTTP_H2_TUNNEL_H

#include "http/h2_conn.h"

/* Of the sink: see request.h. */
stream_t *h2_tunnel_detach(request_t *r, str_t *early);
void h2_tunnel_close(request_t *r, int err);

#endif
