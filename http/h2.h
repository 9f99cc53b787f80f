/*
 * h2: HTTP/2 on a client's connection (RFC 9113), from its preface to its end.
 *
 * An idle connection holds no fiber and no buffer: its struct and nghttp2's session. It goes away
 * in two steps (GOAWAY announced, then said) so that no request is lost. See h2_conn.h for the
 * rooms.
 */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "http/conn.h"

/*
 * Whether the client speaks HTTP/2 of its own accord (RFC 9113 3.3): reads on while what stands in
 * c->in could be the begin of its preface. Suspends.
 */
bool h2_has_preface(conn_t *c);

/* The connection is HTTP/2's from now on, with what has been read into c->in (which may be NULL).
   Its fiber may end. */
void h2_begin(conn_t *c);

#endif
