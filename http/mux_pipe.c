#include "http/mux_pipe.h"

#include <errno.h>

#include "http/mux.h"
#include "http/pipe.h"

static bool take(void *stream, str_t *piece)
{
    mux_stream_t *s = stream;
    if (s->given) mux_consume(s, mux_stream_used(s));
    return mux_stream_next(s, piece);
}

static pipe_state_t look(const void *stream)
{
    const mux_stream_t *s = stream;
    return (pipe_state_t){.more = mux_stream_has_data(s), .ended = s->ended,
                          .sending = s->out_left,
                          .err = s->error || s->session ? s->error : -EPIPE};
}

static void send_bytes(void *stream, str_t bytes)
{
    mux_stream_t *s = stream;
    s->out = bytes.p;
    s->out_left = bytes.n;
    mux_send(s);
}

static void finish(void *stream)
{
    mux_stream_t *s = stream;
    s->out_ends = true;
    mux_send(s);
}

static const pipe_ops_t ops = {.look = look, .take = take, .send = send_bytes, .finish = finish};

static void notice(mux_stream_t *s)
{
    pipe_notice(s->pipe);
}

stream_t *mux_pipe_make(mux_stream_t *s)
{
    pipe_t *pipe = pipe_new(s->pool, &ops, s);
    pipe->stream.received = s->received;
    pipe->stream.sent = s->sent;
    s->pipe = pipe;
    s->notice = notice;
    return &pipe->stream;
}

void mux_pipe_drop(mux_stream_t *s)
{
    s->notice = NULL;
    s->out_left = 0;
    pipe_drop(s->pipe);
}
