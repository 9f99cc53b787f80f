/* What becomes of an origin's answer: framing, truncation, malformed ones, buffering. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(origin_fn *serve, const void *arg, const char *location)
{
    origin_t *o = origin_start("origin", serve, arg);
    subject_http("", text("server { listen 127.0.0.1:@http@; location /ok { return 200 ok; }"
                          " location / { %s proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
    return o;
}

/* An array of answers; "/N" asks for the N-th, after which the connection closes. */
static void say_chosen(visit_t *v)
{
    const char *const *answers = visit_arg(v);
    if (visit_request(v)) visit_send(v, answers[atoi(visit_head(v) + strlen("GET /"))]);
}

static const char *ask_number(size_t i)
{
    return text("GET /%zu HTTP/1.1\r\nHost: h\r\n\r\n", i);
}

E2E(answer, malformed_ones_are_a_502)
{
    static const char *const answers[] = {
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nok\r\n0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nNo-Colon\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\x01z\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\rz: b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: cut off",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 103 Early\r\n\r\n",
    };
    start(say_chosen, answers, "");
    wire_t *w = wire_open("http");
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        wire_send(w, ask_number(i));
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 502, "%d for:\n%s", r->status, answers[i]);
    }
}

E2E(answer, unusual_ones_are_taken)
{
    static const struct {
        const char *answer;
        int status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
        {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
        {"HTTP/1.1 299 Un\xc3\xbcsual\r\nContent-Length: 2\r\n\r\nok", 299, "ok"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 200, ""},
        {"HTTP/1.1 599 X\r\nContent-Length:\t 2 \t\r\n\r\nok", 599, "ok"},
        {"HTTP/1.1 200 OK\r\nEmpty:\r\nContent-Length: 0\r\n\r\n", 200, ""},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1;x\r\no\r\n01\r\nk\r\n00\r\n\r\n",
         200, "ok"},
    };
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    static const char *answers[COUNT];
    for (size_t i = 0; i < COUNT; i++) answers[i] = cases[i].answer;
    start(say_chosen, answers, "");
    wire_t *w = wire_open("http");
    for (size_t i = 0; i < COUNT; i++) {
        wire_send(w, ask_number(i));
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, cases[i].status, "%d for:\n%s", r->status, answers[i]);
        assert_text(r->body.p, cases[i].body);
    }
}

E2E(answer, truncated_ones_are_never_whole)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfway\r\n0\r\n\r\n",
    };
    start(say_chosen, answers, "proxy_http_version 1.1;");
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        wire_t *w = wire_open("http");
        wire_send(w, ask_number(i));
        reply_t *r = wire_try_reply(w, "GET");
        cr_assert(r->broken || r->status == 502, "taken for whole: %s", answers[i]);
        cr_assert(wire_closed(w) || r->status == 502);
        w = wire_open("http");
        wire_send(w, text("GET /%zu HTTP/1.0\r\nHost: h\r\n\r\n", i));
        r = wire_try_reply(w, "GET");
        cr_assert(r->broken || r->status == 502 || wire_was_reset(w), "whole in 1.0: %s",
                  answers[i]);
        CURL *c = fetch_new(text("http://127.0.0.1:@http@/%zu", i));
        fetched_t *f = fetch(c);
        cr_assert(f->code != CURLE_OK || f->status == 502, "curl takes it for whole: %s",
                  answers[i]);
    }
    subject_log_await("upstream prematurely closed connection");
}

static void reset_midway(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
    visit_gate(v);
    visit_reset(v);
}

E2E(answer, a_reset_is_not_the_end_of_a_body)
{
    origin_t *o = start(reset_midway, NULL, "proxy_buffering off;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_readable(w, PATIENCE_MS));
    origin_open_gate(o);
    cr_assert(wire_try_reply(w, "GET")->broken);
}

static void say_large(visit_t *v)
{
    enum { PIECE = 10000, PIECES = 300 };
    char piece[PIECE + 32], head[128];
    while (visit_request(v)) {
        bool chunked = visit_target_is(v, "/chunked");
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
                 chunked ? "Transfer-Encoding: chunked" : "Content-Length: 3000000");
        visit_send(v, head);
        for (int i = 0; i < PIECES; i++) {
            int n = chunked ? snprintf(piece, 16, "%x\r\n", PIECE) : 0;
            memset(piece + n, 'a' + i % 26, PIECE);
            memcpy(piece + n + PIECE, "\r\n", 2);
            if (!visit_send_n(v, piece, (size_t)n + PIECE + (chunked ? 2 : 0))) return;
        }
        if (chunked) visit_send(v, "0\r\n\r\n");
    }
}

static void check_large(const reply_t *r)
{
    cr_assert_eq(r->body.n, 3000000);
    for (size_t i = 0; i < r->body.n; i += 997)
        cr_assert_eq(r->body.p[i], (char)('a' + i / 10000 % 26), "at %zu", i);
}

E2E(answer, large_ones_arrive_whole)
{
    origin_t *o = start(say_large, NULL, "proxy_http_version 1.1;");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 4; i++) {
        wire_send(w, text("GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", i % 2 ? "chunked" : "length"));
        check_large(wire_reply(w));
    }
    cr_assert_leq(origin_connections(o), 4);
}

E2E(answer, large_ones_arrive_whole_through_small_buffers)
{
    start(say_large, NULL, "proxy_http_version 1.1; proxy_buffer_size 4k; proxy_buffers 4 4k;");
    check_large(wire_get("http", "/length"));
    check_large(wire_get("http", "/chunked"));
}

E2E(answer, large_ones_arrive_whole_unbuffered)
{
    start(say_large, NULL, "proxy_http_version 1.1; proxy_buffering off;");
    check_large(wire_get("http", "/length"));
    check_large(wire_get("http", "/chunked"));
}

/* A client that reads slowly holds the origin only as far as the buffers do not reach. */
E2E(answer, buffers_free_the_origin)
{
    origin_start("origin", origin_say_once,
                 text("HTTP/1.1 200 OK\r\nConnection: close\r\n"
                      "Content-Length: 400000\r\n\r\n%s",
                      pattern(400000).p));
    subject_http("",
                 "log_format t $upstream_status; server { listen 127.0.0.1:@http@ sndbuf=8k;"
                 " location / { proxy_buffers 64 8k; proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_narrow(w, 4096);
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_readable(w, PATIENCE_MS));
    reply_t *r = wire_reply(w);
    cr_assert(str_eq(r->body, pattern(400000)));
}

static void say_in_two(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v,
               visit_arg(v) ? visit_arg(v) : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
    visit_gate(v);
    visit_send(v, "later");
    visit_await_left(v);
}

static void check_first_part_comes(origin_t *o)
{
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    wire_through(w, "first");
    origin_open_gate(o);
    assert_text(wire_bytes(w, 5).p, "later");
}

E2E(answer, unbuffered_parts_are_passed_on_at_once)
{
    check_first_part_comes(start(say_in_two, NULL, "proxy_buffering off;"));
}

E2E(answer, x_accel_buffering_decides_for_one_answer)
{
    check_first_part_comes(start(say_in_two,
                                 "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"
                                 "Content-Length: 10\r\n\r\nfirst",
                                 ""));
}

/* Larger than proxy_buffer_size is not a 502. */
E2E(answer, heads_may_be_large)
{
    const char *field = pattern(3000).p, *head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    for (int i = 0; i < 10; i++) head = text("%sX-%d: %s\r\n", head, i, field);
    start(origin_say, text("%s\r\nok", head), "proxy_buffer_size 4k; proxy_buffers 8 4k;");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 2; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 200);
        assert_text(wire_field(r, "X-9"), field);
        assert_text(r->body.p, "ok");
    }
}

static void endless_head(visit_t *v)
{
    char field[1100];
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\n");
    memset(field, 'x', sizeof(field));
    memcpy(field, "X: ", 3);
    memcpy(field + sizeof(field) - 2, "\r\n", 2);
    for (int i = 0; i < 100000 && visit_send_n(v, field, sizeof(field)); i++) continue;
}

E2E(answer, heads_without_end_are_a_502)
{
    start(endless_head, NULL, "");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("upstream sent too big header while reading response header from upstream");
}

static void answer_before_body(visit_t *v)
{
    if (!visit_read_head(v)) return;
    visit_send(v, "HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop");
    visit_shut(v);
    visit_gate(v);
}

E2E(answer, may_come_before_the_body_has_gone)
{
    start(answer_before_body, NULL, "proxy_request_buffering off; client_max_body_size 0;");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n");
    wire_try_send(w, pattern(100000));
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 413);
    assert_text(r->body.p, "stop");
    wire_close(w);
    w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    cr_assert_eq(wire_reply(w)->status, 413);
}

E2E(answer, intercepted_errors_get_our_page)
{
    start(origin_say, "HTTP/1.1 503 Down\r\nContent-Length: 6\r\nRetry-After: 3\r\n\r\norigin",
          "error_page 503 =418 /ok; proxy_intercept_errors on;");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 418);
    assert_text(r->body.p, "ok");
}

E2E(answer, errors_are_passed_on_otherwise)
{
    start(origin_say, "HTTP/1.1 503 Down\r\nContent-Length: 6\r\n\r\norigin",
          "error_page 503 /ok;");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 503);
    assert_text(r->body.p, "origin");
}

E2E(answer, cookies_get_their_flags)
{
    origin_start("origin", origin_say,
                 "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/two/; Domain=o.test\r\n"
                 "Set-Cookie: b=2; Secure\r\nContent-Length: 0\r\n\r\n");
    subject_http("", "server { listen 127.0.0.1:@http@; proxy_cookie_flags a secure samesite=lax;"
                     "proxy_cookie_flags ~ nosecure; proxy_cookie_path /two/ /;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; }"
                     "location /off { proxy_cookie_flags off;"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    assert_text(wire_field(wire_get("http", "/"), "Set-Cookie"),
                "a=1; Path=/; Domain=o.test; Secure; SameSite=Lax, b=2");
    assert_text(wire_field(wire_get("http", "/off"), "Set-Cookie"),
                "a=1; Path=/; Domain=o.test, b=2; Secure");
}
