#include "http/pipe.h"

#include <errno.h>

enum { OUT_BUFFER = 16 * 1024 };

static ssize_t pipe_read(stream_t *stream, void *to, size_t n)
{
    pipe_t *p = stream->transport;
    if (p->unread.n == 0 && !p->ops->take(p->holder, &p->unread)) {
        pipe_state_t state = p->ops->look(p->holder);
        if (state.ended || state.err) return state.ended ? 0 : state.err;
        stream->io.ready &= (uint8_t)~LOOP_READ;
        return -EAGAIN;
    }
    if (n > p->unread.n) n = p->unread.n;
    memcpy(to, p->unread.p, n);
    p->unread = str_sub(p->unread, n, p->unread.n);
    return (ssize_t)n;
}

static ssize_t pipe_writev(stream_t *stream, const struct iovec *iov, int n)
{
    pipe_t *p = stream->transport;
    pipe_state_t state = p->ops->look(p->holder);
    if (state.err) return state.err;
    if (state.sending) {
        stream->io.ready &= (uint8_t)~LOOP_WRITE;
        return -EAGAIN;
    }
    pipe_drop(p);
    buf_t *b = p->out = buf_take(OUT_BUFFER);
    for (int i = 0; i < n; i++) {
        size_t room = buf_room(b), take = iov[i].iov_len < room ? iov[i].iov_len : room;
        buf_put(b, str_make(iov[i].iov_base, take));
    }
    size_t put = buf_used(b);
    p->ops->send(p->holder, buf_str(b));
    return (ssize_t)put;
}

static bool pipe_pending(const stream_t *stream)
{
    const pipe_t *p = stream->transport;
    return p->unread.n || p->ops->look(p->holder).more;
}

static void pipe_shutdown(stream_t *stream)
{
    const pipe_t *p = stream->transport;
    p->ops->finish(p->holder);
}

static const stream_ops_t as_stream = {
    .read = pipe_read,
    .writev = pipe_writev,
    .pending = pipe_pending,
    .shutdown = pipe_shutdown,
};

pipe_t *pipe_new(pool_t *pool, const pipe_ops_t *ops, void *holder)
{
    pipe_t *p = POOL_NEW(pool, pipe_t);
    p->stream = (stream_t){.ops = &as_stream, .transport = p};
    p->stream.io.fd = -1;
    p->stream.io.ready = LOOP_READ | LOOP_WRITE;
    p->ops = ops;
    p->holder = holder;
    return p;
}

void pipe_notice(pipe_t *p)
{
    loop_fd_t *io = &p->stream.io;
    pipe_state_t state = p->ops->look(p->holder);
    if (state.more || state.ended || state.err) io->ready |= LOOP_READ;
    if (!state.sending || state.err) io->ready |= LOOP_WRITE;
    if (!state.sending) pipe_drop(p);
    if (io->ready && io->on_ready) io->on_ready(io, io->ready);
}

void pipe_drop(pipe_t *p)
{
    buf_return(p->out);
    p->out = NULL;
}
