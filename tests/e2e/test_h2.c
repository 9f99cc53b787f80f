/* HTTP/2 from clients (RFC 9113), over plain connections: requests and replies. */
#include <sys/stat.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *server)
{
    subject_http("", text("log_format h2 '$request $status $body_bytes_sent $server_protocol $http2"
                          " $connection_requests $request_completion';\n"
                          "access_log access.log h2;\n"
                          "server { listen 127.0.0.1:@http@; http2 on; %s\n"
                          "location = / { return 200 hello; } }",
                          server));
}

static origin_t *start_with(origin_fn *serve, const void *arg, const char *server)
{
    origin_t *o = origin_start("origin", serve, arg);
    start(text("%s location /o { proxy_pass http://127.0.0.1:@origin@; }", server));
    return o;
}

E2E(h2, serves_both_versions_on_one_address)
{
    start("");
    CURL *c = fetch_new("http://127.0.0.1:@http@/");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->code, CURLE_OK);
    assert_text(f->body.p, "hello");
    assert_has(f->head, "HTTP/2 200");
    assert_has(f->head, "content-length: 5\r\n");
    frames_t *raw = frames_open("http");
    frames_assert_well(raw, 1);
    frames_assert_well(raw, 3);
    f = fetch_get("http://127.0.0.1:@http@/");
    assert_has(f->head, "HTTP/1.1 200");
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "HTTP/1.1 - 1 OK\n")));
    assert_text(file_read("access.log"), "GET / HTTP/2.0 200 5 HTTP/2.0 h2c 1 OK\n"
                                         "GET / HTTP/2.0 200 5 HTTP/2.0 h2c 1 OK\n"
                                         "GET / HTTP/2.0 200 5 HTTP/2.0 h2c 2 OK\n"
                                         "GET / HTTP/1.1 200 5 HTTP/1.1 - 1 OK\n");
}

/* The preface may come in pieces, and what only begins like it is HTTP/1. */
E2E(h2, knows_a_preface_that_comes_in_pieces)
{
    start("");
    frames_t *f = frames_connect("http");
    const char *preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (const char *p = preface; *p; p++) {
        frames_bytes(f, str_make(p, 1));
        pause_ms(1);
    }
    frames_send(f, FRAME_SETTINGS, 0, 0, STR(""));
    frames_assert_well(f, 1);
    wire_t *w = wire_open("http");
    wire_send(w, "PR");
    pause_ms(10);
    wire_send(w, "OPFIND / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
}

E2E(h2, is_off_unless_switched_on)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location / { return 200 x; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    cr_assert_eq(wire_try_reply(w, "GET")->status, 505);
}

E2E(h2, passes_requests_to_an_origin_of_http_1)
{
    origin_t *o = start_with(origin_echo, NULL, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o/a?b=c") "content-type: text/plain\ncookie: a=1\n"
                         "x-own: y\ncookie: b=2\ncontent-length: 10\nte: trailers\n");
    frames_data(f, 1, 0, STR("01234"));
    frames_data(f, 1, FRAMES_END_STREAM, STR("56789"));
    answer_t *a = frames_answer(f, 1);
    cr_assert_eq(a->status, 200);
    cr_assert(a->ended && a->reset == CODE_NONE);
    assert_has(origin_head(o, 0), "POST /o/a?b=c HTTP/1.1\r\n");
    assert_text(origin_body(o, 0).p, "0123456789");
    assert_text(origin_field(o, 0, "Cookie"), "a=1; b=2");
    assert_text(origin_field(o, 0, "x-own"), "y");
    assert_text(origin_field(o, 0, "Content-Length"), "10");
    assert_lacks(origin_head(o, 0), ":path");
    assert_has(a->body.p, "0123456789");
}

/* How much more the client may send on the stream than the 64k it begins with, by this frame. */
static size_t granted(const frame_t *frame, uint32_t stream)
{
    const unsigned char *p = (const unsigned char *)frame->payload.p;
    if (frame->type != FRAME_WINDOW_UPDATE || frame->stream != stream) return 0;
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Sends n bytes as the window allows, which is given back as they are read: what is left of it. */
static size_t upload(frames_t *f, uint32_t stream, size_t n)
{
    enum { PIECE = 10000 };
    size_t window = 65536;
    for (size_t at = 0; at < n; at += PIECE) {
        frame_t frame;
        while (window < PIECE) {
            cr_assert(frames_next(f, &frame));
            window += granted(&frame, stream);
        }
        frames_data(f, stream, 0, str_sub(pattern(n), at, at + PIECE));
        window -= PIECE;
    }
    return window;
}

/* A body of unknown length, with trailers; with buffering and without. */
E2E(h2, passes_bodies_of_unknown_length)
{
    origin_t *o = start_with(origin_echo, NULL,
                             "location /o/s { proxy_request_buffering off;"
                             " proxy_pass http://127.0.0.1:@origin@; }");
    static const char *const paths[] = {HEAD("PUT", "/o/x"), HEAD("PUT", "/o/s")};
    frames_t *f = frames_open("http");
    str_t data = pattern(300000);
    for (unsigned i = 0; i < 2; i++) {
        frames_head(f, 2 * i + 1, 0, paths[i]);
        upload(f, 2 * i + 1, data.n);
        frames_head(f, 2 * i + 1, FRAMES_END_STREAM, "x-trailer: t\n");
        cr_assert_eq(frames_answer(f, 2 * i + 1)->status, 200);
        cr_assert(str_eq(origin_body(o, i), data));
        assert_lacks(origin_head(o, i), "x-trailer");
        assert_text(origin_trailers(o, i), "x-trailer: t\r\n");
    }
    assert_text(origin_field(o, 1, "Transfer-Encoding"), "chunked");
}

/* Over a long way, 64k for each round trip are little. */
E2E(h2, the_window_of_an_upload_grows_as_it_is_read)
{
    enum { MUCH = 4000000, LARGE = 1024 * 1024 };
    start_with(origin_echo, NULL, "client_max_body_size 0;");
    frames_t *f = frames_open("http");
    frame_t frame;
    frames_head(f, 1, 0, HEAD("PUT", "/o/x"));
    size_t window = upload(f, 1, MUCH);
    while (window < LARGE / 2) {
        cr_assert(frames_next(f, &frame));
        window += granted(&frame, 1);
    }
    cr_assert_leq(window, LARGE);
}

E2E(h2, many_streams_at_once)
{
    enum { STREAMS = 100 };
    origin_t *o = start_with(origin_echo, NULL, "");
    frames_t *f = frames_open("http");
    (void)o;
    for (uint32_t i = 0; i < STREAMS; i++)
        frames_head(f, 2 * i + 1, FRAMES_END_STREAM,
                    text(":method: GET\n:scheme: http\n:path: /o/%u\n:authority: h\n", i));
    for (uint32_t i = 0; i < STREAMS; i++) {
        answer_t *a = frames_answer(f, 2 * i + 1);
        cr_assert(a->ended && a->status == 200);
        assert_has(a->body.p, text("GET /o/%u HTTP/1.1\r\n", i));
    }
}

E2E(h2, replies_without_a_body_end_with_their_head)
{
    start("location = /204 { return 204; } location = /304 { return 304; }");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("HEAD", "/"));
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->status == 200 && a->ended && a->pieces == 0);
    assert_text(frames_field(a->head, "content-length"), "5");
    frames_head(f, 3, FRAMES_END_STREAM, HEAD("GET", "/204"));
    a = frames_answer(f, 3);
    cr_assert(a->status == 204 && a->ended && a->pieces == 0);
    cr_assert_null(frames_field(a->head, "content-length"));
    frames_head(f, 5, FRAMES_END_STREAM, HEAD("GET", "/304"));
    a = frames_answer(f, 5);
    cr_assert(a->status == 304 && a->ended && a->pieces == 0);
}

static void answer_in_parts(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    visit_send(v, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close, x-hop\r\n"
                  "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\nTrailer: X-Sum\r\n\r\n");
    visit_send(v, "5\r\nfirst\r\n");
    visit_gate(v);
    visit_send(v, "6\r\nsecond\r\n0\r\nX-Sum: 11\r\n\r\n");
}

E2E(h2, passes_interim_heads_pieces_as_they_come_and_trailers)
{
    origin_t *o = start_with(answer_in_parts, NULL, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o") "te: trailers\n");
    answer_t *a = frames_await(f, 1, 5);
    assert_text(a->interim, ":status: 103\nlink: </a.css>; rel=preload\n");
    assert_text(a->body.p, "first");
    cr_assert_not(a->ended);
    assert_text(frames_field(a->head, "x-kept"), "2");
    static const char *const hop[] = {"connection", "keep-alive", "transfer-encoding", "x-hop"};
    for (size_t i = 0; i < 4; i++) cr_assert_null(frames_field(a->head, hop[i]), "%s", hop[i]);
    origin_open_gate(o);
    frames_answer(f, 1);
    assert_text(a->body.p, "firstsecond");
    assert_text(a->trailers, "x-sum: 11\n");
    cr_assert(a->ended);
}

E2E(h2, says_continue_when_the_body_is_wanted)
{
    start_with(origin_echo, NULL, "");
    frames_t *f = frames_open("http");
    frame_t frame;
    frames_head(f, 1, 0, HEAD("POST", "/o") "expect: 100-continue\ncontent-length: 4\n");
    do cr_assert(frames_next(f, &frame));
    while (frame.type != FRAME_HEADERS);
    assert_text(frames_sofar(f, 1)->interim, ":status: 100\n");
    frames_data(f, 1, FRAMES_END_STREAM, STR("body"));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    frames_head(f, 3, 0, HEAD("POST", "/") "expect: 100-continue\ncontent-length: 4\n");
    answer_t *a = frames_answer(f, 3);
    cr_assert_eq(a->status, 200);
    assert_text(a->interim, "");
}

static void answer_short(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
}

static void answer_badly(visit_t *v)
{
    if (visit_request(v)) visit_send(v, "HTTP/1.1 nonsense\r\n\r\n");
}

E2E(h2, a_truncated_body_is_never_whole)
{
    start_with(answer_short, NULL, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    answer_t *a = frames_answer(f, 1);
    cr_assert_eq(a->status, 200);
    cr_assert(!a->ended && a->reset == CODE_INTERNAL_ERROR);
    frames_assert_well(f, 3);
}

E2E(h2, an_error_before_the_head_is_a_page)
{
    start_with(answer_badly, NULL, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->status == 502 && a->ended);
    assert_has(a->body.p, "502 Bad Gateway");
    frames_assert_well(f, 3);
}

/* The client's reset ends the exchange with the origin, and nothing else. */
E2E(h2, a_cancelled_request_leaves_the_origin)
{
    origin_t *o = start_with(origin_silent, NULL, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    origin_head(o, 0);
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    cr_assert(origin_await_left(o, 1));
    frames_assert_well(f, 3);
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "GET /o HTTP/2.0 499")));
}

static void answer_large(visit_t *v)
{
    static char bytes[65536];
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n");
    for (int i = 0; i < 256 && visit_send_n(v, bytes, sizeof(bytes)); i++) continue;
    visit_await_left(v);
}

/* The window of one stream is shut: the others go on, and its origin is made to wait. */
E2E(h2, a_stalled_stream_stalls_nothing_else)
{
    origin_t *o = start_with(answer_large, NULL, "");
    frames_t *f = frames_open("http");
    frames_hold(f);
    frames_number(f, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    answer_t *a = frames_await(f, 1, 65535);
    cr_assert_eq(a->body.n, 65535);
    for (uint32_t id = 3; id < 203; id += 2) frames_assert_well(f, id);
    cr_assert_eq(a->body.n, 65535);
    frames_number(f, FRAME_WINDOW_UPDATE, 1, 100000);
    cr_assert_eq(frames_await(f, 1, 165535)->body.n, 165535);
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    cr_assert(origin_await_left(o, 1));
}

E2E(h2, a_stream_that_takes_nothing_is_ended_in_time)
{
    start_with(answer_large, NULL, "send_timeout 300ms;");
    frames_t *f = frames_open("http");
    frames_hold(f);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    answer_t *a = frames_answer(f, 1);
    cr_assert(!a->ended && a->reset == CODE_INTERNAL_ERROR && a->body.n == 65535);
}

E2E(h2, files_come_whole)
{
    mkdir(file_path("files"), 0755);
    file_fill("files/large", 1000000);
    start("location /f/ { alias @dir@/files/; http2_chunk_size 10000; }");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/f/large"));
    frames_head(f, 3, FRAMES_END_STREAM, HEAD("GET", "/f/large") "range: bytes=999990-\n");
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->status == 200 && a->ended && str_eq(a->body, pattern(1000000)));
    cr_assert_geq(a->pieces, 100);
    a = frames_answer(f, 3);
    cr_assert(a->status == 206 && str_eq(a->body, str_sub(pattern(1000000), 999990, 1000000)));
}

E2E(h2, a_body_of_the_wrong_size_is_refused_as_with_http_1)
{
    start_with(origin_echo, NULL, "client_max_body_size 100;");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o") "content-length: 101\n");
    cr_assert_eq(frames_answer(f, 1)->status, 413);
    frames_head(f, 3, 0, HEAD("POST", "/o"));
    frames_data(f, 3, 0, pattern(101));
    cr_assert_eq(frames_answer(f, 3)->status, 413);
    frames_assert_well(f, 5);
}

E2E(h2, a_body_that_does_not_come_is_a_408)
{
    start_with(origin_echo, NULL, "client_body_timeout 200ms;");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/o") "content-length: 5\n");
    frames_data(f, 1, 0, STR("x"));
    cr_assert_eq(frames_answer(f, 1)->status, 408);
    frames_assert_well(f, 3);
}
