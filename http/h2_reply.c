#include "http/h2_reply.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "http/h2_stream.h"
#include "http/h2_tunnel.h"
#include "http/http.h"

enum { FIXED_FIELDS = 5, FRAME_HEAD = 9, COPIED_MOST = 2048, FRAME_SLICES = 16 };

/* --- the head --- */

/* Fields of a connection have no place in HTTP/2 (RFC 9113 8.2.2). */
static bool is_hop_field(header_id_t id)
{
    return id == HEADER_CONNECTION || id == HEADER_KEEP_ALIVE || id == HEADER_PROXY_CONNECTION ||
           id == HEADER_TRANSFER_ENCODING || id == HEADER_UPGRADE;
}

static void add(h2_stream_t *s, str_t name, str_t value)
{
    s->nv[s->nv_n++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
                                    .namelen = name.n,
                                    .value = (uint8_t *)(uintptr_t)value.p,
                                    .valuelen = value.n,
                                    .flags = NGHTTP2_NV_FLAG_NONE};
}

static void add_fields(h2_stream_t *s, const header_list_t *list)
{
    HEADER_EACH(h, list)
        if (!is_hop_field(h->id)) add(s, h->name, h->value);
}

static str_t digits(pool_t *pool, uint64_t n)
{
    char *out = pool_bytes(pool, 20);
    return str_make(out, str_put_u64(out, n));
}

static void begin_fields(h2_stream_t *s, pool_t *pool, int status, const header_list_t *list)
{
    s->nv = POOL_ARRAY(pool, nghttp2_nv, FIXED_FIELDS + list->n);
    s->nv_n = 0;
    add(s, STR(":status"), digits(pool, (uint64_t)status));
}

/* A tunnel's 101 is a 200 here (RFC 8441 5), without the handshake's answer. */
static int take_status(h2_stream_t *s, reply_t *p)
{
    if (p->status != 101) return p->status;
    if (!s->extended) return -EPROTO;
    header_remove_named(&p->headers, STR("Sec-WebSocket-Accept"));
    return 200;
}

static int head(request_t *r)
{
    h2_stream_t *s = r->sink_state;
    reply_t *p = &r->reply;
    int status = take_status(s, p);
    if (status < 0) return status;
    reply_count_begin(r);
    begin_fields(s, r->pool, status, &p->headers);
    add(s, STR("server"), reply_server(r));
    add(s, STR("date"), p->date.p ? p->date : clock_http_date());
    if (p->content_type.p) add(s, STR("content-type"), p->content_type);
    if (reply_tells_length(r)) add(s, STR("content-length"), digits(r->pool, (uint64_t)p->length));
    add_fields(s, &p->headers);
    return 0;
}

static int interim(request_t *r, int status, const header_list_t *list)
{
    h2_stream_t *s = r->sink_state;
    if (s->err) return s->err;
    begin_fields(s, r->pool, status, list);
    add_fields(s, list);
    if (nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, s->nv, s->nv_n,
                               NULL))
        return -ECONNRESET;
    s->nv = NULL;
    h2_conn_wake(s->h2);
    return 0;
}

/* --- the body: what nghttp2 asks for --- */

static bool has_trailers(const h2_stream_t *s)
{
    return s->r->reply.trailers.n > 0;
}

/* Trailers end the stream in place of the last DATA. */
static int submit_trailers(h2_stream_t *s)
{
    const header_list_t *list = &s->r->reply.trailers;
    s->nv = POOL_ARRAY(s->r->pool, nghttp2_nv, list->n);
    s->nv_n = 0;
    add_fields(s, list);
    return nghttp2_submit_trailer(s->h2->session, s->id, s->nv, s->nv_n);
}

/* Bytes that the next frame may take: its slices are bounded, too. */
static size_t next_size(const h2_stream_t *s, size_t most)
{
    size_t sum = 0, skip = s->piece_at;
    const piece_t *p = s->pieces;
    if (s->left == 0) return 0;
    for (unsigned i = 0; i < FRAME_SLICES && sum < most && sum < s->left; i++, p++) {
        sum += p->n - skip;
        skip = 0;
    }
    return sum < most ? sum : most;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t most,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    h2_stream_t *s = source->ptr;
    (void)session, (void)id, (void)out, (void)arg;
    size_t n = next_size(s, most);
    if (n == 0 && !s->last) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n < s->left || !s->last) return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    s->eof = !has_trailers(s);
    if (s->eof) return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return submit_trailers(s) == 0 ? (ssize_t)n : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A file's bytes are read when they can be sent, so that a slow client costs no memory. */
static bool send_file(h2_stream_t *s, const piece_t *piece, size_t n)
{
    char *room = h2_out_room(&s->h2->out, n);
    off_t at = piece->at + (off_t)s->piece_at;
    while (n) {
        ssize_t got = pread(piece->fd, room, n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) { /* the file has become shorter */
            memset(room, 0, n);
            return false;
        }
        room += got;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

static bool send_piece(h2_stream_t *s, const piece_t *piece, size_t n)
{
    if (piece->fd >= 0) return send_file(s, piece, n);
    str_t bytes = str_make(piece->p + s->piece_at, n);
    if (n <= COPIED_MOST) {
        h2_out_copy(&s->h2->out, bytes);
        return true;
    }
    h2_out_refer(&s->h2->out, bytes, s);
    s->pinned++;
    return true;
}

static bool send_pieces(h2_stream_t *s, size_t n)
{
    bool ok = true;
    while (n) {
        const piece_t *piece = s->pieces;
        size_t rest = piece->n - s->piece_at, take = rest < n ? rest : n;
        if (take) ok = send_piece(s, piece, take) && ok;
        s->piece_at += take;
        s->left -= take;
        n -= take;
        if (s->piece_at < piece->n) continue;
        s->pieces++;
        s->piece_at = 0;
    }
    return ok;
}

/* Whether body() need not wait any more. */
static bool is_sent(const h2_stream_t *s)
{
    return s->left == 0 && s->pinned == 0 && (s->eof || !s->last);
}

/* A frame that has been begun is written whole: if a file failed, the reset comes behind it. */
int h2_reply_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head_bytes,
                       size_t n, nghttp2_data_source *source, void *arg)
{
    h2_stream_t *s = source->ptr;
    (void)session, (void)frame, (void)arg;
    if (!h2_out_takes(&s->h2->out, FRAME_SLICES)) return NGHTTP2_ERR_WOULDBLOCK;
    h2_out_copy(&s->h2->out, str_make((const char *)head_bytes, FRAME_HEAD));
    if (!send_pieces(s, n)) s->err = -EIO;
    s->r->reply.head_sent = true;
    s->r->reply.body_sent += n;
    s->r->reply.bytes_sent += n + FRAME_HEAD;
    h2_guard_forgive(&s->h2->guard, H2_WINDOW_UPDATES, 2);
    if (s->err || is_sent(s)) h2_stream_wake(s);
    return 0;
}

void h2_reply_written(void *owner)
{
    h2_stream_t *s = owner;
    s->pinned--;
    if (is_sent(s)) h2_stream_wake(s);
}

void h2_reply_head_sent(h2_stream_t *s, const nghttp2_frame_hd *hd)
{
    if (!s->r) return;
    s->r->reply.head_sent |= s->submitted;
    s->r->reply.bytes_sent += hd->length + FRAME_HEAD;
    s->eof |= (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_sent(s)) h2_stream_wake(s);
}

ssize_t h2_reply_frame_size(nghttp2_session *session, uint8_t type, int32_t id,
                            int32_t connection_window, int32_t stream_window, uint32_t frame_most,
                            void *arg)
{
    const h2_t *h2 = arg;
    const h2_stream_t *s = nghttp2_session_get_stream_user_data(session, id);
    size_t most = s && s->r ? h2_conf(s->r->conf)->chunk : h2->limits->chunk;
    (void)type, (void)connection_window, (void)stream_window;
    return (ssize_t)(most < frame_most ? most : frame_most);
}

/* --- the body: what the request gives --- */

static int submit(h2_stream_t *s)
{
    nghttp2_session *session = s->h2->session;
    nghttp2_data_provider source = {.source = {.ptr = s}, .read_callback = read_body};
    int err = 0;
    if (s->submitted)
        nghttp2_session_resume_data(session, s->id);
    else
        err = nghttp2_submit_response(session, s->id, s->nv, s->nv_n,
                                      s->last && !s->left && !has_trailers(s) ? NULL : &source);
    if (err) return -ECONNRESET;
    s->submitted = true;
    h2_conn_wake(s->h2);
    return 0;
}

/* The longest pause counts, not the sum. */
static int wait_sent(h2_stream_t *s, uint64_t timeout_ms)
{
    while (!is_sent(s)) {
        uint64_t left = s->left;
        unsigned pinned = s->pinned;
        int err = h2_stream_wait(s, timeout_ms);
        if (err == -ETIMEDOUT && (s->left != left || s->pinned != pinned)) continue;
        if (err < 0) return err;
    }
    return s->err;
}

static uint64_t total(const piece_t *pieces, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) sum += pieces[i].n;
    return sum;
}

/* Nothing of the pieces is touched any more when the caller goes on. */
static void withdraw(h2_stream_t *s)
{
    if (s->pinned) h2_out_keep(&s->h2->out, s);
    s->pieces = NULL;
    s->left = 0;
    s->pinned = 0;
}

static int failed(request_t *r, h2_stream_t *s, int err)
{
    if (err == -ETIMEDOUT)
        LOG(&r->log, LOG_INFO, ETIMEDOUT, "client timed out while sending response to client");
    s->last = false;
    withdraw(s);
    return err;
}

static int body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    h2_stream_t *s = r->sink_state;
    uint64_t size = r->reply.head_only ? 0 : total(pieces, n);
    int err = s->err ? s->err : reply_count(r, size, flags & BODY_LAST);
    if (err < 0 || (!size && !flags)) return err;
    s->pieces = pieces;
    s->piece_at = 0;
    s->left = size;
    s->last = flags & BODY_LAST;
    err = submit(s);
    if (err == 0) err = wait_sent(s, http_conf(r->conf)->send_timeout);
    return err < 0 ? failed(r, s, err) : 0;
}

static void abort_reply(request_t *r)
{
    h2_stream_reset(r->sink_state, NGHTTP2_INTERNAL_ERROR);
}

/* --- the request's body --- */

static int ask_for_body(request_t *r, h2_stream_t *s)
{
    header_list_t none;
    if (s->asked) return 0;
    s->asked = true;
    if (s->in || s->ended || r->reply.started ||
        !header_has_token(&r->head.headers, HEADER_EXPECT, STR("100-continue")))
        return 0;
    header_list_init(&none, r->pool);
    return interim(r, 100, &none);
}

static ssize_t read_request(request_t *r, char *room, size_t n, str_t *piece)
{
    h2_stream_t *s = r->sink_state;
    (void)room, (void)n;
    int err = ask_for_body(r, s);
    while (!s->in && !s->ended && err == 0)
        err = h2_stream_listen(s, http_conf(r->conf)->client_body_timeout);
    if (!s->in && err < 0) return err == -ETIMEDOUT || err == -ECANCELED ? err : -ECONNRESET;
    *piece = h2_stream_take(s);
    if (!piece->n && s->tail.n) h2_head_trailers(&s->tail, r->pool, &r->trailers);
    r->received += piece->n;
    return (ssize_t)piece->n;
}

static bool readable(const request_t *r)
{
    const h2_stream_t *s = r->sink_state;
    return s->in || s->ended || s->err;
}

static size_t rest(const request_t *r)
{
    const h2_stream_t *s = r->sink_state;
    if (!s->ended || s->err) return SIZE_MAX;
    return s->in ? buf_used(s->in) : 0;
}

static int wait_readable(request_t *r, loop_fd_t *other, uint64_t timeout_ms)
{
    h2_stream_t *s = r->sink_state;
    if (readable(r) || other->ready & LOOP_READ) return 0;
    other->reader = fiber_self();
    int err = h2_stream_listen(s, timeout_ms);
    other->reader = NULL;
    return err;
}

/* The connection's window is for all of its requests. */
static size_t window(const request_t *r)
{
    const h2_stream_t *s = r->sink_state;
    if (h2_conn_is_lost(s->h2) || !s->open) return 0;
    int32_t own = nghttp2_session_get_stream_remote_window_size(s->h2->session, s->id);
    int32_t all = nghttp2_session_get_remote_window_size(s->h2->session) / (int)s->h2->fibers;
    int32_t n = own < all ? own : all;
    return n > 0 ? (size_t)n : 0;
}

static void watch(request_t *r, bool on)
{
    h2_stream_t *s = r->sink_state;
    s->watched = on;
    if (on && s->err) fiber_cancel(s->fiber, -ECONNABORTED);
}

const sink_ops_t h2_reply_sink = {
    .head = head,
    .body = body,
    .interim = interim,
    .abort = abort_reply,
    .read = read_request,
    .readable = readable,
    .rest = rest,
    .wait = wait_readable,
    .window = window,
    .watch = watch,
    .detach = h2_tunnel_detach,
    .close = h2_tunnel_close,
};
