/* RFC 9113 sections 4 to 8 from the other side: what an origin may send, and what it may not. */
#include <stdatomic.h>

#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

enum { ENDS = FRAMES_END_HEADERS | FRAMES_END_STREAM };

static void start(void)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location / {"
                     " proxy_pass http://127.0.0.1:@origin@; proxy_http_version 2; } }");
}

/* --- frames that are wrong --- */

enum { ASKED = 1 }; /* the stream of the one request */

typedef struct wrong {
    const char *what;
    unsigned type, flags;
    uint32_t stream;
    str_t payload;
    int code; /* that we say goodbye with */
} wrong_t;

#define ZEROS8 "\0\0\0\0\0\0\0\0"

static const wrong_t wrongs[] = {
    {"4.3 a block that cannot be decoded", FRAME_HEADERS, 5, ASKED, STR_INIT("\xfe"),
     CODE_COMPRESSION_ERROR},
    {"5.1 DATA of an idle stream", FRAME_DATA, 0, 9, STR_INIT("x"), CODE_PROTOCOL_ERROR},
    {"5.1 HEADERS of an idle stream", FRAME_HEADERS, 5, 9, STR_INIT("\x88"), CODE_PROTOCOL_ERROR},
    {"5.1 RST_STREAM of an idle stream", FRAME_RST_STREAM, 0, 9, STR_INIT("\0\0\0\10"),
     CODE_PROTOCOL_ERROR},
    {"5.1 WINDOW_UPDATE of an idle stream", FRAME_WINDOW_UPDATE, 0, 9, STR_INIT("\0\0\0\1"),
     CODE_PROTOCOL_ERROR},
    {"5.1.1 HEADERS of a stream of its own", FRAME_HEADERS, 5, 2, STR_INIT("\x88"),
     CODE_PROTOCOL_ERROR},
    {"6.1 DATA without stream", FRAME_DATA, 0, 0, STR_INIT("x"), CODE_PROTOCOL_ERROR},
    {"6.1 DATA with too much padding", FRAME_DATA, 8, ASKED, STR_INIT("\4x"), CODE_PROTOCOL_ERROR},
    {"6.2 HEADERS without stream", FRAME_HEADERS, 5, 0, STR_INIT("\x88"), CODE_PROTOCOL_ERROR},
    {"6.2 HEADERS with too much padding", FRAME_HEADERS, 13, ASKED, STR_INIT("\x9\x88"),
     CODE_PROTOCOL_ERROR},
    {"6.3 PRIORITY without stream", FRAME_PRIORITY, 0, 0, STR_INIT("\0\0\0\0\0"),
     CODE_PROTOCOL_ERROR},
    {"6.3 PRIORITY of a wrong size", FRAME_PRIORITY, 0, ASKED, STR_INIT("\0\0\0"),
     CODE_FRAME_SIZE_ERROR},
    {"6.4 RST_STREAM without stream", FRAME_RST_STREAM, 0, 0, STR_INIT("\0\0\0\0"),
     CODE_PROTOCOL_ERROR},
    {"6.4 RST_STREAM of a wrong size", FRAME_RST_STREAM, 0, ASKED, STR_INIT("\0\0\0"),
     CODE_FRAME_SIZE_ERROR},
    {"6.5 SETTINGS of a stream", FRAME_SETTINGS, 0, ASKED, STR_INIT(""), CODE_PROTOCOL_ERROR},
    {"6.5 SETTINGS of a wrong size", FRAME_SETTINGS, 0, 0, STR_INIT("\0\3\0"),
     CODE_FRAME_SIZE_ERROR},
    {"6.5 an acknowledgement with content", FRAME_SETTINGS, 1, 0, STR_INIT("\0\3\0\0\0\1"),
     CODE_FRAME_SIZE_ERROR},
    {"6.5.2 ENABLE_PUSH of a server", FRAME_SETTINGS, 0, 0, STR_INIT("\0\2\0\0\0\1"),
     CODE_PROTOCOL_ERROR},
    {"6.5.2 a window too large", FRAME_SETTINGS, 0, 0, STR_INIT("\0\4\x80\0\0\0"),
     CODE_FLOW_CONTROL_ERROR},
    {"6.5.2 frames too small", FRAME_SETTINGS, 0, 0, STR_INIT("\0\5\0\0\x3f\xff"),
     CODE_PROTOCOL_ERROR},
    {"6.5.2 frames too large", FRAME_SETTINGS, 0, 0, STR_INIT("\0\5\1\0\0\0"), CODE_PROTOCOL_ERROR},
    {"6.6 PUSH_PROMISE", FRAME_PUSH_PROMISE, 4, ASKED, STR_INIT("\0\0\0\2\x82\x84\x86"),
     CODE_PROTOCOL_ERROR},
    {"6.7 PING of a stream", FRAME_PING, 0, ASKED, STR_INIT(ZEROS8), CODE_PROTOCOL_ERROR},
    {"6.7 PING of a wrong size", FRAME_PING, 0, 0, STR_INIT("1234567"), CODE_FRAME_SIZE_ERROR},
    {"6.8 GOAWAY of a stream", FRAME_GOAWAY, 0, ASKED, STR_INIT(ZEROS8), CODE_PROTOCOL_ERROR},
    {"6.8 GOAWAY of a wrong size", FRAME_GOAWAY, 0, 0, STR_INIT("1234"), CODE_FRAME_SIZE_ERROR},
    {"6.9 WINDOW_UPDATE by nothing", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\0\0\0\0"),
     CODE_PROTOCOL_ERROR},
    {"6.9 WINDOW_UPDATE of a wrong size", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\0\0\1"),
     CODE_FRAME_SIZE_ERROR},
    {"6.9.1 a window that overflows", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\x7f\xff\xff\xff"),
     CODE_FLOW_CONTROL_ERROR},
    {"6.10 CONTINUATION of nothing", FRAME_CONTINUATION, 4, ASKED, STR_INIT("\x88"),
     CODE_PROTOCOL_ERROR},
};

static const wrong_t *volatile wrong;
enum { NOT_YET = -2 };
static atomic_int goodbye = NOT_YET;

/* The code that the origin has heard last, once it has. */
static int heard(void)
{
    cr_assert(EVENTUALLY(atomic_load(&goodbye) != NOT_YET));
    return atomic_exchange(&goodbye, NOT_YET);
}

/* The code of GOAWAY, once the connection has ended. */
static void await_goodbye(visit_t *v)
{
    visit_frame_t f;
    int code = CODE_NONE;
    while (visit_frames_next(v, &f))
        if (f.type == FRAME_GOAWAY) code = (unsigned char)f.payload[7];
    atomic_store(&goodbye, code);
}

static void answer_wrongly(visit_t *v)
{
    if (!visit_frames_preface(v, STR("")) || visit_frames_await_head(v) != ASKED) return;
    visit_frames_put(v, wrong->type, wrong->flags, wrong->stream, wrong->payload);
    await_goodbye(v);
}

E2E(proxy_http2_frames, wrong_frames_end_the_connection)
{
    const char *failed = "";
    wrong = &wrongs[0];
    origin_t *o = origin_start("origin", answer_wrongly, NULL);
    start();
    for (unsigned i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        wrong = &wrongs[i];
        int status = wire_get("http", "/")->status;
        cr_assert(origin_await_left(o, i + 1), "%s", wrong->what);
        int code = heard();
        if (status != 502 || code != wrong->code)
            failed = text("%s%s: status %d, GOAWAY %d\n", failed, wrong->what, status, code);
    }
    assert_text(failed, "");
    cr_assert_eq(subject_log_count("upstream sent invalid HTTP/2"),
                 sizeof(wrongs) / sizeof(wrongs[0]));
}

/* 3.4 */
static void begin_with_ping(visit_t *v)
{
    visit_frames_put(v, FRAME_PING, 0, 0, STR("12345678"));
    visit_frames_preface(v, STR("")); /* which may be too late to arrive */
    await_goodbye(v);
}

E2E(proxy_http2_frames, a_connection_must_begin_with_settings)
{
    origin_t *o = origin_start("origin", begin_with_ping, NULL);
    start();
    cr_assert_eq(wire_get("http", "/")->status, 502);
    cr_assert(origin_await_left(o, 1));
    cr_assert_eq(heard(), CODE_PROTOCOL_ERROR);
}

/* 4.2 */
static void answer_oversized(visit_t *v)
{
    static const char zeros[16385];
    if (!visit_frames_preface(v, STR("")) || visit_frames_await_head(v) != ASKED) return;
    visit_frames_fields(v, 0, ASKED, ":status: 200\n");
    visit_frames_put(v, FRAME_DATA, FRAMES_END_STREAM, ASKED, str_make(zeros, sizeof(zeros)));
    await_goodbye(v);
}

E2E(proxy_http2_frames, frames_that_are_too_large_end_the_connection)
{
    origin_t *o = origin_start("origin", answer_oversized, NULL);
    start();
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const reply_t *r = wire_try_reply(w, "GET");
    cr_assert(r->status == 502 || r->broken);
    wire_close(w);
    cr_assert(origin_await_left(o, 1));
    cr_assert_eq(heard(), CODE_FRAME_SIZE_ERROR);
}

/* 4.3, 6.10 */
static const unsigned *volatile interruption;

static void answer_interrupted(visit_t *v)
{
    if (!visit_frames_preface(v, STR("")) || visit_frames_await_head(v) != ASKED) return;
    visit_frames_fields(v, FRAMES_OPEN_HEAD, ASKED, ":status: 200\n");
    visit_frames_put(v, *interruption, 0, *interruption < FRAME_SETTINGS ? ASKED : 0, STR(""));
    await_goodbye(v);
}

E2E(proxy_http2_frames, a_head_that_is_interrupted_ends_the_connection)
{
    static const unsigned types[] = {FRAME_DATA, FRAME_HEADERS, FRAME_RST_STREAM, FRAME_SETTINGS,
                                     FRAME_PING, FRAME_GOAWAY, FRAME_WINDOW_UPDATE, 0x77};
    interruption = types;
    origin_t *o = origin_start("origin", answer_interrupted, NULL);
    start();
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        interruption = &types[i];
        cr_assert_eq(wire_get("http", "/")->status, 502);
        cr_assert(origin_await_left(o, i + 1), "type %u", types[i]);
        int code = heard();
        cr_assert_eq(code, CODE_PROTOCOL_ERROR, "type %u: GOAWAY %d", types[i], code);
    }
}

/* --- streams --- */

/* 5.1, 6.9.1: an error of a stream, of which others know nothing. */
static void overflow_the_stream(visit_t *v)
{
    uint32_t id;
    visit_frame_t f;
    if (!visit_frames_preface(v, STR(""))) return;
    id = visit_frames_await_head(v);
    visit_frames_number(v, FRAME_WINDOW_UPDATE, id, 0x7fffffff);
    if (!visit_frames_await_frame(v, FRAME_RST_STREAM, &f)) return;
    atomic_store(&goodbye, (unsigned char)f.payload[3]);
    while ((id = visit_frames_await_head(v))) visit_frames_well(v, id);
}

E2E(proxy_http2_frames, a_stream_whose_window_overflows_is_reset_alone)
{
    origin_t *o = origin_start("origin", overflow_the_stream, NULL);
    start();
    cr_assert_eq(wire_get("http", "/")->status, 502);
    assert_text(wire_get("http", "/")->body.p, "well");
    cr_assert_eq(heard(), CODE_FLOW_CONTROL_ERROR);
    cr_assert_eq(origin_connections(o), 1);
}

/* 8.1: a whole response, and then a reset because the rest of the request is not wanted. */
static void answer_early(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) {
        visit_frames_well(v, id);
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_NO_ERROR);
    }
}

E2E(proxy_http2_frames, a_response_that_does_not_wait_for_the_request_is_whole)
{
    origin_t *o = origin_start("origin", answer_early, NULL);
    start();
    for (int i = 0; i < 3; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
        wire_send_n(w, pattern(500000));
        const reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 200);
        assert_text(text("%.*s", (int)r->body.n, r->body.p), "well");
        wire_close(w);
    }
    cr_assert_eq(origin_connections(o), 1);
}

/* --- what is allowed --- */

/* Everything that an origin may say around and inside of a response. */
static void answer_at_length(visit_t *v)
{
    static const char settings[] = "\0\1\0\0\0\0\0\3\0\0\0\x64\0\4\0\1\0\0"
                                   "\0\6\0\1\0\0\x77\x77\0\0\0\1";
    uint32_t id;
    visit_frame_t f;
    if (!visit_frames_preface(v, str_make(settings, sizeof(settings) - 1))) return;
    visit_frames_put(v, 0x77, 0xff, 0, STR("unknown"));
    visit_frames_put(v, FRAME_SETTINGS, 0, 0, STR("\0\4\0\2\0\0"));
    while ((id = visit_frames_await_head(v))) {
        visit_frames_put(v, FRAME_PING, 0xfe, 0, STR("\1\2\3\4\5\6\7\10"));
        visit_frames_put(v, FRAME_PRIORITY, 0, id, STR("\0\0\0\0\20"));
        visit_frames_put(v, FRAME_HEADERS, FRAMES_END_HEADERS, id,
                         STR("\10\003103\0\4link\3</a")); /* RFC 7541 6.2.2: :status by index */
        visit_frames_put(v, FRAME_HEADERS, FRAMES_PADDED | FRAMES_PRIORITY, id,
                         STR("\2\0\0\0\0\20\x88\0\0"));
        visit_frames_put(v, FRAME_CONTINUATION, 0, id, STR(""));
        visit_frames_put(v, FRAME_CONTINUATION, FRAMES_END_HEADERS, id, STR("\0\1x\1y"));
        visit_frames_put(v, FRAME_WINDOW_UPDATE, 0x10, id | 0x80000000, STR("\x80\0\0\1"));
        visit_frames_put(v, FRAME_DATA, 0, id, STR(""));
        visit_frames_put(v, FRAME_DATA, FRAMES_PADDED, id, STR("\3we\0\0\0"));
        visit_frames_put(v, FRAME_DATA, FRAMES_PADDED, id, STR("\0ll"));
        visit_frames_fields(v, FRAMES_END_STREAM, id, "x-end: 1\n");
        visit_frames_number(v, FRAME_WINDOW_UPDATE, id, 1); /* the stream is over */
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_NO_ERROR);
        if (!visit_frames_await_frame(v, FRAME_PING, &f)) return;
        atomic_store(&goodbye, f.n == 8 && f.flags == FRAMES_ACK &&
                                   memcmp(f.payload, "\1\2\3\4\5\6\7\10", 8) == 0);
    }
}

E2E(proxy_http2_frames, what_is_allowed_is_put_up_with)
{
    origin_t *o = origin_start("origin", answer_at_length, NULL);
    start();
    for (int i = 0; i < 3; i++) {
        const reply_t *r = wire_get("http", "/");
        cr_assert_eq(r->status, 200);
        cr_assert(str_eq(r->body, STR("well")));
    }
    cr_assert(EVENTUALLY(atomic_load(&goodbye) == 1)); /* 6.7: what it has said comes back */
    cr_assert_eq(origin_connections(o), 1);
}

/* 6.8: what GOAWAY leaves in is still served, the next one elsewhere. */
static void leave_and_answer(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_goaway(v, 0x7fffffff, CODE_NO_ERROR);
    visit_frames_goaway(v, id, CODE_NO_ERROR);
    visit_frames_well(v, id);
    visit_await_left(v);
}

E2E(proxy_http2_frames, an_origin_that_leaves_finishes_what_it_has)
{
    origin_t *o = origin_start("origin", leave_and_answer, NULL);
    start();
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/")->body.p, "well");
    cr_assert_eq(origin_connections(o), 3);
}
