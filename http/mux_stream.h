/*
 * mux_stream: one exchange of a shared HTTP/2 connection: what has come for it, what is to go.
 *
 * Belongs to whoever opened it (client_mux.c) and is known to its session (mux_session.c) as long
 * as `session` is set. Heads and trailers stand in its pool; the body in a queue of buffers, which
 * the stream's window keeps short: room is given back to the origin only for what was used up. A
 * stream may have two fibers, one that reads and one that sends. Nothing here suspends.
 */
#ifndef HTTP_MUX_STREAM_H
#define HTTP_MUX_STREAM_H

#include <nghttp2/nghttp2.h>

#include "core/base/buf.h"
#include "core/base/list.h"
#include "core/base/vec.h"
#include "core/io/fiber.h"
#include "http/parse.h"

typedef struct mux_session mux_session_t;

typedef struct mux_stream {
    /* Set by whoever opens it; all else is zero at first. */
    pool_t *pool;
    size_t head_max;             /* bytes of heads (RFC 9113 10.5.1), and as many of trailers */

    mux_session_t *session;      /* NULL: not open, or over */
    list_t link;                 /* among the session's */
    int32_t id;
    fiber_t *reader, *sender;    /* waiting for what comes; for `out` to be gone */
    void (*notice)(struct mux_stream *s); /* told of both instead (mux_pipe.h); NULL: nobody */
    void *pipe;                  /* of notice */

    const char *out;             /* the piece of the request's body that goes next */
    size_t out_left;
    bool out_ends;               /* nothing follows it, but */
    const nghttp2_nv *tail;      /* trailers; NULL: none */
    size_t tail_n;

    VEC(parse_response_t *) interims; /* heads of the 1xx */
    unsigned interims_taken;
    parse_response_t *head;      /* the one being read, then the final one */
    header_list_t trailers;
    size_t head_size;            /* so far */
    buf_t *first, *last;         /* the body; first those whose bytes were given out */
    size_t given;                /* bytes given out since mux_stream_used */
    bool answered, ended;        /* the final head, the end of the response are there */
    bool reset;                  /* the origin has broken it off */
    bool refused;                /* the origin has not begun to serve it */
    int error;                   /* negative errno that ended it before its time; 0: none */
    const char *why;             /* of -EBADMSG */
    uint64_t received, sent;     /* bytes of its frames */
} mux_stream_t;

/* A head or trailers begin. */
void mux_stream_begin_head(mux_stream_t *s);

/* One of their fields, copied. 0, -EMSGSIZE or -EBADMSG. */
int mux_stream_add_field(mux_stream_t *s, str_t name, str_t value);

/* They are whole; `ends`: so is the response. 0 or -EBADMSG. */
int mux_stream_end_head(mux_stream_t *s, bool ends);

/* Bytes of the body, copied; its end. */
void mux_stream_add_data(mux_stream_t *s, str_t data);
void mux_stream_end(mux_stream_t *s);

/* The first error stays. Wakes both fibers. */
void mux_stream_fail(mux_stream_t *s, int err, const char *why);

/* The next piece of the body, valid until mux_stream_used; false: there is none yet. */
bool mux_stream_next(mux_stream_t *s, str_t *piece);
bool mux_stream_has_data(const mux_stream_t *s);

/* The pieces given out are used up: their number of bytes, which the window may have back. */
size_t mux_stream_used(mux_stream_t *s);

/* Returns all buffers. */
void mux_stream_clear(mux_stream_t *s);

/* Something has come, or has gone: tells whoever waits for it. */
void mux_stream_wake(mux_stream_t *s);

#endif
