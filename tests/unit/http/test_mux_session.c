/* A session against nghttp2's own server in the same process: bytes go back and forth by hand. */
#include "http/mux_session.h"

#include <criterion/criterion.h>
#include <errno.h>

static mux_session_t m;
static nghttp2_session *server;
static pool_t *pool;
static int32_t asked[16]; /* streams in the order of their requests */
static unsigned asked_n;
static size_t taken;      /* bytes of bodies that the server got */
static uint32_t closed_with;

static int on_request(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    (void)s, (void)arg;
    if (frame->hd.type == NGHTTP2_HEADERS) asked[asked_n++] = frame->hd.stream_id;
    return 0;
}

static int on_body(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *arg)
{
    (void)s, (void)flags, (void)id, (void)p, (void)arg;
    taken += n;
    return 0;
}

static int on_end(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    (void)s, (void)id, (void)arg;
    closed_with = code;
    return 0;
}

static void start_server(uint32_t streams, uint32_t window)
{
    nghttp2_session_callbacks *c;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    nghttp2_option *options;
    nghttp2_session_callbacks_new(&c);
    nghttp2_option_new(&options);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_request);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_body);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_end);
    nghttp2_session_server_new2(&server, c, NULL, options);
    nghttp2_session_callbacks_del(c);
    nghttp2_option_del(options);
    nghttp2_submit_settings(server, NGHTTP2_FLAG_NONE, settings, 2);
}

static void setup(void)
{
    pool = pool_create();
    mux_session_init(&m);
}

static void end(void)
{
    mux_session_fail(&m, -ECONNRESET, NULL);
    mux_session_free(&m);
    nghttp2_session_del(server);
    pool_destroy(pool);
}

TestSuite(mux_session, .init = setup, .fini = end);

/* Carries bytes until neither side has any. */
static int carry(void)
{
    bool moved;
    do {
        const uint8_t *p;
        moved = false;
        if (mux_session_push(&m) < 0) return -EBADMSG;
        while (m.out) {
            nghttp2_session_mem_recv(server, (uint8_t *)m.out->pos, buf_used(m.out));
            buf_return(m.out);
            m.out = NULL;
            moved = true;
            mux_session_push(&m);
        }
        ssize_t n = nghttp2_session_mem_send(server, &p);
        if (n > 0) {
            int err = mux_session_feed(&m, str_make((const char *)p, (size_t)n));
            if (err < 0) return err;
            moved = true;
        }
    } while (moved);
    return 0;
}

#define NV(NAME, VALUE) \
    {(uint8_t *)(uintptr_t)(NAME), (uint8_t *)(uintptr_t)(VALUE), sizeof(NAME) - 1, \
     sizeof(VALUE) - 1, NGHTTP2_NV_FLAG_NONE}

static mux_stream_t *ask(bool ends)
{
    static const nghttp2_nv head[] = {NV(":method", "POST"), NV(":scheme", "http"),
                                      NV(":authority", "h"), NV(":path", "/")};
    mux_stream_t *s = POOL_NEW(pool, mux_stream_t);
    s->pool = pool;
    s->head_max = 4096;
    cr_assert_eq(mux_session_open(&m, s, head, 4, ends), 0);
    return s;
}

static ssize_t give(nghttp2_session *session, int32_t id, uint8_t *out, size_t n, uint32_t *flags,
                    nghttp2_data_source *source, void *arg)
{
    (void)session, (void)id, (void)arg;
    size_t *left = source->ptr;
    if (*left < n) n = *left;
    memset(out, 'a', n);
    *left -= n;
    if (*left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void answer(int32_t id, size_t *body)
{
    static const nghttp2_nv head[] = {NV(":status", "200"), NV("x-a", "b")};
    nghttp2_data_provider provider = {.source.ptr = body, .read_callback = give};
    nghttp2_submit_response(server, id, head, 2, body ? &provider : NULL);
}

static size_t read_all(mux_stream_t *s)
{
    str_t piece;
    size_t n = 0;
    while (mux_stream_next(s, &piece)) n += piece.n;
    return n;
}

Test(mux_session, a_request_and_its_answer)
{
    size_t body = 5;
    start_server(100, 65535);
    mux_stream_t *s = ask(true);
    carry();
    cr_assert_eq(asked_n, 1);
    answer(asked[0], &body);
    carry();
    cr_assert(s->answered && s->ended && !s->error);
    cr_assert_null(s->session);
    cr_assert_eq(m.count, 0);
    cr_assert_eq(s->head->status, 200);
    cr_assert(str_eq(header_join(&s->head->headers, STR("X-A")), STR("b")));
    cr_assert_eq(read_all(s), 5);
    mux_stream_clear(s);
}

Test(mux_session, one_stream_until_the_settings_are_known_then_as_many_as_allowed)
{
    start_server(3, 65535);
    cr_assert(mux_session_has_room(&m));
    ask(true);
    cr_assert_not(mux_session_has_room(&m));
    carry();
    cr_assert_eq(mux_session_limit(&m), 3);
    ask(true);
    ask(true);
    cr_assert_not(mux_session_has_room(&m));
    carry();
    cr_assert_eq(asked_n, 3);
    answer(asked[1], NULL);
    carry();
    cr_assert(mux_session_has_room(&m));
}

/* What nobody reads is bounded by its window, and holds up no other stream. */
Test(mux_session, a_stream_nobody_reads_stalls_alone)
{
    size_t large = 1000000, small = 100000;
    start_server(100, 65535);
    mux_stream_t *stalled = ask(true);
    carry();
    answer(asked[0], &large);
    carry();
    size_t held = 1000000 - large;
    cr_assert_eq(held, MUX_WINDOW);
    for (int i = 1; i < 12; i++) { /* in all more than the connection's first window */
        mux_stream_t *s = ask(true);
        carry();
        small = 100000;
        answer(asked[i], &small);
        carry();
        cr_assert(s->ended);
        cr_assert_eq(read_all(s), 100000);
        mux_stream_clear(s);
    }
    cr_assert_eq(1000000 - large, held);
    size_t got = 0;
    while (!stalled->ended) {
        got += read_all(stalled);
        mux_session_consume(stalled, mux_stream_used(stalled));
        carry();
    }
    cr_assert_eq(got + read_all(stalled), 1000000);
    mux_stream_clear(stalled);
}

Test(mux_session, a_body_goes_as_far_as_the_origin_allows)
{
    static const char body[100000];
    start_server(100, 1000);
    carry();
    mux_stream_t *s = ask(false);
    carry();
    cr_assert_eq(mux_session_credit(s), 1000);
    s->out = body;
    s->out_left = sizeof(body);
    s->out_ends = true;
    mux_session_send(s);
    carry();
    cr_assert_eq(taken, 1000);
    cr_assert_eq(s->out_left, sizeof(body) - 1000);
    cr_assert_eq(mux_session_credit(s), 0);
    nghttp2_submit_window_update(server, NGHTTP2_FLAG_NONE, asked[0], 500);
    carry();
    cr_assert_eq(taken, 1500);
    mux_session_close(s);
    carry();
    cr_assert_eq(closed_with, NGHTTP2_CANCEL);
    cr_assert_eq(m.count, 0);
}

Test(mux_session, goaway_refuses_what_came_too_late_and_ends_nothing_else)
{
    size_t body = 3;
    start_server(100, 65535);
    carry();
    mux_stream_t *first = ask(true);
    carry();
    mux_stream_t *second = ask(true);
    nghttp2_submit_goaway(server, NGHTTP2_FLAG_NONE, first->id, NGHTTP2_NO_ERROR, NULL, 0);
    answer(asked[0], &body);
    const uint8_t *p;
    for (ssize_t n; (n = nghttp2_session_mem_send(server, &p)) > 0;)
        cr_assert_eq(mux_session_feed(&m, str_make((const char *)p, (size_t)n)), 0);
    cr_assert_eq(mux_session_push(&m), 0);
    cr_assert(first->ended && !first->error);
    cr_assert(second->refused && second->error);
    cr_assert_not(mux_session_has_room(&m));
    mux_stream_clear(first);
}

Test(mux_session, a_reset_says_whether_the_request_was_begun)
{
    start_server(100, 65535);
    carry();
    mux_stream_t *refused = ask(true), *failed = ask(true);
    carry();
    nghttp2_submit_rst_stream(server, NGHTTP2_FLAG_NONE, refused->id, NGHTTP2_REFUSED_STREAM);
    nghttp2_submit_rst_stream(server, NGHTTP2_FLAG_NONE, failed->id, NGHTTP2_INTERNAL_ERROR);
    carry();
    cr_assert(refused->refused);
    cr_assert_not(failed->refused);
    cr_assert_eq(refused->error, -ECONNRESET);
    cr_assert_eq(failed->error, -ECONNRESET);
}

Test(mux_session, a_lost_connection_fails_its_streams_and_tells_which_never_left)
{
    start_server(100, 65535);
    carry();
    mux_stream_t *sent = ask(true);
    carry();
    mux_stream_t *unsent = ask(true);
    mux_session_fail(&m, -ENODATA, NULL);
    cr_assert_eq(sent->error, -ENODATA);
    cr_assert_not(sent->refused);
    cr_assert(unsent->refused);
    cr_assert_eq(m.count, 0);
}

Test(mux_session, garbage_is_no_connection)
{
    start_server(100, 65535);
    int err = mux_session_feed(&m, STR("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    mux_session_push(&m);
    cr_assert(err == -EBADMSG || mux_session_over(&m));
    cr_assert_not(mux_session_has_room(&m));
    cr_assert_not_null(m.why);
}

/* RFC 8441 3: only when its settings say so. */
Test(mux_session, an_origin_says_whether_it_takes_tunnels)
{
    const nghttp2_settings_entry takes = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    start_server(100, 65535);
    cr_assert_not(mux_session_takes_tunnels(&m));
    cr_assert_eq(carry(), 0);
    cr_assert(m.settled);
    cr_assert_not(mux_session_takes_tunnels(&m));
    nghttp2_submit_settings(server, NGHTTP2_FLAG_NONE, &takes, 1);
    cr_assert_eq(carry(), 0);
    cr_assert(mux_session_takes_tunnels(&m));
}
