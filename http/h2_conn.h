/*
 * h2_conn: what the rooms of HTTP/2 share: a connection (RFC 9113) and its streams.
 *
 *     h2.c          the connection's life: reading, writing, idling, going away
 *     h2_session.c  what nghttp2 tells of the client's frames
 *     h2_request.c  a stream as a request, in its fiber
 *     h2_reply.c    the reply's way into frames
 *     h2_tunnel.c   a stream as a pipe (extended CONNECT)
 *     h2_stream.c   a stream's life and the body that comes on it
 *
 * and below them h2_head.c, h2_guard.c, h2_out.c, h2_conf.c.
 *
 * nghttp2 has the framing, flow control and compression. A connection has no fiber: the loop's
 * events read and feed nghttp2, and at the end of the loop's turn all that its streams have to say
 * is written at once. A stream's fiber suspends until its bytes are written (or copied), so a slow
 * client slows the origin. Streams and the connection belong to the connection; a stream lives
 * until both nghttp2 and its fiber have let go of it, the connection until its last fiber has.
 */
#ifndef HTTP_H2_CONN_H
#define HTTP_H2_CONN_H

#include <nghttp2/nghttp2.h>

#include "http/h2_conf.h"
#include "http/h2_guard.h"
#include "http/h2_head.h"
#include "http/h2_out.h"
#include "http/http.h"
#include "http/request.h"

typedef struct h2_stream h2_stream_t;
typedef struct h2_pipe h2_pipe_t;

typedef enum h2_stage {
    H2_SERVING,
    H2_WARNED,    /* GOAWAY was announced: what is on its way is still served */
    H2_CLOSING,   /* GOAWAY was sent: ends with the last stream */
    H2_LINGERING, /* all is written and our side has ended: what still comes is dropped */
    H2_LOST,      /* nobody is there any more; waits for fibers to unwind */
} h2_stage_t;

typedef struct h2 {
    conn_t *conn;
    nghttp2_session *session;
    const http_conf_t *conf;  /* of the servers' default */
    const h2_conf_t *limits;
    loop_task_t turn;         /* begins requests, writes */
    list_t streams;
    list_t opened;            /* those with a whole head whose request has not begun */
    h2_stream_t *heading;     /* the one whose head is coming; NULL: none */
    unsigned fibers;          /* requests that have not unwound */
    h2_out_t out;
    h2_guard_t guard;
    size_t held;              /* bytes of bodies that came and were not read */
    size_t owed;              /* and the connection's window for them that was not given back */
    uint8_t stage;            /* h2_stage_t */
    bool idle;                /* waits for requests: keepalive_timeout runs */
    bool over;                /* nghttp2 takes no more */
    bool noisy;               /* has been told of in the log: once is enough */
    bool has_reset;           /* streams: more may come for them all the same */
} h2_t;

struct h2_stream {
    list_t link;              /* in h2.streams */
    list_t queue;             /* in h2.opened */
    h2_t *h2;
    int32_t id;
    bool open;                /* nghttp2 has it */
    bool ended;               /* the client has sent its last word */
    bool extended;            /* asks for a tunnel */
    bool watched;             /* cancel the fiber when the client leaves */
    bool was_reset;           /* by us */
    bool released;            /* its request has been: only nghttp2 still has it */
    h2_head_t head;
    h2_head_t tail;           /* trailers of the request */
    request_t *r;             /* NULL: not begun */
    fiber_t *fiber;
    fiber_t *waiting;         /* the fiber, while it waits for the client to take the reply */
    fiber_t *listening;       /* the one that waits for more of the body: it, or one beside it */
    int err;                  /* negative errno: the client has left */
    /* the request's body */
    buf_t *in;                /* came and was not asked for; NULL: nothing */
    buf_t *reading;           /* handed out by the last read */
    uint32_t window;          /* what the client may send unread */
    uint32_t taken;           /* since the window has its size */
    bool dry;                 /* and the reader has waited for more */
    bool asked;               /* somebody has asked for it: 100 Continue was due */
    /* the reply */
    nghttp2_nv *nv;           /* its head, until it is submitted */
    size_t nv_n;
    bool submitted;
    bool last;                /* nothing follows the pieces */
    bool eof;                 /* the client has been told so */
    const piece_t *pieces;    /* being sent; of `left` bytes the first have gone */
    size_t piece_at;
    uint64_t left;
    unsigned pinned;          /* slices of them in the batch */
    h2_pipe_t *pipe;          /* a tunnel has it: */
    void (*notice)(h2_stream_t *s); /* and wants to know when something has changed */
};

/* Something is to be written, begun or ended: at the end of this turn. */
static inline void h2_conn_wake(h2_t *h2)
{
    loop_defer(&h2->turn);
}

static inline bool h2_conn_is_lost(const h2_t *h2)
{
    return h2->stage >= H2_LINGERING;
}

#endif
