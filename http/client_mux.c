#include "http/client_mux.h"

#include <errno.h>

#include "http/mux_head.h"
#include "http/mux_pipe.h"

/* --- the request --- */

static int begin(client_t *c, str_t head, bool https, bool ends, str_t protocol)
{
    mux_head_t fields;
    mux_t *m = c->mux;
    c->mux = NULL;
    c->stream->head_max = c->head_max;
    mux_head_make(c->pool, (char *)(uintptr_t)head.p, head.n, https, protocol,
                  &fields);
    int err = mux_open(m, c->stream, fields.v, fields.n, ends);
    if (err < 0) {
        c->stream->refused = true;
        err = -ECONNRESET;
        mux_stream_fail(c->stream, err, NULL);
    }
    return err;
}

int client_begin(client_t *c, str_t head, bool https, bool ends)
{
    return begin(c, head, https, ends, STR(""));
}

int client_begin_tunnel(client_t *c, str_t head, bool https, str_t protocol)
{
    return begin(c, head, https, false, protocol);
}

size_t client_credit(const client_t *c)
{
    return mux_session_credit(c->stream);
}

/* 1: nothing more need be sent; 0: it may go on; or an error. */
static int may_stop(const client_t *c)
{
    const mux_stream_t *s = c->stream;
    if (s->error && !s->answered) return s->error;
    return s->ended || s->error || !s->session;
}

int client_send_body(client_t *c, str_t piece, bool last)
{
    mux_stream_t *s = c->stream;
    int r = may_stop(c);
    if (r != 0) return r;
    s->out = piece.p;
    s->out_left = piece.n;
    s->out_ends = last;
    mux_send(s);
    while (s->out_left && (r = may_stop(c)) == 0) {
        size_t before = s->out_left;
        s->sender = fiber_self();
        r = fiber_suspend(c->send_timeout);
        s->sender = NULL;
        if (r < 0 && (r != -ETIMEDOUT || s->out_left == before)) break;
    }
    s->out_left = 0; /* the piece is the caller's again */
    int over = may_stop(c);
    return over ? over : r < 0 ? r : 0;
}

void client_set_trailers(client_t *c, const header_list_t *list)
{
    mux_head_t fields = {.n = 0};
    HEADER_EACH(h, list) mux_head_add(c->pool, &fields, pool_lower(c->pool, h->name), h->value);
    c->stream->tail = fields.v;
    c->stream->tail_n = fields.n;
}

void client_fail(client_t *c, int err)
{
    mux_stream_fail(c->stream, err, NULL);
    mux_close(c->stream);
}

/* --- the response --- */

int client_mux_wait(client_t *c, uint64_t timeout_ms)
{
    c->stream->reader = fiber_self();
    int r = fiber_suspend(timeout_ms);
    c->stream->reader = NULL;
    return r;
}

static int failed(client_t *c)
{
    c->fault = c->stream->why;
    return c->stream->error;
}

static int pass_interims(client_t *c)
{
    mux_stream_t *s = c->stream;
    int err = 0;
    while (err == 0 && s->interims_taken < s->interims.n) {
        parse_response_t *head = s->interims.v[s->interims_taken++];
        if (c->interim) err = c->interim(c->arg, head);
    }
    return err;
}

int client_mux_poll(client_t *c)
{
    mux_stream_t *s = c->stream;
    if (c->answered) return 1;
    int err = pass_interims(c);
    if (err < 0) return err;
    if (!s->answered) return s->error ? failed(c) : 0;
    c->head = *s->head;
    c->answered = true;
    unsigned status = c->head.status;
    c->ended = c->head_request || status == 204 || status == 304 ||
               (s->ended && !mux_stream_has_data(s) && !s->trailers.n);
    return 1;
}

/* The last bytes are out, or the trailers are all there is. */
static void note_end(client_t *c)
{
    mux_stream_t *s = c->stream;
    if (!s->ended || mux_stream_has_data(s)) return;
    c->ended = true;
    c->trailers = s->trailers;
}

ssize_t client_mux_next(client_t *c, str_t *piece)
{
    mux_stream_t *s = c->stream;
    bool more = mux_stream_next(s, piece);
    note_end(c);
    if (more) return (ssize_t)piece->n;
    if (c->ended) return 0;
    return s->error && !s->given ? failed(c) : -EAGAIN; /* what came before it is passed on first */
}

int client_mux_fill(client_t *c)
{
    mux_stream_t *s = c->stream;
    client_mux_used(c);
    while (!s->ended && !s->error && !mux_stream_has_data(s)) {
        int r = client_mux_wait(c, c->read_timeout);
        if (r < 0) return r;
    }
    return 0;
}

stream_t *client_pipe(client_t *c)
{
    c->piped = true;
    return mux_pipe_make(c->stream);
}

/* Both sides have said their last: the stream is over when ours has gone. */
void client_pipe_close(client_t *c, int err)
{
    mux_stream_t *s = c->stream;
    s->notice = NULL;
    s->sender = fiber_self();
    while (err == 0 && s->session && !s->error) err = fiber_suspend(c->send_timeout);
    s->sender = NULL;
    mux_pipe_drop(s);
    client_mux_close(c);
}

void client_mux_used(client_t *c)
{
    if (c->stream->given) mux_consume(c->stream, mux_stream_used(c->stream));
}

void client_mux_close(client_t *c)
{
    c->closed = true;
    c->mux = NULL;
    mux_close(c->stream);
}
