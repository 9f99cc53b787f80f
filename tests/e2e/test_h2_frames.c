/* RFC 9113 sections 5 to 8: what a client may do, and what test_h2_errors.c leaves of what it may
   not. */
#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"

static origin_t *start(void)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; http2 on;\n"
                     "location = / { return 200 hello; }\n"
                     "location = /slow { limit_rate 1; return 200 0123456789; }\n"
                     "location /o { proxy_pass http://127.0.0.1:@origin@; } }");
    return o;
}

static void expect_hello(frames_t *f, uint32_t stream)
{
    answer_t *a = frames_answer(f, stream);
    cr_assert_eq(a->status, 200);
    assert_text(a->body.p, "hello");
}

/* The error of the stream, or of the connection: 5.1 leaves the choice where frames may have
   crossed. */
static void expect_closed(frames_t *f, uint32_t stream)
{
    answer_t *a = frames_answer(f, stream);
    cr_assert(a->reset == CODE_STREAM_CLOSED || frames_goodbye(f) == CODE_STREAM_CLOSED,
              "reset %d, goaway %d", a->reset, frames_goaway(f));
}

/* --- 5.1: streams that are over --- */

E2E(h2_frames, a_stream_the_client_has_ended_takes_no_head)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/slow"));
    frames_head(f, 1, FRAMES_END_STREAM, "x: y\n");
    expect_closed(f, 1);
}

/* What was reset may still be told of; the connection goes on, or ends with STREAM_CLOSED. */
E2E(h2_frames, a_stream_that_was_reset_takes_no_body)
{
    origin_t *o = start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    frames_data(f, 1, FRAMES_END_STREAM, STR("late"));
    frames_head(f, 3, FRAMES_END_STREAM, GET);
    answer_t *a = frames_answer(f, 3);
    cr_assert(a->status == 200 || frames_goodbye(f) == CODE_STREAM_CLOSED);
    cr_assert_eq(origin_requests(o), 0);
}

/* 5.1, 6.3, 6.9: PRIORITY and WINDOW_UPDATE may come for a stream that is over, and RST_STREAM. */
E2E(h2_frames, what_comes_late_is_put_up_with)
{
    start();
    frames_t *f = frames_open("http");
    frames_assert_well(f, 1);
    frames_number(f, FRAME_WINDOW_UPDATE, 1, 1000);
    frames_send(f, FRAME_PRIORITY, 0, 1, STR("\0\0\0\0\20"));
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    frames_assert_well(f, 3);
}

/* --- 6.1, 6.2, 6.10: the forms of heads and bodies --- */

static str_t join(str_t a, str_t b)
{
    return pool_concat(harness_pool, a, b);
}

E2E(h2_frames, heads_may_be_padded_weighted_and_split)
{
    enum { WHOLE = FRAMES_END_HEADERS | FRAMES_END_STREAM };
    start();
    frames_t *f = frames_open("http");
    str_t block = frames_block(GET);
    frames_send(f, FRAME_HEADERS, WHOLE | FRAMES_PADDED, 1,
                join(join(STR("\3"), block), STR("\0\0\0")));
    expect_hello(f, 1);
    frames_send(f, FRAME_HEADERS, WHOLE | FRAMES_PRIORITY, 3, join(STR("\0\0\0\0\377"), block));
    expect_hello(f, 3);
    frames_send(f, FRAME_HEADERS, WHOLE | FRAMES_PADDED | FRAMES_PRIORITY, 5,
                join(join(STR("\1\200\0\0\3\0"), block), STR("\0")));
    expect_hello(f, 5);
    frames_send(f, FRAME_HEADERS, FRAMES_END_STREAM, 7, str_sub(block, 0, 1));
    frames_send(f, FRAME_CONTINUATION, 0, 7, str_sub(block, 1, 2));
    frames_send(f, FRAME_CONTINUATION, 0, 7, STR(""));
    frames_send(f, FRAME_CONTINUATION, FRAMES_END_HEADERS, 7, str_sub(block, 2, block.n));
    expect_hello(f, 7);
    frames_send(f, FRAME_HEADERS, FRAMES_END_STREAM, 9, STR(""));
    frames_send(f, FRAME_CONTINUATION, FRAMES_END_HEADERS, 9, block);
    expect_hello(f, 9);
}

E2E(h2_frames, bodies_may_be_padded_and_empty)
{
    origin_t *o = start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o") "content-length: 4\n"); /* padding does not count */
    frames_send(f, FRAME_DATA, FRAMES_PADDED, 1, STR("\4body\0\0\0\0"));
    frames_send(f, FRAME_DATA, FRAMES_PADDED, 1, STR("\0"));
    frames_data(f, 1, FRAMES_END_STREAM, STR(""));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    assert_text(origin_body(o, 0).p, "body");
}

/* 6.9.1: padding counts, too; what is given back must cover it. */
E2E(h2_frames, windows_are_given_back_for_padding)
{
    enum { FRAMES = 400, PAD = 255, SIZE = PAD + 2 };
    origin_t *o = start();
    frames_t *f = frames_open("http");
    char *padded = pool_zalloc(harness_pool, SIZE);
    int64_t window = 65536;
    padded[0] = (char)PAD;
    padded[1] = 'x';
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    for (int i = 0; i < FRAMES; i++) { /* more than the window in all */
        frame_t frame;
        while (window < SIZE) {
            cr_assert(frames_next(f, &frame));
            const unsigned char *p = (const unsigned char *)frame.payload.p;
            if (frame.type == FRAME_WINDOW_UPDATE && frame.stream == 1)
                window += (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        }
        frames_send(f, FRAME_DATA, FRAMES_PADDED, 1, str_make(padded, SIZE));
        window -= SIZE;
    }
    frames_data(f, 1, FRAMES_END_STREAM, STR(""));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    cr_assert_eq(origin_body(o, 0).n, FRAMES);
}

/* 4.1: bits that mean nothing here are no error. */
E2E(h2_frames, reserved_bits_are_ignored)
{
    origin_t *o = start();
    frames_t *f = frames_open("http");
    str_t block = frames_block(HEAD("POST", "/o"));
    frames_send(f, FRAME_HEADERS, FRAMES_END_HEADERS | 0xd2, 0x80000001, block);
    frames_send(f, FRAME_DATA, FRAMES_END_STREAM | 0xf6, 0x80000001, STR("body"));
    frames_send(f, FRAME_WINDOW_UPDATE, 0xff, 0, STR("\x80\0\0\1"));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    assert_text(origin_body(o, 0).p, "body");
}

/* 6.10: of the stream whose head it is. */
E2E(h2_frames, a_head_goes_on_on_its_own_stream)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_OPEN_HEAD, ":method: GET\n");
    frames_send(f, FRAME_CONTINUATION, FRAMES_END_HEADERS, 3, STR(""));
    cr_assert_eq(frames_goodbye(f), CODE_PROTOCOL_ERROR);
}

static void answer_long_head(visit_t *v)
{
    char line[1000];
    while (visit_request(v)) {
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
        memset(line, 'x', sizeof(line));
        memcpy(line, "X-Long: ", 8);
        memcpy(line + sizeof(line) - 2, "\r\n", 2);
        for (int i = 0; i < 40; i++) visit_send_n(v, line, sizeof(line));
        visit_send(v, "\r\nok");
    }
}

/* 4.2, 6.10: none of our frames is larger than the client has allowed (frames.c checks). */
E2E(h2_frames, long_heads_are_split)
{
    enum { HEADS = 3 };
    origin_start("origin", answer_long_head, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; http2 on; proxy_buffer_size 64k;\n"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    frames_t *f = frames_open("http");
    for (uint32_t i = 0; i < HEADS; i++) frames_head(f, 2 * i + 1, FRAMES_END_STREAM, GET);
    for (uint32_t i = 0; i < HEADS; i++) {
        answer_t *a = frames_answer(f, 2 * i + 1);
        cr_assert_gt(strlen(a->head), 32768);
        assert_text(a->body.p, "ok");
    }
}

/* --- 5.3, 6.3: priorities that RFC 9113 has given up --- */

/* RFC 7540 5.3.1 had an error for it, which nghttp2 keeps. */
E2E(h2_frames, a_stream_that_depends_on_itself)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, GET);
    frames_send(f, FRAME_PRIORITY, 0, 3, STR("\0\0\0\3\0"));
    frames_head(f, 3, FRAMES_END_STREAM, GET);
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    cr_assert(frames_answer(f, 3)->status == 200 || frames_goodbye(f) == CODE_PROTOCOL_ERROR);
}

/* --- 6.5: SETTINGS --- */

/* 6.5.2: the least and the most that each may be. */
E2E(h2_frames, settings_may_be_extreme)
{
    static const struct {
        unsigned id;
        uint32_t least, most;
    } settings[] = {{1, 0, 0xffffffff}, {2, 0, 1}, {3, 0, 0xffffffff}, {4, 0, 0x7fffffff},
                    {5, 16384, 16777215}, {6, 0, 0xffffffff}, {8, 0, 1}};
    start();
    frames_t *f = frames_open("http");
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        frames_settings(f, settings[i].id, settings[i].least);
        frames_settings(f, settings[i].id, settings[i].most);
    }
    frames_assert_well(f, 1);
}

/* 6.5.3: each is acknowledged, in order. */
E2E(h2_frames, settings_are_acknowledged)
{
    start();
    frames_t *f = frames_open("http");
    frame_t frame;
    unsigned acks = 0;
    frames_sync(f);
    frames_settings(f, 4, 70000);
    frames_send(f, FRAME_SETTINGS, 0, 0, STR(""));
    while (acks < 2) {
        cr_assert(frames_next(f, &frame));
        acks += frame.type == FRAME_SETTINGS && frame.flags & FRAMES_ACK;
    }
    frames_assert_well(f, 1);
}

/* 6.5.2, RFC 7541 4.2: a table of none; answers must still be decoded (frames.c checks). */
E2E(h2_frames, a_client_without_a_table)
{
    start();
    frames_t *f = frames_open("http");
    frames_settings(f, 1, 0);
    frames_sync(f);
    frames_assert_well(f, 1);
    frames_assert_well(f, 3);
}

/* 6.9.2: a window that is made smaller becomes negative, and opens when it is above zero again. */
E2E(h2_frames, windows_may_become_negative)
{
    start();
    frames_t *f = frames_open("http");
    frames_hold(f);
    frames_settings(f, 4, 3);
    frames_head(f, 1, FRAMES_END_STREAM, GET);
    frames_await(f, 1, 3);
    frames_settings(f, 4, 1);
    frames_sync(f);
    frames_number(f, FRAME_WINDOW_UPDATE, 1, 2); /* 0 */
    frames_sync(f);
    cr_assert_eq(frames_sofar(f, 1)->body.n, 3);
    frames_settings(f, 4, 2); /* 1 */
    frames_await(f, 1, 4);
    frames_sync(f);
    cr_assert_eq(frames_sofar(f, 1)->body.n, 4);
    frames_settings(f, 4, 65535);
    expect_hello(f, 1);
}

/* 6.9.2 has an error of the connection for it; nghttp2 ends the streams that it concerns. */
E2E(h2_frames, settings_may_not_overflow_a_window)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_number(f, FRAME_WINDOW_UPDATE, 1, 0x7fffffff - 65535);
    frames_settings(f, 4, 65536);
    cr_assert(frames_answer(f, 1)->reset == CODE_FLOW_CONTROL_ERROR ||
              frames_goodbye(f) == CODE_FLOW_CONTROL_ERROR);
}

/* --- 6.7: PING --- */

E2E(h2_frames, a_ping_is_answered_with_what_it_says)
{
    start();
    frames_t *f = frames_open("http");
    frame_t frame;
    frames_send(f, FRAME_PING, FRAMES_ACK, 0, STR("notasked"));
    frames_send(f, FRAME_PING, 0, 0, STR("\0\1\2\3\376\377ab"));
    do cr_assert(frames_next(f, &frame));
    while (frame.type != FRAME_PING);
    cr_assert(frame.flags == FRAMES_ACK && frame.stream == 0);
    cr_assert(str_eq(frame.payload, STR("\0\1\2\3\376\377ab")));
}

/* --- 6.9: what the connection's window allows --- */

/* Bodies that nobody reads are held up to 1 MiB; then the window of 1 MiB is not given back. */
E2E(h2_frames, more_than_the_connections_window_ends_it)
{
    enum { STREAMS = 40, PIECE = 16000, PIECES = 4 };
    start();
    frames_t *f = frames_open("http");
    for (uint32_t i = 0; i < STREAMS; i++) {
        frames_head(f, 2 * i + 1, 0, HEAD("POST", "/slow"));
        for (int n = 0; n < PIECES; n++)
            if (!frames_data(f, 2 * i + 1, 0, pattern(PIECE))) break;
    }
    cr_assert_eq(frames_goodbye(f), CODE_FLOW_CONTROL_ERROR);
}

/* --- 8.1: a reply that does not wait for the request's end --- */

E2E(h2_frames, an_early_reply_is_followed_by_a_reset_without_error)
{
    start();
    frames_t *f = frames_open("http");
    frame_t frame;
    frames_head(f, 1, 0, HEAD("POST", "/") "content-length: 100000\n");
    expect_hello(f, 1);
    while (frames_sofar(f, 1)->reset == CODE_NONE) cr_assert(frames_next(f, &frame));
    cr_assert_eq(frames_sofar(f, 1)->reset, CODE_NO_ERROR);
    frames_data(f, 1, 0, pattern(10000)); /* was on its way */
    frames_head(f, 1, FRAMES_END_STREAM, "x: y\n");
    frames_assert_well(f, 3);
}

/* --- 8.3.1, 8.5: targets --- */

E2E(h2_frames, a_host_may_stand_in_for_the_authority)
{
    origin_t *o = start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM,
                ":method: GET\n:scheme: http\n:path: /o/1\nhost: a.test\n");
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    frames_head(f, 3, FRAMES_END_STREAM, HEAD("GET", "/o/2") "host: H\n"); /* the same */
    cr_assert_eq(frames_answer(f, 3)->status, 200);
    frames_head(f, 5, FRAMES_END_STREAM, HEAD("OPTIONS", "*"));
    cr_assert_neq(frames_answer(f, 5)->status, 0);
    frames_head(f, 7, FRAMES_END_STREAM, ":method: CONNECT\n:authority: h:80\n");
    cr_assert_eq(frames_answer(f, 7)->status, 405);
    cr_assert_eq(origin_requests(o), 2);
}

/* --- 6.4, 6.8, 7: codes --- */

E2E(h2_frames, unknown_codes_are_no_error)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_number(f, FRAME_RST_STREAM, 1, 0xfedcba98);
    frames_assert_well(f, 3);
}

/* 6.8: a client that says goodbye is served what it has asked for. */
E2E(h2_frames, goaway_of_a_client_ends_nothing_that_has_begun)
{
    start();
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_sync(f);
    frames_send(f, FRAME_GOAWAY, 0, 0, STR("\0\0\0\0\0\0\0\0bye"));
    frames_data(f, 1, FRAMES_END_STREAM, STR("body"));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
}
