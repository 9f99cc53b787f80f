#include "http/h2_stream.h"

#include <errno.h>
#include <stdlib.h>

/* --- life --- */

h2_stream_t *h2_stream_new(h2_t *h2, int32_t id)
{
    h2_stream_t *s = calloc(1, sizeof(*s));
    if (!s) panic("out of memory: stream of HTTP/2");
    s->h2 = h2;
    s->id = id;
    s->open = true;
    s->window = (uint32_t)h2->limits->preread;
    list_init(&s->queue);
    list_push(&h2->streams, &s->link);
    return s;
}

/* Bytes that nobody will read are off the account. */
static void drop_body(h2_stream_t *s)
{
    h2_stream_take(s);
    buf_return(s->reading);
    s->reading = NULL;
}

static void let_go(h2_stream_t *s)
{
    if (s->open || s->fiber || s->r) return;
    drop_body(s);
    free(s->head.text);
    free(s->tail.text);
    list_remove(&s->queue);
    list_remove(&s->link);
    free(s);
}

void h2_stream_reset(h2_stream_t *s, uint32_t code)
{
    if (!s->open || s->was_reset || h2_conn_is_lost(s->h2)) return;
    s->was_reset = s->h2->has_reset = true;
    nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
    h2_conn_wake(s->h2);
}

void h2_stream_closed(h2_stream_t *s, uint32_t code)
{
    s->open = false;
    if (s->h2->heading == s) s->h2->heading = NULL;
    if (code != NGHTTP2_NO_ERROR || !s->eof) {
        s->err = -ECONNRESET;
        if (s->watched) fiber_cancel(s->fiber, -ECONNABORTED);
    }
    h2_stream_wake(s);
    let_go(s);
}

void h2_stream_release(h2_stream_t *s)
{
    h2_t *h2 = s->h2;
    request_t *r = s->r;
    if (s->pinned) h2_out_keep(&h2->out, s);
    if (!r->reply.finished)
        h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
    else if (!s->ended)
        h2_stream_reset(s, NGHTTP2_NO_ERROR); /* RFC 9113 8.1: the reply does not need the rest */
    request_end(r);
    s->r = NULL;
    s->fiber = NULL;
    s->released = true;
    drop_body(s);
    h2->fibers--;
    h2_conn_wake(h2);
    let_go(s);
}

/* --- waiting --- */

static int wait(const h2_stream_t *s, fiber_t **who, uint64_t timeout_ms)
{
    if (s->err) return s->err;
    *who = fiber_self();
    int err = fiber_suspend(timeout_ms);
    *who = NULL;
    return err < 0 ? err : s->err;
}

int h2_stream_wait(h2_stream_t *s, uint64_t timeout_ms)
{
    return wait(s, &s->waiting, timeout_ms);
}

int h2_stream_listen(h2_stream_t *s, uint64_t timeout_ms)
{
    s->dry = true;
    return wait(s, &s->listening, timeout_ms);
}

void h2_stream_wake(h2_stream_t *s)
{
    if (s->waiting) fiber_wake(s->waiting);
    if (s->listening) fiber_wake(s->listening);
    if (s->notice) s->notice(s);
}

/* --- the body --- */

static void give_back(h2_t *h2, size_t n)
{
    if (n == 0 || h2_conn_is_lost(h2)) return;
    nghttp2_session_consume_connection(h2->session, n);
}

/*
 * The connection's window is given back at once, so that a stream that nobody reads does not stall
 * the others; not when too much is held in all.
 */
static void hold(h2_t *h2, size_t n)
{
    h2->held += n;
    if (h2->held > H2_HELD_MOST)
        h2->owed += n;
    else
        give_back(h2, n);
}

static void unhold(h2_t *h2, size_t n)
{
    h2->held -= n;
    if (h2->held > H2_HELD_MOST || !h2->owed) return;
    give_back(h2, h2->owed);
    h2->owed = 0;
}

void h2_stream_feed(h2_stream_t *s, str_t data)
{
    if (s->released) {
        give_back(s->h2, data.n);
        return;
    }
    if (!s->in) s->in = buf_take(data.n);
    if (buf_room(s->in) < data.n) s->in = buf_grow(s->in, buf_used(s->in) + data.n);
    buf_put(s->in, data);
    hold(s->h2, data.n);
    h2_stream_wake(s);
}

void h2_stream_end_body(h2_stream_t *s)
{
    s->ended = true;
    h2_stream_wake(s);
}

/*
 * Over a long way a window is used up before it can be given back. Where the reader waits although
 * a whole window has been read, the window doubles; a reader that is slower than the client never
 * gets there, so what he leaves unread stays as little as it was.
 */
static void widen(h2_stream_t *s, size_t n)
{
    s->taken += (uint32_t)n;
    if (s->taken < s->window || s->window >= H2_WINDOW) return;
    bool dry = s->dry;
    s->taken = 0;
    s->dry = false;
    if (!dry) return;
    s->window = s->window > H2_WINDOW / 2 ? H2_WINDOW : s->window * 2;
    nghttp2_session_set_local_window_size(s->h2->session, NGHTTP2_FLAG_NONE, s->id,
                                          (int32_t)s->window);
}

str_t h2_stream_take(h2_stream_t *s)
{
    h2_t *h2 = s->h2;
    buf_return(s->reading);
    s->reading = s->in;
    s->in = NULL;
    if (!s->reading) return STR("");
    size_t n = buf_used(s->reading);
    unhold(h2, n);
    if (s->open && !s->ended && !h2_conn_is_lost(h2)) {
        nghttp2_session_consume_stream(h2->session, s->id, n);
        widen(s, n);
    }
    h2_conn_wake(h2);
    return buf_str(s->reading);
}
