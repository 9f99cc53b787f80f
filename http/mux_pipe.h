/*
 * mux_pipe: a stream of a shared HTTP/2 connection to an origin as the origin's side of a tunnel
 * (RFC 8441): DATA as plain bytes.
 *
 * The tunnel (tunnel.h) sees a stream_t like any other (pipe.h). Nothing here suspends.
 */
#ifndef HTTP_MUX_PIPE_H
#define HTTP_MUX_PIPE_H

#include "core/io/stream.h"
#include "http/mux_stream.h"

/* s has been answered, and no fiber waits for it; its pool holds the pipe. */
stream_t *mux_pipe_make(mux_stream_t *s);

/* The stream is no pipe any more, and may have to be closed (mux_close). */
void mux_pipe_drop(mux_stream_t *s);

#endif
