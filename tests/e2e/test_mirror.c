/* Copies of requests, whose answers nobody gets: mirror. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *app, *copy;

static void start(const char *locations)
{
    app = origin_start("app", origin_echo, NULL);
    copy = origin_start("copy", origin_echo, NULL);
    subject_http("", text("client_body_buffer_size 4k; server { listen 127.0.0.1:@http@; %s"
                          " location = /copy { internal; proxy_set_header X-Target $request_uri;"
                          "  proxy_pass http://127.0.0.1:@copy@; } }", locations));
}

E2E(mirror, sends_everything_twice)
{
    start("location / { mirror /copy; proxy_pass http://127.0.0.1:@app@; }");
    cr_assert_eq(wire_get("http", "/plain")->status, 200);
    cr_assert_not_null(origin_head(copy, 0));
    cr_assert_null(origin_field(copy, 0, "Content-Length"), "what has no body has no copy of it");
    reply_t *r = wire_ask("http", "PUT /a?b=1 HTTP/1.1\r\nHost: h\r\nX-Own: own\r\nIf-Match: *\r\n"
                                  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                                  "5\r\nhello\r\n0\r\n\r\n");
    cr_assert_eq(r->status, 200);
    cr_assert(strncmp(origin_head(app, 1), "PUT /a?b=1 HTTP/1.1\r\n", 21) == 0);
    assert_text(origin_body(app, 1).p, "hello");
    cr_assert(strncmp(origin_head(copy, 1), "PUT /copy?b=1 HTTP/1.1\r\n", 24) == 0);
    assert_text(origin_body(copy, 1).p, "hello");
    assert_text(origin_field(copy, 1, "X-Target"), "/a?b=1");
    assert_text(origin_field(copy, 1, "X-Own"), "own");
    assert_text(origin_field(copy, 1, "If-Match"), "*");
}

E2E(mirror, a_large_body_stands_in_a_file_for_both)
{
    static char body[100 * 1000 + 1];
    start("location / { mirror /copy; mirror /copy; proxy_pass http://127.0.0.1:@app@; }");
    str_t bytes = pattern(sizeof(body) - 1);
    memcpy(body, bytes.p, bytes.n);
    wire_t *w = wire_open("http");
    wire_send(w, text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", bytes.n));
    wire_send_n(w, bytes);
    cr_assert_eq(wire_reply_to(w, "POST")->status, 200);
    for (unsigned i = 0; i < 3; i++) {
        str_t got = i < 2 ? origin_body(copy, i) : origin_body(app, 0);
        cr_assert(got.n == bytes.n && memcmp(got.p, bytes.p, bytes.n) == 0, "%u: %zu", i, got.n);
    }
}

E2E(mirror, is_not_waited_for_and_may_fail)
{
    origin_start("never", origin_silent, NULL);
    start("location / { mirror /never; mirror /dead; proxy_pass http://127.0.0.1:@app@; }"
          " location /never { proxy_pass http://127.0.0.1:@never@; proxy_read_timeout 1s; }"
          " location /dead { proxy_pass http://127.0.0.1:@dead@; }"
          " location /bare { mirror /copy; mirror_request_body off;"
          "  proxy_pass http://127.0.0.1:@app@; }"
          " location /off { mirror off; proxy_pass http://127.0.0.1:@app@; }");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 3; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_assert_eq(wire_reply(w)->status, 200);
    }
    subject_log_await("Connection refused");
    reply_t *r = wire_ask("http", "POST /off HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                                  "Connection: close\r\n\r\nab");
    cr_assert_eq(r->status, 200);
    r = wire_ask("http", "POST /bare HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                         "Connection: close\r\n\r\nab");
    cr_assert_eq(r->status, 200);
    cr_assert_not_null(origin_head(copy, 0));
    cr_assert_eq(origin_body(copy, 0).n, 0);
    cr_assert_eq(origin_requests(copy), 1);
}

E2E(mirror, is_checked)
{
    file_write("bad.conf", "events {} http { server { mirror elsewhere; } }");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "bad.conf:1:34: \"elsewhere\" does not begin with \"/\"");
}
