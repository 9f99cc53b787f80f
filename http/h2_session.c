#include "http/h2_session.h"

#include "http/h2_reply.h"
#include "http/h2_stream.h"
#include "http/http.h"

static const uint8_t farewell[8] = {'f', 'a', 'r', 'e', 'w', 'e', 'l', 'l'};

/* --- the log --- */

static void complain(h2_t *h2, int level, const char *what, const char *which)
{
    log_t log = conn_log(h2->conn);
    if (h2->noisy) return;
    h2->noisy = true;
    LOG(&log, level, 0, "client sent %s%s", what, which);
}

/* --- floods --- */

static int allow(h2_t *h2, h2_nuisance_t kind)
{
    if (h2_guard_allows(&h2->guard, kind)) return 0;
    h2->noisy = false;
    complain(h2, LOG_ERR, "too many ", h2_guard_name(kind));
    h2_session_goodbye(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What RFC 9113 has for an error of the connection, and nghttp2 passes over. */
static int violated(h2_t *h2, uint32_t code, const char *what)
{
    complain(h2, LOG_INFO, "invalid HTTP/2: ", what);
    h2_session_goodbye(h2, code);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* DATA that brings neither bytes nor the end; n: of its bytes, those that are no padding. */
static int allow_data(h2_t *h2, const nghttp2_frame_hd *hd, size_t n)
{
    return n || hd->flags & NGHTTP2_FLAG_END_STREAM ? 0 : allow(h2, H2_EMPTY_DATA);
}

/*
 * RFC 9113 5.1: no head may come once both sides have ended the stream, or a later one was opened
 * in its place. Behind a reset of ours it may still be on its way. (DATA nghttp2 drops by itself.)
 */
static bool is_over(nghttp2_session *session, const h2_t *h2, int32_t id)
{
    return id && !h2->has_reset && id <= nghttp2_session_get_last_proc_stream_id(session) &&
           !nghttp2_session_find_stream(session, id);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    h2_t *h2 = arg;
    switch (hd->type) {
    case NGHTTP2_DATA: return allow_data(h2, hd, hd->length);
    case NGHTTP2_HEADERS:
        if (is_over(session, h2, hd->stream_id))
            return violated(h2, NGHTTP2_STREAM_CLOSED, "a head on a stream that is over");
        return 0;
    case NGHTTP2_RST_STREAM: return allow(h2, H2_RESETS);
    case NGHTTP2_CONTINUATION: return allow(h2, H2_CONTINUATIONS);
    case NGHTTP2_PING: return hd->flags & NGHTTP2_FLAG_ACK ? 0 : allow(h2, H2_PINGS);
    case NGHTTP2_SETTINGS: return hd->flags & NGHTTP2_FLAG_ACK ? 0 : allow(h2, H2_SETTINGS);
    case NGHTTP2_PRIORITY:
        if (hd->stream_id == 0)
            return violated(h2, NGHTTP2_PROTOCOL_ERROR, "PRIORITY without stream");
        return allow(h2, H2_PRIORITIES);
    case NGHTTP2_PRIORITY_UPDATE: return allow(h2, H2_PRIORITIES);
    case NGHTTP2_WINDOW_UPDATE: return allow(h2, H2_WINDOW_UPDATES);
    default: return 0; /* unknown types cost next to nothing: nghttp2 skips them */
    }
}

/* --- heads --- */

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    h2_t *h2 = arg;
    if (!is_request(frame)) return 0;
    h2->heading = h2_stream_new(h2, frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h2->heading);
    return 0;
}

static str_t text_of(nghttp2_rcbuf *b)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(b);
    return str_make((const char *)v.base, v.len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    const h2_t *h2 = arg;
    const http_conf_t *c = h2->conf;
    h2_stream_t *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    h2_head_t *head = is_request(frame) ? (h2->heading ? &h2->heading->head : NULL)
                      : s && !s->released ? &s->tail : NULL;
    (void)flags;
    if (head)
        h2_head_add(head, text_of(name), text_of(value), c->large_buffer_size,
                    c->large_buffer_size * c->large_buffers_count);
    return 0;
}

/* By itself nghttp2 would drop the field and let the request pass. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    (void)session, (void)frame, (void)name, (void)value, (void)flags, (void)arg;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A whole head. Its request begins when all that was read has been looked at: it may be
   cancelled. */
static void open_stream(h2_t *h2, h2_stream_t *s)
{
    h2->heading = NULL;
    if (h2->fibers >= h2->limits->max_streams)
        h2_stream_reset(s, NGHTTP2_REFUSED_STREAM); /* cancelled ones have not unwound yet */
    else
        list_push(&h2->opened, &s->queue);
}

/* --- frames --- */

static void take_ping(h2_t *h2, const nghttp2_frame *frame)
{
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    if (ack && h2->stage == H2_WARNED && memcmp(frame->ping.opaque_data, farewell, 8) == 0)
        h2_session_goodbye(h2, NGHTTP2_NO_ERROR);
}

/* RFC 9218 7.1 */
static int take_priority(h2_t *h2, const nghttp2_frame *frame)
{
    const nghttp2_ext_priority_update *update = frame->ext.payload;
    if (update->stream_id) return 0;
    return violated(h2, NGHTTP2_PROTOCOL_ERROR, "PRIORITY_UPDATE for no stream");
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    h2_t *h2 = arg;
    h2_stream_t *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_PING) take_ping(h2, frame);
    if (frame->hd.type == NGHTTP2_PRIORITY_UPDATE) return take_priority(h2, frame);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    if (!s) return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) h2_stream_end_body(s);
    if (is_request(frame)) open_stream(h2, s);
    if (frame->hd.type == NGHTTP2_HEADERS || !frame->data.padlen) return 0;
    return allow_data(h2, &frame->hd, frame->hd.length - frame->data.padlen);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    h2_stream_t *s = nghttp2_session_get_stream_user_data(session, id);
    (void)flags, (void)arg;
    if (s)
        h2_stream_feed(s, str_make((const char *)p, n));
    else
        nghttp2_session_consume_connection(session, n);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
    h2_t *h2 = arg;
    (void)session, (void)frame;
    h2->has_reset = true; /* its stream will be, or the connection ends */
    complain(h2, LOG_INFO, "invalid HTTP/2: ", nghttp2_strerror(error));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    h2_stream_t *s = nghttp2_session_get_stream_user_data(session, id);
    (void)arg;
    if (s) h2_stream_closed(s, code);
    return 0;
}

/*
 * Whoever answers a ping that follows the announcement has seen it, and opens no more streams. An
 * error that we have not submitted has been found by nghttp2.
 */
static void note_goaway(h2_t *h2, uint32_t code)
{
    if (code != NGHTTP2_NO_ERROR) {
        complain(h2, LOG_INFO, "invalid HTTP/2: ", nghttp2_http2_strerror(code));
        h2->stage = H2_CLOSING;
        h2->over = true;
    } else if (h2->stage == H2_WARNED) {
        nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, farewell);
    }
}

/* What a client makes us reset is a nuisance like what it resets itself. */
static void note_reset(h2_t *h2, const h2_stream_t *s)
{
    h2->has_reset = true;
    if (!(s && s->was_reset) && h2->stage < H2_CLOSING) allow(h2, H2_RESETS);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    h2_t *h2 = arg;
    h2_stream_t *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY) note_goaway(h2, frame->goaway.error_code);
    if (frame->hd.type == NGHTTP2_HEADERS && s) h2_reply_head_sent(s, &frame->hd);
    if (frame->hd.type == NGHTTP2_RST_STREAM) note_reset(h2, s);
    return 0;
}

/* --- the session --- */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *c;
    if (nghttp2_session_callbacks_new(&c)) panic("out of memory: HTTP/2");
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(c, h2_reply_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(c, h2_reply_frame_size);
    return c;
}

static nghttp2_option *make_options(void)
{
    nghttp2_option *o;
    if (nghttp2_option_new(&o)) panic("out of memory: HTTP/2");
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX); /* h2_guard counts */
    nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
    return o;
}

static void submit_settings(h2_t *h2)
{
    size_t heads = h2->conf->large_buffer_size * h2->conf->large_buffers_count;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->limits->max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)h2->limits->preread},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)heads},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                            sizeof(settings) / sizeof(settings[0]));
    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW);
}

void h2_session_open(h2_t *h2)
{
    static nghttp2_session_callbacks *callbacks; /* one for all of the process */
    static nghttp2_option *options;
    if (!callbacks) callbacks = make_callbacks();
    if (!options) options = make_options();
    if (nghttp2_session_server_new2(&h2->session, callbacks, h2, options))
        panic("out of memory: session of HTTP/2");
    submit_settings(h2);
}

bool h2_session_feed(h2_t *h2, str_t bytes)
{
    ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.p, bytes.n);
    if (used >= 0) return true;
    if (used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS || used == NGHTTP2_ERR_FLOODED) {
        complain(h2, LOG_ERR, "too many frames: ", nghttp2_strerror((int)used));
        h2_session_goodbye(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (used != NGHTTP2_ERR_CALLBACK_FAILURE) {
        complain(h2, LOG_INFO, "invalid HTTP/2: ", nghttp2_strerror((int)used));
        h2_session_goodbye(h2, NGHTTP2_PROTOCOL_ERROR);
    }
    return false;
}

bool h2_session_fill(h2_t *h2)
{
    const uint8_t *p;
    while (h2_out_takes(&h2->out, 1)) {
        ssize_t n = nghttp2_session_mem_send(h2->session, &p);
        if (n < 0) return false;
        if (n == 0) break;
        h2_out_copy(&h2->out, str_make((const char *)p, (size_t)n));
    }
    return true;
}

void h2_session_warn(h2_t *h2)
{
    if (h2->stage != H2_SERVING) return;
    h2->stage = H2_WARNED;
    nghttp2_submit_shutdown_notice(h2->session);
    h2_conn_wake(h2);
}

void h2_session_goodbye(h2_t *h2, uint32_t code)
{
    if (h2->stage >= H2_CLOSING) return;
    h2->stage = H2_CLOSING;
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
    h2->over |= code != NGHTTP2_NO_ERROR;
    if (code == NGHTTP2_NO_ERROR)
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, code, NULL, 0);
    else
        nghttp2_session_terminate_session2(h2->session, last, code);
    h2_conn_wake(h2);
}
