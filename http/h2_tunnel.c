#include "http/h2_tunnel.h"

#include <errno.h>

#include "http/h2_stream.h"
#include "http/http.h"
#include "http/pipe.h"

/* What the pipe sends goes through h2_reply like any reply: one piece at a time. */
struct h2_pipe {
    pipe_t *pipe;
    piece_t piece;
};

/* --- as a pipe --- */

static bool take(void *stream, str_t *piece)
{
    h2_stream_t *s = stream;
    if (!s->in) return false;
    *piece = h2_stream_take(s);
    return true;
}

static pipe_state_t look(const void *stream)
{
    const h2_stream_t *s = stream;
    return (pipe_state_t){.more = s->in, .ended = s->ended && !s->err,
                          .sending = s->left || s->pinned, .err = s->err};
}

static void resume(h2_stream_t *s)
{
    nghttp2_session_resume_data(s->h2->session, s->id);
    h2_conn_wake(s->h2);
}

static void send_bytes(void *stream, str_t bytes)
{
    h2_stream_t *s = stream;
    s->pipe->piece = PIECE_MEMORY(bytes);
    s->pieces = &s->pipe->piece;
    s->piece_at = 0;
    s->left = bytes.n;
    resume(s);
}

static void finish(void *stream)
{
    h2_stream_t *s = stream;
    s->last = true;
    if (!s->err) resume(s);
}

static const pipe_ops_t ops = {.look = look, .take = take, .send = send_bytes, .finish = finish};

static void notice(h2_stream_t *s)
{
    pipe_notice(s->pipe->pipe);
}

/* --- begin and end --- */

stream_t *h2_tunnel_detach(request_t *r, str_t *early)
{
    h2_stream_t *s = r->sink_state;
    h2_pipe_t *pipe = POOL_NEW(r->pool, h2_pipe_t);
    *early = STR("");
    pipe->pipe = pipe_new(r->pool, &ops, s);
    s->pipe = pipe;
    s->notice = notice;
    s->watched = false;
    s->fiber = NULL;
    r->detached = true;
    return &pipe->pipe->stream;
}

void h2_tunnel_close(request_t *r, int err)
{
    h2_stream_t *s = r->sink_state;
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
    pipe_drop(s->pipe->pipe);
    h2_stream_release(s);
}
