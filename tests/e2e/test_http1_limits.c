/* Limits of size and time on what clients send, and how they are told. */
#include <signal.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *server)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; %s\n"
                          "location / { return 200 $request_length; } }",
                          server));
}

static const char *filled(size_t n)
{
    return pattern(n).p;
}

static const char *letters(size_t n)
{
    char *p = pool_bytes(harness_pool, n + 1);
    memset(p, 'a', n);
    p[n] = '\0';
    return p;
}

static void closes_with(const char *request, int status)
{
    wire_t *w = wire_open("http");
    wire_try_send(w, str_of(request));
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, status, "%d instead of %d", r->status, status);
    cr_assert(wire_closed(w));
}

E2E(limits, sizes_of_heads)
{
    start("client_header_buffer_size 1k; large_client_header_buffers 4 8k;");
    const char *fits = text("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", letters(8000));
    cr_assert_eq(wire_ask("http", fits)->status, 200);
    closes_with(text("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", letters(9000)), 414);
    fits =
        text("GET / HTTP/1.1\r\nHost: h\r\nA: %s\r\nB: %s\r\n\r\n", letters(7000), letters(7000));
    cr_assert_eq(wire_ask("http", fits)->status, 200);
    const char *field = text("GET / HTTP/1.1\r\nHost: h\r\nA: %s\r\n\r\n", letters(9000));
    wire_t *w = wire_open("http");
    wire_send(w, field);
    int status = wire_reply(w)->status;
    cr_assert(status == 431 || status == 400, "%d", status);
    const char *many =
        text("GET / HTTP/1.1\r\nHost: h\r\nA: %s\r\nB: %s\r\nC: %s\r\nD: %s\r\nE: %s\r\n\r\n",
             letters(7000), letters(7000), letters(7000), letters(7000), letters(7000));
    closes_with(many, 431);
}

/* An attacker's endless head ends without the memory for it. */
E2E(limits, heads_without_end)
{
    start("large_client_header_buffers 4 8k;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 2000 && wire_try_send(w, str_of(text("X-%d: %s\r\n", i, letters(50)))); i++)
        continue;
    cr_assert_eq(wire_reply(w)->status, 431);
}

E2E(limits, client_max_body_size)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; client_max_body_size 100;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; }"
                     " location /more { client_max_body_size 1k;"
                     " proxy_pass http://127.0.0.1:@origin@; }"
                     " location /any { client_max_body_size 0;"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    const char *request =
        text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n%s", filled(100));
    cr_assert_eq(wire_ask("http", request)->status, 200);
    closes_with(text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n%s", filled(101)),
                413);
    closes_with(
        text(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n%s\r\n0\r\n\r\n",
            filled(101)),
        413);
    closes_with(
        text("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n%s\r\n40\r\n%s"
             "\r\n0\r\n\r\n",
             filled(50), filled(64)),
        413);
    request = text("POST /more HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n%s", filled(101));
    cr_assert_eq(wire_ask("http", request)->status, 200);
    request =
        text("POST /any HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n%s", filled(2000000));
    cr_assert_eq(wire_ask("http", request)->status, 200);
    cr_assert_eq(origin_requests(o), 3);
    subject_log_await("client intended to send too large body: 101 bytes, client: 127.0.0.1");
}

E2E(limits, client_header_timeout)
{
    start("client_header_timeout 1s;");
    wire_t *silent = wire_open("http"), *half = wire_open("http");
    wire_send(half, "GET / HTTP/1.1\r\nHost: ");
    cr_assert_eq(wire_reply(half)->status, 408);
    cr_assert(wire_closed(half));
    cr_assert(wire_closed(silent), "nothing was asked, so nothing is answered");
}

/* A head that trickles does not move its deadline. */
E2E(limits, client_header_timeout_is_for_the_whole_head)
{
    start("client_header_timeout 1s;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    for (int i = 0; i < 1500 && !wire_readable(w, 20); i++) wire_try_send(w, STR("x"));
    cr_assert_eq(wire_reply(w)->status, 408);
}

E2E(limits, client_body_timeout)
{
    origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; client_body_timeout 300ms;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; } }");
    closes_with("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf", 408);
    subject_log_await("client timed out");
}

/* A client that does not read its answer is left after send_timeout. */
E2E(limits, send_timeout)
{
    file_fill("big", 20000000);
    subject_http("", "log_format t $status:$body_bytes_sent; access_log @dir@/a.log t;"
                     "server { listen 127.0.0.1:@http@ sndbuf=16k; send_timeout 300ms;"
                     " reset_timedout_connection on; root @dir@; }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    subject_log_await("client timed out");
    wire_rest(w);
    cr_assert(wire_was_reset(w), "reset_timedout_connection on");
    cr_assert(EVENTUALLY(file_read("a.log")[0]));
}

E2E(limits, request_length_counts_head_and_body)
{
    start("");
    const char *request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_text(wire_ask("http", request)->body.p, text("%zu", strlen(request)));
}

E2E(limits, client_body_in_files)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "client_body_temp_path @dir@/bodies 1 2;\n"
                     "server { listen 127.0.0.1:@http@; client_body_buffer_size 8k;"
                     " client_max_body_size 10m; location / { proxy_request_buffering on;"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    str_t body = pattern(1000000);
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    wire_send_n(w, str_sub(body, 0, 999999));
    cr_assert(file_exists("bodies"));
    cr_assert_eq(origin_requests(o), 0);
    wire_send_n(w, str_sub(body, 999999, body.n));
    cr_assert_eq(wire_reply(w)->status, 200);
    cr_assert(str_eq(origin_body(o, 0), body));
    cr_assert(origin_field(o, 0, "Content-Length"));
}

E2E(limits, worker_connections)
{
    subject_tolerate("worker_connections are not enough");
    subject_start(
        "error_log error.log info; worker_processes 1; events { worker_connections 10; }\n"
        "http { access_log off;"
        " server { listen 127.0.0.1:@http@; location / { return 200 ok; } } }");
    wire_t *w[16];
    for (int i = 0; i < 16; i++) w[i] = wire_open("http");
    subject_log_await("worker_connections are not enough");
    for (int i = 0; i < 16; i++) wire_close(w[i]);
    cr_assert(EVENTUALLY(({
        wire_t *again = wire_open("http");
        bool sent = wire_try_send(again, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        reply_t *r = sent ? wire_try_reply(again, "GET") : NULL;
        wire_close(again);
        r && r->status == 200;
    })));
}
