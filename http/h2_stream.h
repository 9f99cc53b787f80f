/*
 * h2_stream: the life of a stream of HTTP/2, waiting for the client, and the request's body.
 *
 * Memory for a body that nobody reads is bounded by the stream's window, and by H2_HELD_MOST for
 * all of a connection. Trailers of a request are kept until its body has been read.
 */
#ifndef HTTP_H2_STREAM_H
#define HTTP_H2_STREAM_H

#include "http/h2_conn.h"

enum {
    H2_HELD_MOST = 1024 * 1024,      /* from then on the connection's window is not given back */
    H2_WINDOW = 1024 * 1024,         /* of the connection; the most of a stream, unless it begins
                                        with more */
};

/* A stream that the client has opened. */
h2_stream_t *h2_stream_new(h2_t *h2, int32_t id);

/* Bytes of the body have come; or its end. */
void h2_stream_feed(h2_stream_t *s, str_t data);
void h2_stream_end_body(h2_stream_t *s);

/* nghttp2 has closed it: code of RFC 9113 section 7. It may be gone when this returns. */
void h2_stream_closed(h2_stream_t *s, uint32_t code);

/* Waits for the client: to take the reply, or to say more; one fiber each. 0 (look again), or an
   error. Suspends. */
int h2_stream_wait(h2_stream_t *s, uint64_t timeout_ms);
int h2_stream_listen(h2_stream_t *s, uint64_t timeout_ms);
void h2_stream_wake(h2_stream_t *s);

/* Tells the client that the stream is over. */
void h2_stream_reset(h2_stream_t *s, uint32_t code);

/* The request's fiber, or its tunnel, is done with it. */
void h2_stream_release(h2_stream_t *s);

/* Takes all that has come and gives the windows back; the slice is valid until the next call. */
str_t h2_stream_take(h2_stream_t *s);

#endif
