/* HTTP/2: priorities (RFC 9218), WebSocket (RFC 8441), and clients that others have written. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/frames.h"
#include "tests/e2e/keeper.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(origin_fn *serve, const char *server)
{
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("", text("access_log access.log;\n"
                          "server { listen 127.0.0.1:@http@; http2 on; %s\n"
                          "location = / { return 200 hello; }\n"
                          "location /o { proxy_pass http://127.0.0.1:@origin@; } }",
                          server));
    return o;
}

/* --- priorities --- */

static void answer_large(visit_t *v)
{
    static char bytes[65536];
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
    for (int i = 0; i < 16 && visit_send_n(v, bytes, sizeof(bytes)); i++) continue;
    visit_await_left(v);
}

/* The connection's window is empty; two requests have something to send when it opens. */
static frames_t *start_two(const char *first, const char *second)
{
    frames_t *f = frames_open("http");
    frames_hold(f);
    frames_settings(f, 4, 1 << 30);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    frames_await(f, 1, 65535);
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    frames_head(f, 3, FRAMES_END_STREAM, text(HEAD("GET", "/o") "priority: %s\n", first));
    frames_head(f, 5, FRAMES_END_STREAM, text(HEAD("GET", "/o") "priority: %s\n", second));
    frames_await(f, 3, 0);
    frames_await(f, 5, 0);
    return f;
}

/* Opens the window by so much and waits until it is used. */
static void give(frames_t *f, uint32_t n)
{
    size_t before = frames_sofar(f, 3)->body.n + frames_sofar(f, 5)->body.n;
    frame_t frame;
    frames_number(f, FRAME_WINDOW_UPDATE, 0, n);
    while (frames_sofar(f, 3)->body.n + frames_sofar(f, 5)->body.n < before + n)
        cr_assert(frames_next(f, &frame));
}

E2E(h2_features, urgent_replies_come_first)
{
    start(answer_large, "");
    frames_t *f = start_two("u=7", "u=0");
    give(f, 4000);
    cr_assert_eq(frames_sofar(f, 3)->body.n, 0);
    cr_assert_eq(frames_sofar(f, 5)->body.n, 4000);
    frames_send(f, FRAME_PRIORITY_UPDATE, 0, 0, STR("\0\0\0\5u=7"));
    frames_send(f, FRAME_PRIORITY_UPDATE, 0, 0, STR("\0\0\0\3u=1"));
    frames_sync(f);
    size_t before = frames_sofar(f, 5)->body.n;
    give(f, 4000);
    cr_assert_eq(frames_sofar(f, 3)->body.n, 4000);
    cr_assert_eq(frames_sofar(f, 5)->body.n, before);
}

/* What has left for the client's kernel or waits in ours cannot be overtaken: that is bounded. The
   worker has answered others by then, so it has written as much as goes into the socket. */
E2E(h2_features, what_is_urgent_overtakes_what_is_large)
{
    enum { LARGE = 32 * 1024 * 1024, NARROW = 32 * 1024, AHEAD_MOST = 512 * 1024, TURNS = 20 };
    mkdir(file_path("f"), 0755);
    file_fill("f/large", LARGE);
    start(origin_say, "location /f/ { root @dir@; }");
    frames_t *f = frames_open("http");
    frames_narrow(f, NARROW);
    frames_hold(f);
    frames_settings(f, 4, 1 << 30);
    frames_number(f, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/f/large") "priority: u=7\n");
    frames_await(f, 1, 0);
    for (int i = 0; i < TURNS; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    frames_head(f, 3, FRAMES_END_STREAM, GET "priority: u=0\n");
    assert_text(frames_answer(f, 3)->body.p, "hello");
    cr_assert_lt(frames_sofar(f, 1)->body.n, AHEAD_MOST);
}

E2E(h2_features, incremental_replies_share)
{
    start(answer_large, "http2_chunk_size 1k;");
    frames_t *f = start_two("u=3, i", "u=3, i");
    give(f, 4096);
    cr_assert_eq(frames_sofar(f, 3)->body.n, 2048);
    cr_assert_eq(frames_sofar(f, 5)->body.n, 2048);
}

/* --- WebSocket --- */

#define UPGRADE \
    "location /ws { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;" \
    " proxy_set_header Connection \"upgrade\"; proxy_read_timeout 20s;" \
    " proxy_pass http://127.0.0.1:@origin@; }"

#define ASK \
    ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /ws\n:authority: h\n" \
    "sec-websocket-version: 13\nsec-websocket-protocol: chat\n"

static void switch_and_echo(visit_t *v)
{
    char bytes[16384];
    size_t n;
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                  "Sec-WebSocket-Protocol: chat\r\n\r\nhello");
    while ((n = visit_read(v, bytes, sizeof(bytes))) && visit_send_n(v, bytes, n)) continue;
}

E2E(h2_features, a_stream_becomes_a_websocket)
{
    origin_t *o = start(switch_and_echo, UPGRADE);
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, ASK);
    answer_t *a = frames_await(f, 1, 5);
    cr_assert_eq(a->status, 200);
    assert_text(a->body.p, "hello");
    assert_text(frames_field(a->head, "sec-websocket-protocol"), "chat");
    static const char *const ended[] = {"upgrade", "connection", "sec-websocket-accept",
                                        "content-length", "transfer-encoding"};
    for (size_t i = 0; i < 5; i++) cr_assert_null(frames_field(a->head, ended[i]), "%s", ended[i]);
    assert_has(origin_head(o, 0), "GET /ws HTTP/1.1\r\n");
    assert_text(origin_field(o, 0, "Upgrade"), "websocket");
    cr_assert_eq(strlen(origin_field(o, 0, "Sec-WebSocket-Key")), 24);
    assert_text(origin_field(o, 0, "Sec-WebSocket-Version"), "13");
    for (unsigned i = 1; i <= 50; i++) {
        frames_data(f, 1, 0, STR("some bytes"));
        cr_assert_eq(frames_await(f, 1, 5 + 10 * i)->body.n, 5 + 10 * i);
    }
    frames_assert_well(f, 3); /* beside it */
    frames_data(f, 1, FRAMES_END_STREAM, STR("last"));
    frames_answer(f, 1);
    cr_assert(a->ended);
    cr_assert(str_ends(a->body, STR("last")));
    cr_assert(origin_await_left(o, 1));
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "\"CONNECT /ws HTTP/2.0\" 101 ")));
}

/* More than windows hold: each side has to wait for the other. */
E2E(h2_features, a_websocket_waits_for_slow_sides)
{
    start(switch_and_echo, UPGRADE);
    frames_t *f = frames_open("http");
    str_t data = pattern(400000);
    frames_head(f, 1, 0, ASK);
    frames_await(f, 1, 5);
    for (size_t at = 0; at < data.n; at += 10000) {
        frames_data(f, 1, 0, str_sub(data, at, at + 10000));
        frames_await(f, 1, 5 + at + 10000);
    }
    frames_data(f, 1, FRAMES_END_STREAM, STR(""));
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->ended && str_eq(str_sub(a->body, 5, a->body.n), data));
}

E2E(h2_features, a_reset_ends_a_websocket)
{
    origin_t *o = start(switch_and_echo, UPGRADE);
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, ASK);
    frames_await(f, 1, 5);
    frames_number(f, FRAME_RST_STREAM, 1, CODE_CANCEL);
    cr_assert(origin_await_left(o, 1));
    frames_head(f, 3, 0, ASK);
    frames_await(f, 3, 5);
    frames_close(f);
    cr_assert(origin_await_left(o, 2));
}

static void refuse(visit_t *v)
{
    while (visit_request(v)) visit_send(v, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
}

E2E(h2_features, a_refused_websocket_is_an_ordinary_reply)
{
    start(refuse, UPGRADE);
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, ASK);
    answer_t *a = frames_answer(f, 1);
    cr_assert(a->status == 403 && a->ended);
    assert_text(a->body.p, "no");
}

/* Nobody becomes a tunnel who has not asked for one. */
E2E(h2_features, an_upgrade_is_not_asked_for_without_the_client)
{
    origin_t *o = start(origin_echo, "location /ws { proxy_set_header Upgrade websocket;"
                                     " proxy_set_header Connection upgrade;"
                                     " proxy_pass http://127.0.0.1:@origin@; }");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/ws"));
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    cr_assert_null(origin_field(o, 0, "Upgrade"));
}

/* --- directives --- */

E2E(h2_features, obsolete_directives_are_accepted_with_a_warning)
{
    start(origin_echo, "http2_idle_timeout 1m; http2_push off; http2_max_requests 10;"
                       " http2_max_field_size 4k; http2_max_header_size 16k;"
                       " http2_recv_timeout 30s;"
                       " http2_max_concurrent_pushes 1; http2_push_preload off; http2_pool_size 4k;"
                       " http2_streams_index_size 32;");
    frames_assert_well(frames_open("http"), 1);
    assert_has(file_read("stderr.txt"), "\"http2_push\" is obsolete and ignored");
    assert_has(file_read("stderr.txt"), "\"http2_idle_timeout\" is obsolete and ignored");
}

E2E(h2_features, listen_http2_speaks_both_versions)
{
    subject_http("", "http2_recv_buffer_size 64k;\n"
                     "server { listen 127.0.0.1:@http@ http2; location / { return 200 hello; } }");
    frames_assert_well(frames_open("http"), 1);
    assert_text(fetch_get("http://127.0.0.1:@http@/")->body.p, "hello");
}

/* --- over TLS --- */

static CURL *secure_fetch(const char *path)
{
    CURL *c = fetch_new(text("https://127.0.0.1:@tls@%s", path));
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    return c;
}

E2E(h2_features, is_agreed_on_in_the_handshake)
{
    enum { SIZE = 3000000 };
    certify("a.test", NULL, "");
    file_fill("large", SIZE);
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@tls@ ssl; http2 on; client_max_body_size 0;"
                     " ssl_certificate @dir@/a.test.pem; ssl_certificate_key @dir@/a.test.key;"
                     " root @dir@; location = / { return 200 \"$scheme $http2 $server_protocol\"; }"
                     " location /o { proxy_pass http://127.0.0.1:@origin@; } }");
    CURL *c = secure_fetch("/");
    assert_text(fetch(c)->body.p, "https h2 HTTP/2.0");
    fetched_t *f = fetch(c);
    assert_text(f->body.p, "https h2 HTTP/2.0");
    cr_assert_eq(f->connects, 0);
    cr_assert(str_eq(fetch(secure_fetch("/large"))->body, pattern(SIZE)));
    str_t data = pattern(SIZE);
    c = secure_fetch("/o");
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)data.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, data.p);
    cr_assert(str_ends(fetch(c)->body, data));
    cr_assert(str_eq(origin_body(o, 0), data));
    c = secure_fetch("/");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    assert_text(fetch(c)->body.p, "https  HTTP/1.1");
}

/* --- other clients --- */

/* Runs a program to its end; its output. */
static const char *run(const char *const argv[])
{
    int status = -1;
    unlink(file_path("client.txt"));
    pid_t pid = keeper_run(argv, harness_dir(), file_path("client.txt"));
    cr_assert(pid > 0 && keeper_wait(pid, PATIENCE_MS, &status), "%s does not end", argv[0]);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s:\n%s", argv[0],
              file_read("client.txt"));
    return file_read("client.txt");
}

E2E(h2_features, nghttp_reads_a_page)
{
    start(origin_echo, "");
    const char *url = harness_expand("http://127.0.0.1:@http@/o");
    const char *argv[] = {"nghttp", "-v", "-H", "x-own: 1", "--trailer", "x-end: 2", "-d",
                          file_path("body"), url, NULL};
    file_write("body", "a body");
    const char *said = run(argv);
    assert_has(said, ":status: 200");
    assert_has(said, "a body");
    assert_has(said, "x-own: 1");
}

E2E(h2_features, h2load_has_no_failures)
{
    start(origin_echo, "");
    const char *argv[] = {"h2load", "-n", "2000", "-c", "4", "-m", "16", "-t", "1",
                          harness_expand("http://127.0.0.1:@http@/o"), NULL};
    assert_has(run(argv), "2000 succeeded, 0 failed, 0 errored, 0 timeout");
}

E2E(h2_features, node_asks_and_uploads)
{
    start(origin_echo, "client_max_body_size 10m;");
    file_write("client.js",
               "const http2 = require('http2');\n"
               "const session = http2.connect('http://127.0.0.1:@http@');\n"
               "let left = 20;\n"
               "for (let i = 0; i < 20; i++) {\n"
               "    const body = Buffer.alloc(100000 + i, 'b');\n"
               "    const ask = session.request({':method': 'POST', ':path': '/o/' + i});\n"
               "    let n = 0, status;\n"
               "    ask.on('response', head => status = head[':status']);\n"
               "    ask.on('data', data => n += data.length);\n"
               "    ask.on('end', () => {\n"
               "        if (status !== 200 || n < body.length) process.exit(1);\n"
               "        if (--left === 0) { console.log('all is well'); session.close(); }\n"
               "    });\n"
               "    ask.end(body);\n"
               "}\n");
    const char *argv[] = {"node", file_path("client.js"), NULL};
    assert_has(run(argv), "all is well");
}

E2E(h2_features, curl_uploads_and_unpacks)
{
    origin_t *o = start(origin_echo, "gzip on; gzip_types *; client_max_body_size 10m;"
                                     " location = /missing { return 404; }"
                                     " error_page 404 /page; location = /page { return 200 gone;"
                                     " }");
    CURL *c = fetch_new("http://127.0.0.1:@http@/o");
    str_t data = pattern(3000000);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)data.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, data.p);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->code, CURLE_OK, "%s", curl_easy_strerror(f->code));
    assert_has(f->head, "content-encoding: gzip");
    cr_assert(str_ends(f->body, data));
    cr_assert(str_eq(origin_body(o, 0), data));
    c = fetch_new("http://127.0.0.1:@http@/missing");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    f = fetch(c);
    cr_assert_eq(f->status, 404);
    assert_text(f->body.p, "gone");
}
