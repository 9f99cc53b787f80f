#include "http/mux_session.h"

#include <errno.h>

enum {
    CONNECTION_WINDOW = MUX_WINDOW * MUX_STREAMS_MOST,
    HEAD_MOST = 4 * 1024 * 1024, /* of a request; what clients may send is limited elsewhere */
    FRAME_HEAD = 9,
};

static mux_stream_t *stream_of(const nghttp2_session *ng, int32_t id)
{
    return id ? nghttp2_session_get_stream_user_data((nghttp2_session *)(uintptr_t)ng, id) : NULL;
}

static void detach(mux_stream_t *s)
{
    s->session->count--;
    s->session = NULL;
    list_remove(&s->link);
}

/* --- what comes --- */

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    mux_session_t *m = arg;
    mux_stream_t *s = stream_of(ng, hd->stream_id);
    if (s) s->received += hd->length + FRAME_HEAD;
    if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0) { /* nghttp2 passes over it */
        m->why = "PRIORITY without stream";
        nghttp2_session_terminate_session(ng, NGHTTP2_PROTOCOL_ERROR);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    bool serves = s && (hd->type == NGHTTP2_HEADERS || (hd->type == NGHTTP2_DATA && hd->length));
    m->idle_frames = serves ? 0 : m->idle_frames + 1;
    if (m->idle_frames <= MUX_IDLE_FRAMES_MOST) return 0;
    m->why = "too many frames that serve no stream";
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (s) mux_stream_begin_head(s);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    (void)flags, (void)arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (!s) return 0;
    int err = mux_stream_add_field(s, str_make((const char *)name, name_n),
                                   str_make((const char *)value, value_n));
    if (err == 0) return 0;
    mux_stream_fail(s, err, "an invalid field");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A field that nghttp2 would merely leave out. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
                             void *arg)
{
    (void)name, (void)name_n, (void)value, (void)value_n, (void)flags, (void)arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (s) mux_stream_fail(s, -EBADMSG, "an invalid field");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
    mux_session_t *m = arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    bool field = code == NGHTTP2_ERR_HTTP_HEADER;
    const char *why = field ? "an invalid field" : nghttp2_strerror(code);
    if (s) mux_stream_fail(s, -EBADMSG, why);
    else if (!m->why) m->why = why;
    return 0;
}

static int end_head(nghttp2_session *ng, const nghttp2_frame *frame)
{
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (!s) return 0;
    int err = mux_stream_end_head(s, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (err == 0) return 0;
    mux_stream_fail(s, err, "an invalid status");
    nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
    return 0;
}

static void note_reset(nghttp2_session *ng, const nghttp2_frame *frame)
{
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (!s) return;
    s->reset = true;
    if (frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM) s->refused = true;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    mux_session_t *m = arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: return end_head(ng, frame);
    case NGHTTP2_DATA:
        if (s && frame->hd.flags & NGHTTP2_FLAG_END_STREAM) mux_stream_end(s);
        break;
    case NGHTTP2_RST_STREAM: note_reset(ng, frame); break;
    case NGHTTP2_SETTINGS: m->settled |= !(frame->hd.flags & NGHTTP2_FLAG_ACK); break;
    case NGHTTP2_GOAWAY: m->leaving = true; break;
    default: break;
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    (void)flags, (void)arg;
    mux_stream_t *s = stream_of(ng, id);
    if (s) mux_stream_add_data(s, str_make((const char *)p, n));
    nghttp2_session_consume_connection(ng, n);
    return 0;
}

/* Why a stream has come to an end, where it has not said so itself. */
static void judge(mux_stream_t *s, uint32_t code)
{
    if (code == NGHTTP2_REFUSED_STREAM && !s->answered) s->refused = true;
    if (s->ended && (code == NGHTTP2_NO_ERROR || s->reset)) mux_stream_wake(s);
    else if (s->reset || s->refused) mux_stream_fail(s, -ECONNRESET, NULL);
    else mux_stream_fail(s, -EBADMSG, "what HTTP/2 does not allow");
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    (void)arg;
    mux_stream_t *s = stream_of(ng, id);
    if (!s) return 0;
    detach(s);
    judge(s, code);
    return 0;
}

/* --- what goes --- */

static void append(mux_session_t *m, const void *p, size_t n)
{
    if (!m->out) m->out = buf_take(n > MUX_OUT_MOST / 4 ? MUX_OUT_MOST : MUX_OUT_MOST / 4);
    if (buf_room(m->out) < n) buf_compact(m->out);
    if (buf_room(m->out) < n) m->out = buf_grow(m->out, buf_used(m->out) + n);
    buf_put(m->out, str_make(p, n));
}

static bool is_full(const mux_session_t *m)
{
    return m->out && buf_used(m->out) >= MUX_OUT_MOST;
}

/* nghttp2 asks how much of the body may go now. */
static ssize_t offer_data(nghttp2_session *ng, int32_t id, uint8_t *room, size_t n, uint32_t *flags,
                          nghttp2_data_source *source, void *arg)
{
    (void)room, (void)source, (void)arg;
    const mux_stream_t *s = stream_of(ng, id);
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!s->out_left && !s->out_ends) return NGHTTP2_ERR_DEFERRED;
    if (s->out_left < n) n = s->out_left;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!s->out_ends || n < s->out_left) return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!s->tail_n) return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(ng, id, s->tail, s->tail_n) == 0
               ? (ssize_t)n : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* And has it sent. */
static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
                     nghttp2_data_source *source, void *arg)
{
    (void)source;
    mux_session_t *m = arg;
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (!s || s->out_left < n) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (is_full(m)) return NGHTTP2_ERR_WOULDBLOCK;
    append(m, head, FRAME_HEAD);
    if (n) append(m, s->out, n);
    s->out += n;
    s->out_left -= n;
    m->idle_frames = 0;
    if (s->sender) fiber_wake(s->sender);
    if (s->notice && !s->out_left) s->notice(s);
    return 0;
}

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    mux_session_t *m = arg;
    bool wrong = frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR;
    if (wrong && !m->why) m->why = nghttp2_http2_strerror(frame->goaway.error_code);
    mux_stream_t *s = stream_of(ng, frame->hd.stream_id);
    if (s) s->sent += frame->hd.length + FRAME_HEAD;
    return 0;
}

/* --- the session --- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

/* One of each for the process. */
static void make_shared(void)
{
    if (callbacks) return;
    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&options))
        panic("out of memory: HTTP/2");
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(options, 0);
    nghttp2_option_set_max_send_header_block_length(options, HEAD_MOST);
}

void mux_session_init(mux_session_t *m)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, MUX_WINDOW},
    };
    make_shared();
    *m = (mux_session_t){.ng = NULL};
    list_init(&m->streams);
    if (nghttp2_session_client_new2(&m->ng, callbacks, m, options) ||
        nghttp2_submit_settings(m->ng, NGHTTP2_FLAG_NONE, settings, 2) ||
        nghttp2_session_set_local_window_size(m->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW))
        panic("out of memory: HTTP/2");
}

void mux_session_free(mux_session_t *m)
{
    nghttp2_session_del(m->ng);
    buf_return(m->out);
}

bool mux_session_takes_tunnels(const mux_session_t *m)
{
    const nghttp2_settings_id id = NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL;
    return nghttp2_session_get_remote_settings(m->ng, id) == 1;
}

unsigned mux_session_limit(const mux_session_t *m)
{
    uint32_t most = nghttp2_session_get_remote_settings(m->ng,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (!m->settled) return 1;
    return most < MUX_STREAMS_MOST ? most : MUX_STREAMS_MOST;
}

bool mux_session_has_room(const mux_session_t *m)
{
    return !m->leaving && nghttp2_session_check_request_allowed(m->ng) &&
           m->count < mux_session_limit(m);
}

int mux_session_feed(mux_session_t *m, str_t bytes)
{
    ssize_t n = nghttp2_session_mem_recv(m->ng, (const uint8_t *)bytes.p, bytes.n);
    if (n >= 0) return 0;
    if (!m->why) m->why = nghttp2_strerror((int)n);
    return -EBADMSG;
}

int mux_session_push(mux_session_t *m)
{
    while (!is_full(m)) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(m->ng, &p);
        if (n == 0) return 0;
        if (n < 0) {
            m->why = nghttp2_strerror((int)n);
            return -EBADMSG;
        }
        append(m, p, (size_t)n);
    }
    return 0;
}

bool mux_session_over(const mux_session_t *m)
{
    return !nghttp2_session_want_read(m->ng) && !nghttp2_session_want_write(m->ng);
}

void mux_session_ping(mux_session_t *m)
{
    nghttp2_submit_ping(m->ng, NGHTTP2_FLAG_NONE, NULL);
}

void mux_session_goodbye(mux_session_t *m)
{
    nghttp2_session_terminate_session(m->ng, NGHTTP2_NO_ERROR);
}

/* --- streams --- */

int mux_session_open(mux_session_t *m, mux_stream_t *s, const nghttp2_nv *head, size_t n,
                     bool ends)
{
    nghttp2_data_provider body = {.read_callback = offer_data};
    int32_t id = nghttp2_submit_request(m->ng, NULL, head, n, ends ? NULL : &body, s);
    if (id < 0) return -EAGAIN;
    s->id = id;
    s->session = m;
    list_push(&m->streams, &s->link);
    m->count++;
    return 0;
}

void mux_session_send(mux_stream_t *s)
{
    if (s->session) nghttp2_session_resume_data(s->session->ng, s->id);
}

size_t mux_session_credit(const mux_stream_t *s)
{
    if (!s->session || is_full(s->session)) return 0;
    int32_t all = nghttp2_session_get_remote_window_size(s->session->ng);
    int32_t own = nghttp2_session_get_stream_remote_window_size(s->session->ng, s->id);
    int32_t least = own < all ? own : all;
    return least > 0 ? (size_t)least : 0;
}

void mux_session_consume(mux_stream_t *s, size_t n)
{
    if (s->session && n) nghttp2_session_consume_stream(s->session->ng, s->id, n);
}

void mux_session_close(mux_stream_t *s)
{
    mux_session_t *m = s->session;
    if (!m) return;
    nghttp2_session_set_stream_user_data(m->ng, s->id, NULL);
    nghttp2_submit_rst_stream(m->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
    detach(s);
}

void mux_session_fail(mux_session_t *m, int err, const char *why)
{
    LIST_EACH_SAFE(l, &m->streams)
    {
        mux_stream_t *s = LIST_OF(l, mux_stream_t, link);
        if (!nghttp2_session_find_stream(m->ng, s->id)) s->refused = true; /* its head never went */
        nghttp2_session_set_stream_user_data(m->ng, s->id, NULL);
        detach(s);
        mux_stream_fail(s, err, why);
    }
}
