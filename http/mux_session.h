/*
 * mux_session: HTTP/2 as a client speaks it (RFC 9113): bytes in, streams out, and the reverse.
 *
 * nghttp2 frames, compresses, keeps the windows and holds what comes against the rules; this room
 * feeds it, gives each stream what is its own, and gathers what is to be sent. It knows no socket.
 * What a stream got wrong fails that stream (-EBADMSG), what the connection got wrong all of them.
 *
 * The connection's window is large and given back at once, so that a stream nobody reads stops no
 * other one; a stream's window (MUX_WINDOW) is given back as its bytes are used up and bounds what
 * is held for it. Requests are never put into the compression's table: connections are shared by
 * clients, who could learn of each other's fields from their size (RFC 7541 7.1). Nothing suspends.
 */
#ifndef HTTP_MUX_SESSION_H
#define HTTP_MUX_SESSION_H

#include <nghttp2/nghttp2.h>

#include "http/mux_stream.h"

enum {
    MUX_WINDOW = 128 * 1024,    /* bytes of a response that a stream holds at most */
    MUX_STREAMS_MOST = 128,     /* at once, whatever the origin would allow */
    MUX_OUT_MOST = 64 * 1024,   /* bytes gathered before they are sent */
    MUX_IDLE_FRAMES_MOST = 10000, /* in a row that serve no stream */
};

struct mux_session {
    nghttp2_session *ng;
    buf_t *out;            /* frames to be sent; NULL: none */
    list_t streams;
    unsigned count;        /* of them */
    unsigned idle_frames;
    bool settled;          /* the origin's settings are known */
    bool leaving;          /* it has said GOAWAY: nothing new is served */
    const char *why;       /* of -EBADMSG */
};

void mux_session_init(mux_session_t *m);
void mux_session_free(mux_session_t *m); /* all streams have failed before */

/* How many streams the origin allows; one until it has said so. */
unsigned mux_session_limit(const mux_session_t *m);

/* Whether the origin has said that it takes tunnels for other protocols (RFC 8441). */
bool mux_session_takes_tunnels(const mux_session_t *m);

/* Whether another stream may be opened. */
bool mux_session_has_room(const mux_session_t *m);

/* Bytes from the origin. 0 or -EBADMSG: the connection is to be closed when `out` is sent. */
int mux_session_feed(mux_session_t *m, str_t bytes);

/* Gathers in `out` what is to be sent, up to MUX_OUT_MOST and a frame. 0 or -EBADMSG. */
int mux_session_push(mux_session_t *m);

/* Neither side has anything more to say. */
bool mux_session_over(const mux_session_t *m);

/* Asks for a sign of life; says goodbye. */
void mux_session_ping(mux_session_t *m);
void mux_session_goodbye(mux_session_t *m);

/*
 * Opens a stream with this head. ends: no body follows; else mux_session_send does. 0, or -EAGAIN:
 * no stream can be had on this connection any more.
 */
int mux_session_open(mux_session_t *m, mux_stream_t *s, const nghttp2_nv *head, size_t n,
                     bool ends);

/* s->out has a piece now, or s->out_ends was set. */
void mux_session_send(mux_stream_t *s);

/* How many bytes of a body the origin would take now. */
size_t mux_session_credit(const mux_stream_t *s);

/* The stream's bytes were used up. */
void mux_session_consume(mux_stream_t *s, size_t n);

/* Breaks the stream off if it is not over. Its session does not know it any more. */
void mux_session_close(mux_stream_t *s);

/* The connection is lost: no stream has a session any more. */
void mux_session_fail(mux_session_t *m, int err, const char *why);

#endif
