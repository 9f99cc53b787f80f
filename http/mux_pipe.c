#include "http/mux_pipe.h"

#include <errno.h>

#include "http/mux.h"

enum { OUT_BUFFER = 16 * 1024 };

typedef struct mux_pipe {
    stream_t stream;
    mux_stream_t *s;
    str_t unread;  /* of what mux_stream_next gave */
    buf_t *out;    /* being sent; NULL: nothing */
} mux_pipe_t;

static ssize_t pipe_read(stream_t *stream, void *p, size_t n)
{
    mux_pipe_t *pipe = stream->transport;
    mux_stream_t *s = pipe->s;
    if (pipe->unread.n == 0 && s->given) mux_consume(s, mux_stream_used(s));
    if (pipe->unread.n == 0 && !mux_stream_next(s, &pipe->unread)) {
        if (s->ended || s->error) return s->ended ? 0 : s->error;
        stream->io.ready &= (uint8_t)~LOOP_READ;
        return -EAGAIN;
    }
    if (n > pipe->unread.n) n = pipe->unread.n;
    memcpy(p, pipe->unread.p, n);
    pipe->unread = str_sub(pipe->unread, n, pipe->unread.n);
    return (ssize_t)n;
}

/* What the last write gave has gone: its buffer goes back. */
static bool is_sending(mux_pipe_t *pipe)
{
    if (!pipe->out) return false;
    if (pipe->s->out_left) return true;
    buf_return(pipe->out);
    pipe->out = NULL;
    return false;
}

static ssize_t pipe_writev(stream_t *stream, const struct iovec *iov, int n)
{
    mux_pipe_t *pipe = stream->transport;
    mux_stream_t *s = pipe->s;
    if (s->error || !s->session) return s->error ? s->error : -EPIPE;
    if (is_sending(pipe)) {
        stream->io.ready &= (uint8_t)~LOOP_WRITE;
        return -EAGAIN;
    }
    pipe->out = buf_take(OUT_BUFFER);
    for (int i = 0; i < n; i++) {
        size_t take = iov[i].iov_len < buf_room(pipe->out) ? iov[i].iov_len : buf_room(pipe->out);
        buf_put(pipe->out, str_make(iov[i].iov_base, take));
    }
    size_t put = buf_used(pipe->out);
    s->out = pipe->out->pos;
    s->out_left = put;
    mux_send(s);
    is_sending(pipe);
    return (ssize_t)put;
}

static bool pipe_pending(const stream_t *stream)
{
    const mux_pipe_t *pipe = stream->transport;
    return pipe->unread.n || mux_stream_has_data(pipe->s);
}

static void pipe_shutdown(stream_t *stream)
{
    const mux_pipe_t *pipe = stream->transport;
    pipe->s->out_ends = true;
    mux_send(pipe->s);
}

static const stream_ops_t pipe_ops = {
    .read = pipe_read,
    .writev = pipe_writev,
    .pending = pipe_pending,
    .shutdown = pipe_shutdown,
};

static void notice(mux_stream_t *s)
{
    loop_fd_t *io = &((mux_pipe_t *)s->pipe)->stream.io;
    if (s->ended || s->error || mux_stream_has_data(s)) io->ready |= LOOP_READ;
    if (!s->out_left || s->error) io->ready |= LOOP_WRITE;
    if (io->ready && io->on_ready) io->on_ready(io, io->ready);
}

stream_t *mux_pipe_make(mux_stream_t *s)
{
    mux_pipe_t *pipe = POOL_NEW(s->pool, mux_pipe_t);
    pipe->s = s;
    pipe->stream = (stream_t){.ops = &pipe_ops, .transport = pipe};
    pipe->stream.io.fd = -1;
    pipe->stream.io.ready = LOOP_READ | LOOP_WRITE;
    pipe->stream.received = s->received;
    pipe->stream.sent = s->sent;
    s->pipe = pipe;
    s->notice = notice;
    return &pipe->stream;
}

void mux_pipe_drop(mux_stream_t *s)
{
    mux_pipe_t *pipe = s->pipe;
    s->notice = NULL;
    s->out_left = 0;
    buf_return(pipe->out);
    pipe->out = NULL;
}
