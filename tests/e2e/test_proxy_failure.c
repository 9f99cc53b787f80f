/* Origins that cannot be reached, do not answer, or leave; clients that leave. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *http_level, const char *location)
{
    subject_http("", text("log_format f '$status $upstream_addr $upstream_status';"
                          "access_log @dir@/a.log f; %s\n"
                          "server { listen 127.0.0.1:@http@; location / { %s } }",
                          http_level, location));
}

/* The n-th line of the access log, from 0. */
static const char *logged(unsigned n)
{
    const char *log = NULL;
    unsigned lines = 0;
    bool there = EVENTUALLY(({
        log = file_read("a.log");
        lines = 0;
        for (const char *p = log; (p = strchr(p, '\n')); p++) lines++;
        lines > n;
    }));
    cr_assert(there, "only %u lines in the access log", lines);
    while (n--) log = strchr(log, '\n') + 1;
    return text("%.*s", (int)strcspn(log, "\n"), log);
}

E2E(failure, refused_connections_are_a_502)
{
    start("", "proxy_pass http://127.0.0.1:@dead@;");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("connect() failed (111: Connection refused) while connecting to upstream, "
                      "client: 127.0.0.1, server: , request: \"GET / HTTP/1.1\", upstream: "
                      "\"http://127.0.0.1:");
    assert_text(logged(0), text("502 127.0.0.1:%u 502", harness_port("dead")));
}

E2E(failure, a_missing_unix_socket_is_a_502)
{
    subject_tolerate("connect() to unix:");
    start("", "proxy_pass http://unix:@dir@/none.sock;");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("(2: No such file or directory) while connecting to upstream");
}

E2E(failure, silence_is_a_504)
{
    origin_t *o = origin_start("origin", origin_silent, NULL);
    start("", "proxy_read_timeout 300ms; proxy_pass http://127.0.0.1:@origin@;");
    cr_assert_eq(wire_get("http", "/")->status, 504);
    cr_assert(origin_await_left(o, 1));
    subject_log_await(
        "upstream timed out (110: Connection timed out) while reading response header "
        "from upstream, client: 127.0.0.1");
}

static void half_then_silence(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    visit_await_left(v);
}

E2E(failure, silence_in_a_body_breaks_the_answer)
{
    origin_start("origin", half_then_silence, NULL);
    start("", "proxy_read_timeout 300ms; proxy_pass http://127.0.0.1:@origin@;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_try_reply(w, "GET")->broken);
    subject_log_await("upstream timed out (110: Connection timed out) while reading upstream");
}

E2E(failure, connecting_takes_no_longer_than_allowed)
{
    int fds[4];
    origin_deaf("full", fds, 4);
    start("", "proxy_connect_timeout 300ms; proxy_pass http://127.0.0.1:@full@;");
    cr_assert_eq(wire_get("http", "/")->status, 504);
    subject_log_await(
        "upstream timed out (110: Connection timed out) while connecting to upstream");
    for (int i = 0; i < 4; i++) close(fds[i]);
}

static void never_read(visit_t *v)
{
    visit_gate(v);
}

E2E(failure, sending_takes_no_longer_than_allowed)
{
    origin_t *o = origin_start("origin", never_read, NULL);
    start("client_max_body_size 0;",
          "proxy_send_timeout 300ms; proxy_pass http://127.0.0.1:@origin@;");
    wire_t *w = wire_open("http");
    str_t body = pattern(20000000);
    wire_send(w, text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body.n));
    wire_try_send(w, body);
    cr_assert_eq(wire_reply(w)->status, 504);
    subject_log_await(
        "upstream timed out (110: Connection timed out) while sending request to upstream");
    origin_open_gate(o);
}

/* --- the next one --- */

static void close_at_once(visit_t *v)
{
    visit_read_head(v);
}

E2E(failure, the_next_origin_is_tried)
{
    origin_start("bad", close_at_once, NULL);
    origin_t *good = origin_start("good", origin_echo, NULL);
    start(
        "upstream u { server 127.0.0.1:@dead@; server 127.0.0.1:@bad@; server 127.0.0.1:@good@; }",
        "proxy_pass http://u;");
    for (int i = 0; i < 6; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_requests(good), 6);
    assert_text(logged(0), text("200 127.0.0.1:%u, 127.0.0.1:%u, 127.0.0.1:%u 502, 502, 200",
                                harness_port("dead"), harness_port("bad"), harness_port("good")));
}

E2E(failure, what_is_not_idempotent_is_not_repeated)
{
    origin_t *bad = origin_start("bad", close_at_once, NULL);
    origin_t *good = origin_start("good", origin_echo, NULL);
    const char *group =
        "upstream u%d { server 127.0.0.1:@bad@ max_fails=0; server 127.0.0.1:@good@ backup; }";
    subject_http("",
                 text("%s %s server { listen 127.0.0.1:@http@; location / { proxy_pass http://u0; }"
                      " location /again { proxy_next_upstream error timeout non_idempotent;"
                      " proxy_pass http://u1; } }",
                      text(group, 0), text(group, 1)));
    static const char post[] = " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
    cr_assert_eq(wire_ask("http", text("POST /%s", post))->status, 502);
    cr_assert_eq(origin_requests(good), 0);
    cr_assert_eq(wire_ask("http", text("POST /again%s", post))->status, 200);
    assert_text(origin_body(good, 0).p, "body");
    cr_assert_eq(
        wire_ask("http", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")->status,
        200);
    cr_assert_eq(origin_connections(bad), 3);
}

E2E(failure, statuses_can_be_a_reason_to_try_the_next)
{
    origin_t *busy =
        origin_start("busy", origin_say, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    origin_start("good", origin_say, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    const char *group =
        "upstream u%d { server 127.0.0.1:@busy@ max_fails=0; server 127.0.0.1:@good@ backup; }";
    subject_http(
        "", text("%s %s %s server { listen 127.0.0.1:@http@;"
                 " location / { proxy_pass http://u0; }"
                 " location /next { proxy_next_upstream http_502 http_503; proxy_pass http://u1; }"
                 " location /off { proxy_next_upstream off; proxy_pass http://u2; } }",
                 text(group, 0), text(group, 1), text(group, 2)));
    assert_text(wire_get("http", "/")->body.p, "busy");
    assert_text(wire_get("http", "/next")->body.p, "good");
    assert_text(wire_get("http", "/off")->body.p, "busy");
    cr_assert_eq(origin_requests(busy), 3);
}

E2E(failure, tries_and_time_are_limited)
{
    origin_t *a = origin_start("a", close_at_once, NULL),
             *b = origin_start("b", close_at_once, NULL);
    origin_t *c = origin_start("c", close_at_once, NULL);
    origin_t *silent = origin_start("silent", origin_silent, NULL);
    origin_t *more = origin_start("more", origin_echo, NULL);
    subject_http("",
                 "upstream u { server 127.0.0.1:@a@; server 127.0.0.1:@b@; server 127.0.0.1:@c@; }"
                 "upstream t { server 127.0.0.1:@silent@; server 127.0.0.1:@more@ backup; }"
                 "server { listen 127.0.0.1:@http@;"
                 "location / { proxy_next_upstream_tries 2; proxy_pass http://u; }"
                 "location /time { proxy_read_timeout 400ms; proxy_next_upstream_timeout 200ms;"
                 " proxy_pass http://t; } }");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    cr_assert_eq(origin_connections(a) + origin_connections(b) + origin_connections(c), 2);
    cr_assert_eq(wire_get("http", "/time")->status, 504);
    cr_assert_eq(origin_connections(silent), 1);
    cr_assert_eq(origin_connections(more), 0);
}

E2E(failure, an_origin_that_failed_rests)
{
    origin_t *good = origin_start("good", origin_echo, NULL),
             *bad = origin_start("bad", close_at_once, NULL);
    start("upstream u { server 127.0.0.1:@bad@ max_fails=2 fail_timeout=60s; server "
          "127.0.0.1:@good@; }",
          "proxy_pass http://u;");
    for (int i = 0; i < 10; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_connections(bad), 2);
    cr_assert_eq(origin_requests(good), 10);
    subject_log_await("upstream server temporarily disabled");
}

/* --- connections that were kept --- */

static void close_when_idle(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (visit_number(v) == 0 && visit_read_head(v)) return; /* takes a second one, and leaves */
    while (visit_request(v)) visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

E2E(failure, a_stale_kept_connection_is_replaced)
{
    origin_t *o = origin_start("origin", close_when_idle, NULL);
    start("", "proxy_pass http://127.0.0.1:@origin@;");
    for (int i = 0; i < 4; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_connections(o), 2);
}

static void close_after_one(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* GET only: what is not idempotent and met the close on its way must not be sent again. */
E2E(failure, an_origin_that_closes_after_each_answer)
{
    origin_t *o = origin_start("origin", close_after_one, NULL);
    start("", "proxy_pass http://127.0.0.1:@origin@;");
    for (int i = 0; i < 100; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_requests(o), 100);
}

/* --- clients that leave --- */

E2E(failure, a_client_that_left_is_a_499)
{
    origin_t *o = origin_start("origin", origin_silent, NULL);
    start("", "proxy_pass http://127.0.0.1:@origin@;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_head(o, 0);
    wire_close(w);
    cr_assert(origin_await_left(o, 1));
    assert_has(logged(0), "499 127.0.0.1:");
    subject_log_await("client prematurely closed connection");
}

static void answer_when_told(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_gate(v);
    visit_send(v, "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
    visit_await_left(v);
}

E2E(failure, client_abort_can_be_ignored)
{
    origin_t *o = origin_start("origin", answer_when_told, NULL);
    start("", "proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:@origin@;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_head(o, 0);
    wire_close(w);
    cr_assert(!wire_readable(wire_open("http"), 100));
    origin_open_gate(o);
    assert_has(logged(0), text("201 127.0.0.1:%u 201", harness_port("origin")));
}

/* A client may send the end of its side and wait for the answer all the same (RFC 9112 9.6). */
E2E(failure, a_half_closed_client_with_abort_ignored_gets_its_answer)
{
    origin_t *o = origin_start("origin", answer_when_told, NULL);
    start("", "proxy_ignore_client_abort on; proxy_pass http://127.0.0.1:@origin@;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    wire_shut(w);
    origin_head(o, 0);
    origin_open_gate(o);
    cr_assert_eq(wire_reply(w)->status, 201);
}
