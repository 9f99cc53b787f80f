#include "http/h2_tunnel.h"

#include <errno.h>

#include "http/h2_stream.h"
#include "http/http.h"

enum { OUT_BUFFER = 16 * 1024 };

/* The pipe's pieces go through h2_reply like those of any reply: one at a time. */
struct h2_pipe {
    stream_t stream;
    h2_stream_t *s;
    str_t unread;  /* of what h2_stream_take gave */
    buf_t *out;    /* being sent; NULL: nothing */
    piece_t piece; /* it, for h2_reply */
};

/* --- as a stream --- */

static ssize_t pipe_read(stream_t *stream, void *p, size_t n)
{
    h2_pipe_t *pipe = stream->transport;
    h2_stream_t *s = pipe->s;
    if (pipe->unread.n == 0 && s->in) pipe->unread = h2_stream_take(s);
    if (pipe->unread.n == 0) {
        if (s->err) return s->err;
        if (s->ended) return 0;
        stream->io.ready &= (uint8_t)~LOOP_READ;
        return -EAGAIN;
    }
    if (n > pipe->unread.n) n = pipe->unread.n;
    memcpy(p, pipe->unread.p, n);
    pipe->unread = str_sub(pipe->unread, n, pipe->unread.n);
    return (ssize_t)n;
}

/* What the last write gave has gone: its buffer goes back. */
static bool is_sending(h2_pipe_t *pipe)
{
    if (!pipe->out) return false;
    if (pipe->s->left || pipe->s->pinned) return true;
    buf_return(pipe->out);
    pipe->out = NULL;
    return false;
}

static void resume(h2_stream_t *s)
{
    nghttp2_session_resume_data(s->h2->session, s->id);
    h2_conn_wake(s->h2);
}

static ssize_t pipe_writev(stream_t *stream, const struct iovec *iov, int n)
{
    h2_pipe_t *pipe = stream->transport;
    h2_stream_t *s = pipe->s;
    if (s->err) return s->err;
    if (is_sending(pipe)) {
        stream->io.ready &= (uint8_t)~LOOP_WRITE;
        return -EAGAIN;
    }
    pipe->out = buf_take(OUT_BUFFER);
    for (int i = 0; i < n; i++) {
        size_t take = iov[i].iov_len < buf_room(pipe->out) ? iov[i].iov_len : buf_room(pipe->out);
        buf_put(pipe->out, str_make(iov[i].iov_base, take));
    }
    pipe->piece = PIECE_MEMORY(buf_str(pipe->out));
    s->pieces = &pipe->piece;
    s->piece_at = 0;
    s->left = pipe->piece.n;
    resume(s);
    return (ssize_t)pipe->piece.n;
}

static bool pipe_pending(const stream_t *stream)
{
    const h2_pipe_t *pipe = stream->transport;
    return pipe->unread.n || pipe->s->in;
}

static void pipe_shutdown(stream_t *stream)
{
    h2_pipe_t *pipe = stream->transport;
    pipe->s->last = true;
    if (!pipe->s->err) resume(pipe->s);
}

static const stream_ops_t pipe_ops = {
    .read = pipe_read,
    .writev = pipe_writev,
    .pending = pipe_pending,
    .shutdown = pipe_shutdown,
};

/* --- begin and end --- */

static void notice(h2_stream_t *s)
{
    loop_fd_t *io = &s->pipe->stream.io;
    if (s->in || s->ended || s->err) io->ready |= LOOP_READ;
    if ((!s->left && !s->pinned) || s->err) io->ready |= LOOP_WRITE;
    if (io->ready && io->on_ready) io->on_ready(io, io->ready);
}

stream_t *h2_tunnel_detach(request_t *r, str_t *early)
{
    h2_stream_t *s = r->sink_state;
    h2_pipe_t *pipe = POOL_NEW(r->pool, h2_pipe_t);
    *early = STR("");
    pipe->s = s;
    pipe->stream = (stream_t){.ops = &pipe_ops, .transport = pipe};
    pipe->stream.io.fd = -1;
    pipe->stream.io.ready = LOOP_READ | LOOP_WRITE;
    s->pipe = pipe;
    s->notice = notice;
    s->watched = false;
    s->fiber = NULL;
    r->detached = true;
    return &pipe->stream;
}

void h2_tunnel_close(request_t *r, int err)
{
    h2_stream_t *s = r->sink_state;
    h2_pipe_t *pipe = s->pipe;
    s->notice = NULL;
    s->fiber = fiber_self();
    while (err == 0 && !s->eof) err = h2_stream_wait(s, http_conf(r->conf)->send_timeout);
    if (err) {
        h2_stream_reset(s, err == -ETIMEDOUT || err == -ECANCELED ? NGHTTP2_CANCEL
                                                                  : NGHTTP2_CONNECT_ERROR);
        if (s->pinned) h2_out_keep(&s->h2->out, s);
        s->pinned = 0;
        s->left = 0;
        s->last = false;
    }
    buf_return(pipe->out);
    h2_stream_release(s);
}
