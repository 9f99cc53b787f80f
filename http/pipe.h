/*
 * pipe: a stream of HTTP/2 as plain bytes, one side of a tunnel (RFC 8441): tunnel.h sees a
 * stream_t like any other.
 *
 * What the stream does stands in a table: h2_tunnel.c has that of a client's, mux_pipe.c that of an
 * origin's. Each way holds a buffer only while there is something in it. Nothing suspends.
 */
#ifndef HTTP_PIPE_H
#define HTTP_PIPE_H

#include "core/base/buf.h"
#include "core/base/pool.h"
#include "core/io/stream.h"

typedef struct pipe_state {
    bool more;     /* has come and was not taken */
    bool ended;    /* the peer has said its last word */
    bool sending;  /* not all that was to be sent has gone */
    int err;       /* that has ended it; 0: none */
} pipe_state_t;

typedef struct pipe_ops {
    pipe_state_t (*look)(const void *stream);
    /* The next bytes that have come, valid until the next call; false: there are none now. */
    bool (*take)(void *stream, str_t *piece);
    void (*send)(void *stream, str_t bytes); /* which stay until all have gone */
    void (*finish)(void *stream);            /* we have said our last word */
} pipe_ops_t;

typedef struct pipe {
    stream_t stream;
    const pipe_ops_t *ops;
    void *holder;  /* for ops */
    str_t unread;  /* of what was taken */
    buf_t *out;    /* being sent; NULL: nothing */
} pipe_t;

pipe_t *pipe_new(pool_t *pool, const pipe_ops_t *ops, void *holder);

/* Something has come, or has gone, or it is over. */
void pipe_notice(pipe_t *p);

/* Nothing is sent any more. */
void pipe_drop(pipe_t *p);

#endif
