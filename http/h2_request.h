/*
 * h2_request: a stream of HTTP/2 as a request: judged, run in a fiber of its own, and let go.
 */
#ifndef HTTP_H2_REQUEST_H
#define HTTP_H2_REQUEST_H

#include "http/h2_conn.h"

/* Starts the fiber of a stream whose head is whole; without a stack for it the stream is
   refused. */
void h2_request_begin(h2_stream_t *s);

#endif
