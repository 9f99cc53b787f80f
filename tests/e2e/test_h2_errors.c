/* What RFC 9113 sections 3 to 8 forbid a client of HTTP/2, and what an origin never hears of. */
#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"

static origin_t *start(const char *server)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; http2 on; %s\n"
                          "location = / { return 200 hello; }\n"
                          "location /o { proxy_pass http://127.0.0.1:@origin@; } }",
                          server));
    return o;
}

/* --- malformed requests (8.1 to 8.3) --- */

#define O HEAD("GET", "/o")

static const char *const malformed[] = {
    /* 8.2, 8.2.1: names and values */
    O "X-Capital: 1\n", O "x y: 1\n", O "x-\x01: 1\n", O ": empty\n", O "x\xc3\xa4: 1\n",
    O "x-a: a\rb\n", O "x-a:  lead\n", O "x-a: trail \n", O "x-a: \x01\n", O "x-a: \x7f\n",
    /* 8.2.2: fields of a connection */
    O "connection: close\n", O "connection: x\n", O "keep-alive: 5\n", O "proxy-connection: x\n",
    O "transfer-encoding: chunked\n", O "upgrade: websocket\n", O "te: gzip\n",
    O "te: trailers, gzip\n",
    /* 8.3: pseudo-fields */
    ":method: GET\n:scheme: http\nx: y\n:path: /o\n:authority: h\n", O ":path: /o\n",
    O ":method: GET\n", O ":scheme: http\n", O ":authority: h\n",
    O ":status: 200\n", O ":other: 1\n",
    ":scheme: http\n:path: /o\n:authority: h\n", ":method: GET\n:path: /o\n:authority: h\n",
    ":method: GET\n:scheme: http\n:authority: h\n", ":method: GET\n:scheme: http\n:path: /o\n",
    ":method: GET\n:scheme: http\n:path: \n:authority: h\n",
    ":method: \n:scheme: http\n:path: /o\n:authority: h\n",
    ":method: GET\n:scheme: ftp\n:path: /o\n:authority: h\n",
    ":method: G T\n:scheme: http\n:path: /o\n:authority: h\n",
    /* 8.3.1: targets and hosts */
    HEAD("GET", "o"), HEAD("GET", "*"), HEAD("GET", "http://other/o"), HEAD("GET", "/o x"),
    HEAD("GET", "/o#x"), HEAD("GET", "/o\x01"), HEAD("GET", "/o\x7f"), HEAD("GET", "/o/%00"),
    HEAD("GET", "/o/../../x"), O "host: other\n", O "host: h\nhost: h\n", O "host: h\nhost: i\n",
    ":method: GET\n:scheme: http\n:path: /o\n:authority: user@h\n",
    ":method: GET\n:scheme: http\n:path: /o\n:authority: a b\n",
    ":method: GET\n:scheme: http\n:path: /o\n:authority: h:99999\n",
    ":method: GET\n:scheme: http\n:path: /o\n:authority: h,i\n",
    /* 8.5: CONNECT */
    ":method: CONNECT\n:scheme: http\n:path: /o\n:authority: h:1\n",
    ":method: CONNECT\n:path: /o\n",
    /* RFC 8441: :protocol */
    O ":protocol: websocket\n",
    ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /o\n",
    ":method: CONNECT\n:protocol: websocket\n:authority: h\n",
    ":method: CONNECT\n:protocol: other\n:scheme: http\n:path: /o\n:authority: h\n",
    /* 8.1.1: a length that no body can have */
    O "content-length: 5\n", O "content-length: x\n", O "content-length: -1\n",
    O "content-length: 0\ncontent-length: 0\n", O "content-length: 99999999999999999999\n",
};

static bool is_refused(const answer_t *a)
{
    return a->reset == CODE_PROTOCOL_ERROR || (a->status == 400 && a->ended);
}

E2E(h2_errors, malformed_requests_never_reach_an_origin)
{
    enum { N = sizeof(malformed) / sizeof(malformed[0]) };
    origin_t *o = start("");
    frames_t *f = frames_open("http");
    for (unsigned i = 0; i < N; i++) {
        frames_head(f, 2 * i + 1, FRAMES_END_STREAM, malformed[i]);
        answer_t *a = frames_answer(f, 2 * i + 1);
        cr_assert(is_refused(a), "%s\nstatus %d, reset %d, goaway %d", malformed[i], a->status,
                  a->reset, frames_goaway(f));
    }
    frames_assert_well(f, 2 * N + 1);
    cr_assert_eq(origin_requests(o), 0);
    cr_assert_eq(origin_connections(o), 0);
}

/* What frames_head cannot write. */
E2E(h2_errors, line_breaks_and_colons_never_reach_an_origin)
{
    origin_t *o = start("");
    frames_t *f = frames_open("http");
    str_t block = frames_block(O);
    str_t bad[] = {STR("\0\3x-a\3a\nb"), STR("\0\3x-a\3a\0b"), STR("\0\3x-a\3a\rb"),
                   STR("\0\4x-\na\1b"), STR("\0\5:path\4/\r\nx"), STR("\0\3x:y\1a"),
                   STR("\0\3x-a\2\ta"), STR("\0\3x-a\2a\t")};
    enum { N = sizeof(bad) / sizeof(bad[0]) };
    for (uint32_t i = 0; i < N; i++) {
        frames_send(f, FRAME_HEADERS, FRAMES_END_HEADERS | FRAMES_END_STREAM, 2 * i + 1,
                    pool_concat(harness_pool, block, bad[i]));
        cr_assert(is_refused(frames_answer(f, 2 * i + 1)), "%u", i);
    }
    frames_assert_well(f, 2 * N + 1);
    cr_assert_eq(origin_connections(o), 0);
}

E2E(h2_errors, bodies_that_lie_about_their_length_never_reach_an_origin)
{
    origin_t *o = start("");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o") "content-length: 5\n");
    frames_data(f, 1, FRAMES_END_STREAM, STR("1234"));
    cr_assert(is_refused(frames_answer(f, 1)));
    frames_head(f, 3, 0, HEAD("POST", "/o") "content-length: 5\n");
    frames_data(f, 3, FRAMES_END_STREAM, STR("123456"));
    cr_assert(is_refused(frames_answer(f, 3)));
    frames_head(f, 5, 0, HEAD("POST", "/o") "content-length: 0\n");
    frames_data(f, 5, FRAMES_END_STREAM, STR("1"));
    cr_assert(is_refused(frames_answer(f, 5)));
    frames_head(f, 7, 0, HEAD("POST", "/o"));
    frames_head(f, 7, FRAMES_END_STREAM, ":path: /x\n"); /* pseudo-fields in trailers */
    cr_assert(is_refused(frames_answer(f, 7)));
    frames_head(f, 9, 0, HEAD("POST", "/o"));
    frames_head(f, 9, 0, "x: y\n"); /* trailers that do not end the stream */
    cr_assert(is_refused(frames_answer(f, 9)));
    frames_assert_well(f, 11);
    cr_assert_eq(origin_connections(o), 0);
}

E2E(h2_errors, heads_that_are_too_large_are_refused_as_with_http_1)
{
    origin_t *o = start("large_client_header_buffers 2 1k;");
    frames_t *f = frames_open("http");
    const char *kilo = text("%01024d", 0), *half = text("%0500d", 0);
    frames_head(f, 1, FRAMES_END_STREAM, text(O "x-a: %s\n", kilo));
    cr_assert_eq(frames_answer(f, 1)->status, 431);
    frames_head(f, 3, FRAMES_END_STREAM,
                text(O "x-a: %s\nx-b: %s\nx-c: %s\nx-d: %s\nx-e: %s\n", half, half, half, half,
                     half));
    cr_assert_eq(frames_answer(f, 3)->status, 431);
    frames_head(f, 5, FRAMES_END_STREAM,
                text(":method: GET\n:scheme: http\n:path: /o%s\n:authority: h\n", kilo));
    cr_assert_eq(frames_answer(f, 5)->status, 414);
    const char *many = O;
    for (int i = 0; i < 1001; i++) many = text("%sa:\n", many);
    frames_head(f, 7, FRAMES_END_STREAM, many);
    cr_assert_eq(frames_answer(f, 7)->status, 431);
    cr_assert_eq(origin_connections(o), 0);
    frames_head(f, 9, FRAMES_END_STREAM, text(O "x-a: %s\nx-b: %s\n", half, half));
    cr_assert_eq(frames_answer(f, 9)->status, 200);
}

/* A few bytes that stand for millions: one large entry of the table, named again and again. */
E2E(h2_errors, a_bomb_of_compressed_fields_is_refused)
{
    enum { NAMED = 16000 };
    origin_t *o = start("");
    frames_t *f = frames_open("http");
    char *bomb = pool_bytes(harness_pool, NAMED);
    str_t large = frames_block(text("x-large: %04000d\n", 0));
    memset(bomb, (char)(0x80 | 62), NAMED);                    /* RFC 7541 6.1: index 62 */
    *(char *)(uintptr_t)large.p = 0x40;                        /* 6.2.1: with indexing */
    frames_send(f, FRAME_HEADERS, FRAMES_END_STREAM, 1,
                pool_concat(harness_pool, frames_block(O), large));
    frames_send(f, FRAME_CONTINUATION, FRAMES_END_HEADERS, 1, str_make(bomb, NAMED));
    cr_assert_eq(frames_answer(f, 1)->status, 431);
    frames_assert_well(f, 3);
    cr_assert_eq(origin_connections(o), 0);
}

/* --- frames that are wrong (4 to 6) --- */

typedef struct wrong {
    const char *what;
    unsigned type, flags;
    uint32_t stream;
    str_t payload;
    int code;    /* of GOAWAY */
    int another; /* allowed as well; 0: none */
} wrong_t;

#define ZEROS8 "\0\0\0\0\0\0\0\0"

static const wrong_t wrongs[] = {
    {"5.1 DATA of an idle stream", FRAME_DATA, 0, 9, STR_INIT("x"), CODE_PROTOCOL_ERROR, 0},
    {"5.1 RST_STREAM of an idle stream", FRAME_RST_STREAM, 0, 9, STR_INIT("\0\0\0\10"),
     CODE_PROTOCOL_ERROR, 0},
    {"5.1 WINDOW_UPDATE of an idle stream", FRAME_WINDOW_UPDATE, 0, 9, STR_INIT("\0\0\0\1"),
     CODE_PROTOCOL_ERROR, 0},
    {"5.1.1 an even stream", FRAME_HEADERS, 5, 2, STR_INIT("\x82\x84\x86\x01\1h"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.1 DATA without stream", FRAME_DATA, 0, 0, STR_INIT("x"), CODE_PROTOCOL_ERROR, 0},
    {"6.1 DATA with too much padding", FRAME_DATA, 8, 1, STR_INIT("\4x"), CODE_PROTOCOL_ERROR, 0},
    {"6.1 DATA of padding that is longer by one", FRAME_DATA, 8, 1, STR_INIT("\1"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.1 padded DATA of nothing", FRAME_DATA, 8, 1, STR_INIT(""), CODE_FRAME_SIZE_ERROR,
     CODE_PROTOCOL_ERROR},
    {"6.2 HEADERS without stream", FRAME_HEADERS, 5, 0, STR_INIT("\x82\x84\x86\x01\1h"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.2 HEADERS with too much padding", FRAME_HEADERS, 13, 3, STR_INIT("\x9\x82\x84\x86\x01\1h"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.2 HEADERS shorter than their priority", FRAME_HEADERS, 37, 3, STR_INIT("\0\0\0"),
     CODE_FRAME_SIZE_ERROR, CODE_PROTOCOL_ERROR},
    {"6.2 HEADERS with padding and priority that do not fit", FRAME_HEADERS, 45, 3,
     STR_INIT("\3\0\0\0\0\0\x82"), CODE_PROTOCOL_ERROR, CODE_FRAME_SIZE_ERROR},
    {"4.3 a block that cannot be decoded", FRAME_HEADERS, 5, 3,
     STR_INIT("\xff\xff\xff\xff\xff\xff"), CODE_COMPRESSION_ERROR, 0},
    {"4.3 an index beyond the table", FRAME_HEADERS, 5, 3, STR_INIT("\xfe"), CODE_COMPRESSION_ERROR,
     0},
    {"4.3 the index 0", FRAME_HEADERS, 5, 3, STR_INIT("\x80"), CODE_COMPRESSION_ERROR, 0},
    {"4.3 a block that ends within a field", FRAME_HEADERS, 5, 3, STR_INIT("\x82\x00\5x-a"),
     CODE_COMPRESSION_ERROR, 0},
    {"4.3 a table larger than allowed", FRAME_HEADERS, 5, 3, STR_INIT("\x3f\xe2\x1f\x82"),
     CODE_COMPRESSION_ERROR, 0},
    {"4.3 trailers that cannot be decoded", FRAME_HEADERS, 5, 1, STR_INIT("\xfe"),
     CODE_COMPRESSION_ERROR, 0},
    {"6.3 PRIORITY without stream", FRAME_PRIORITY, 0, 0, STR_INIT("\0\0\0\0\0"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.3 PRIORITY of a wrong size", FRAME_PRIORITY, 0, 1, STR_INIT("\0\0\0"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.3 PRIORITY that is too long", FRAME_PRIORITY, 0, 1, STR_INIT("\0\0\0\0\0\0"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.4 RST_STREAM without stream", FRAME_RST_STREAM, 0, 0, STR_INIT("\0\0\0\0"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.4 RST_STREAM of a wrong size", FRAME_RST_STREAM, 0, 1, STR_INIT("\0\0\0"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.5 SETTINGS of a stream", FRAME_SETTINGS, 0, 1, STR_INIT(""), CODE_PROTOCOL_ERROR, 0},
    {"6.5 SETTINGS of a wrong size", FRAME_SETTINGS, 0, 0, STR_INIT("\0\3\0"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.5 an acknowledgement with content", FRAME_SETTINGS, 1, 0, STR_INIT("\0\3\0\0\0\1"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.5.2 ENABLE_PUSH 2", FRAME_SETTINGS, 0, 0, STR_INIT("\0\2\0\0\0\2"), CODE_PROTOCOL_ERROR, 0},
    {"6.5.2 a window too large", FRAME_SETTINGS, 0, 0, STR_INIT("\0\4\x80\0\0\0"),
     CODE_FLOW_CONTROL_ERROR, 0},
    {"6.5.2 frames too small", FRAME_SETTINGS, 0, 0, STR_INIT("\0\5\0\0\x3f\xff"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.5.2 frames too large", FRAME_SETTINGS, 0, 0, STR_INIT("\0\5\1\0\0\0"), CODE_PROTOCOL_ERROR,
     0},
    {"6.5.2 a wrong value behind a right one", FRAME_SETTINGS, 0, 0,
     STR_INIT("\0\3\0\0\0\1\0\2\0\0\0\2"), CODE_PROTOCOL_ERROR, 0},
    {"3 (8441) ENABLE_CONNECT_PROTOCOL 2", FRAME_SETTINGS, 0, 0, STR_INIT("\0\x8\0\0\0\2"),
     CODE_PROTOCOL_ERROR, 0},
    {"2.1 (9218) NO_RFC7540_PRIORITIES 2", FRAME_SETTINGS, 0, 0, STR_INIT("\0\x9\0\0\0\2"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.6 PUSH_PROMISE of a client", FRAME_PUSH_PROMISE, 4, 1, STR_INIT("\0\0\0\2\x82"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.6 PUSH_PROMISE without stream", FRAME_PUSH_PROMISE, 4, 0, STR_INIT("\0\0\0\2\x82"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.7 PING of a stream", FRAME_PING, 0, 1, STR_INIT(ZEROS8), CODE_PROTOCOL_ERROR, 0},
    {"6.7 PING of a wrong size", FRAME_PING, 0, 0, STR_INIT("1234567"), CODE_FRAME_SIZE_ERROR, 0},
    {"6.7 PING that is too long", FRAME_PING, 1, 0, STR_INIT("123456789"), CODE_FRAME_SIZE_ERROR,
     0},
    {"6.8 GOAWAY of a stream", FRAME_GOAWAY, 0, 1, STR_INIT(ZEROS8), CODE_PROTOCOL_ERROR, 0},
    {"6.8 GOAWAY of a wrong size", FRAME_GOAWAY, 0, 0, STR_INIT("1234"), CODE_FRAME_SIZE_ERROR, 0},
    {"6.9 WINDOW_UPDATE by nothing", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\0\0\0\0"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.9 WINDOW_UPDATE of a wrong size", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\0\0\1"),
     CODE_FRAME_SIZE_ERROR, 0},
    {"6.9.1 a window that overflows", FRAME_WINDOW_UPDATE, 0, 0, STR_INIT("\x7f\xff\xff\xff"),
     CODE_FLOW_CONTROL_ERROR, 0},
    {"6.10 CONTINUATION of nothing", FRAME_CONTINUATION, 4, 1, STR_INIT("\x82"),
     CODE_PROTOCOL_ERROR, 0},
    {"6.10 CONTINUATION without stream", FRAME_CONTINUATION, 4, 0, STR_INIT("\x82"),
     CODE_PROTOCOL_ERROR, 0},
    {"7.1 (9218) PRIORITY_UPDATE of a stream", FRAME_PRIORITY_UPDATE, 0, 1, STR_INIT("\0\0\0\3u=1"),
     CODE_PROTOCOL_ERROR, 0},
    {"7.1 (9218) PRIORITY_UPDATE for no stream", FRAME_PRIORITY_UPDATE, 0, 0,
     STR_INIT("\0\0\0\0u=1"), CODE_PROTOCOL_ERROR, 0},
    {"7.1 (9218) PRIORITY_UPDATE of a wrong size", FRAME_PRIORITY_UPDATE, 0, 0, STR_INIT("\0\0"),
     CODE_FRAME_SIZE_ERROR, 0},
};

/* Each on a connection that has a request open, which stays unfinished. */
E2E(h2_errors, wrong_frames_end_the_connection)
{
    const char *failed = "";
    start("");
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const wrong_t *w = &wrongs[i];
        frames_t *f = frames_open("http");
        frames_head(f, 1, 0, HEAD("POST", "/o"));
        frames_sync(f);
        frames_send(f, w->type, w->flags, w->stream, w->payload);
        int code = frames_goodbye(f);
        if (code != w->code && !(w->another && code == w->another))
            failed = text("%s%s: GOAWAY %d\n", failed, w->what, code);
        frames_close(f);
    }
    assert_text(failed, "");
}

/* As the first of a connection. */
E2E(h2_errors, a_connection_must_begin_as_it_should)
{
    start("");
    frames_t *f = frames_connect("http");
    frames_bytes(f, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    frames_send(f, FRAME_PING, 0, 0, STR(ZEROS8));
    cr_assert_eq(frames_goodbye(f), CODE_PROTOCOL_ERROR);
}

E2E(h2_errors, frames_that_are_too_large_end_the_connection)
{
    start("");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_data(f, 1, 0, pattern(16385));
    cr_assert_eq(frames_goodbye(f), CODE_FRAME_SIZE_ERROR);
}

E2E(h2_errors, a_head_that_is_interrupted_ends_the_connection)
{
    start("");
    static const unsigned types[] = {FRAME_HEADERS, FRAME_DATA, FRAME_PRIORITY, FRAME_RST_STREAM,
                                     FRAME_WINDOW_UPDATE, FRAME_PING, FRAME_SETTINGS, FRAME_GOAWAY,
                                     FRAME_PRIORITY_UPDATE, 0x77};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        frames_t *f = frames_open("http");
        frames_head(f, 1, FRAMES_OPEN_HEAD, ":method: GET\n");
        frames_send(f, types[i], 0, types[i] < FRAME_PING ? 1 : 0, STR(""));
        cr_assert_eq(frames_goodbye(f), CODE_PROTOCOL_ERROR, "type %u", types[i]);
        frames_close(f);
    }
}

E2E(h2_errors, streams_that_are_over_take_no_frames)
{
    start("location = /slow { limit_rate 1; return 200 0123456789; }");
    frames_t *f = frames_open("http");
    frames_assert_well(f, 5);
    frames_head(f, 3, FRAMES_END_STREAM, GET); /* 5.1.1: lower than the last, so it is closed */
    cr_assert_eq(frames_goodbye(f), CODE_STREAM_CLOSED);
    cr_assert_eq(frames_sofar(f, 3)->status, 0);
    f = frames_open("http");
    frames_assert_well(f, 1);
    frames_data(f, 1, 0, STR("x")); /* nghttp2 drops it */
    frames_assert_well(f, 3);
    frames_head(f, 1, FRAMES_END_STREAM, GET);
    cr_assert_eq(frames_goodbye(f), CODE_STREAM_CLOSED);
    f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/slow"));
    frames_data(f, 1, 0, STR("x")); /* 5.1: half-closed (remote) */
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->reset == CODE_STREAM_CLOSED || frames_goodbye(f) == CODE_STREAM_CLOSED);
}

E2E(h2_errors, errors_of_a_stream_leave_the_others_alone)
{
    start("");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_number(f, FRAME_WINDOW_UPDATE, 1, 0x7fffffff); /* 6.9.1 */
    cr_assert_eq(frames_answer(f, 1)->reset, CODE_FLOW_CONTROL_ERROR);
    frames_assert_well(f, 3);
    frames_head(f, 5, 0, HEAD("POST", "/o"));
    frames_number(f, FRAME_WINDOW_UPDATE, 5, 0); /* 6.9, 5.4.2: or an error of the connection */
    cr_assert(frames_answer(f, 5)->reset == CODE_PROTOCOL_ERROR ||
              frames_goodbye(f) == CODE_PROTOCOL_ERROR);
}

E2E(h2_errors, more_than_a_window_is_refused)
{
    start("http2_body_preread_size 20k; location = /slow { limit_rate 1; return 200 0123456789; }");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/slow"));
    frames_sync(f);
    frames_data(f, 1, 0, pattern(16000));
    frames_data(f, 1, 0, pattern(16000));
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->reset == CODE_FLOW_CONTROL_ERROR || frames_goodbye(f) == CODE_FLOW_CONTROL_ERROR,
              "reset %d, goaway %d", a->reset, frames_goaway(f));
}

E2E(h2_errors, what_is_unknown_is_ignored)
{
    start("");
    frames_t *f = frames_open("http");
    frames_send(f, 0x77, 0xff, 0, STR("anything"));
    frames_settings(f, 0x7777, 1);
    frames_send(f, FRAME_PING, 0xfe, 0, STR("12345678"));
    frames_send(f, FRAME_PRIORITY, 0, 9, STR("\0\0\0\1\0"));
    frames_send(f, FRAME_PRIORITY_UPDATE, 0, 0, STR("\0\0\0\13u=0, i"));
    frames_send(f, FRAME_PRIORITY_UPDATE, 0, 0, STR("\0\0\0\13%%%"));
    frames_assert_well(f, 1);
    frames_head(f, 11, FRAMES_END_STREAM, GET "priority: u=7, i, x;y\n");
    cr_assert_eq(frames_answer(f, 11)->status, 200);
}

E2E(h2_errors, more_streams_than_allowed_are_refused)
{
    start("http2_max_concurrent_streams 3;");
    frames_t *f = frames_open("http");
    for (uint32_t i = 0; i < 4; i++) frames_head(f, 2 * i + 1, 0, HEAD("POST", "/o"));
    answer_t *a = frames_answer(f, 7); /* our settings are not known yet: it may be tried again */
    cr_assert(a->reset == CODE_REFUSED_STREAM, "reset %d, goaway %d", a->reset, frames_goaway(f));
    for (uint32_t i = 0; i < 3; i++) {
        frames_data(f, 2 * i + 1, FRAMES_END_STREAM, STR("x"));
        cr_assert_eq(frames_answer(f, 2 * i + 1)->status, 200);
    }
    frames_assert_well(f, 9);
    frames_sync(f);
    for (uint32_t i = 5; i < 9; i++) frames_head(f, 2 * i + 1, 0, HEAD("POST", "/o"));
    a = frames_answer(f, 17);
    cr_assert(a->reset == CODE_REFUSED_STREAM || frames_goodbye(f) == CODE_PROTOCOL_ERROR);
}
