/*
 * h1: HTTP/1.0 and 1.1 on a client's connection (RFC 9112): reads requests, carries replies.
 *
 * One fiber serves a connection while it is busy; between requests the connection gives fiber,
 * buffer and pool back and waits in the loop (conn.c).
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "http/conn.h"

enum { H1_HEAD_BUFFER = 4096 }; /* what c->in holds at first; it grows with a head that is larger */

/*
 * Serves requests from what has been read into c->in and what follows, as long as the
 * client has some ready. True: the connection is idle and can be kept; false: it must be closed.
 * Suspends.
 */
bool h1_serve(conn_t *c);

#endif
