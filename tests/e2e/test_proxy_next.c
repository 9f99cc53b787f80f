/* When another origin is asked: each condition of proxy_next_upstream, bodies, the retry budget. */
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

/* Fails in the way that the target's path names. */
static void fail_as_told(visit_t *v)
{
    char answer[128];
    int status;
    if (!visit_request(v)) return;
    const char *path = strchr(visit_head(v), '/') + 1;
    if (sscanf(path, "http_%3d", &status) == 1) {
        snprintf(answer, sizeof(answer), "HTTP/1.1 %d Bad\r\nContent-Length: 3\r\n\r\nbad", status);
        visit_send(v, answer);
    } else if (strncmp(path, "invalid_header", 14) == 0) {
        visit_send(v, "this is no HTTP\r\n\r\n");
    } else if (strncmp(path, "timeout", 7) == 0) {
        visit_await_left(v);
    } else if (strncmp(path, "reset", 5) == 0) {
        visit_send(v, "HTTP/1.1 200 O");
        visit_reset(v);
    }
}

/* Each condition has its location /C, where it is all there is to proxy_next_upstream, and /C/not,
   where it is missing. */
static const char *const conditions[][3] = {
    /* path, condition, what the client gets without it */
    {"error", "error", "502"},         {"reset", "error", "502"},
    {"timeout", "timeout", "504"},     {"invalid_header", "invalid_header", "502"},
    {"http_500", "http_500", "500"},   {"http_502", "http_502", "502"},
    {"http_503", "http_503", "503"},   {"http_504", "http_504", "504"},
    {"http_403", "http_403", "403"},   {"http_404", "http_404", "404"},
    {"http_429", "http_429", "429"},
};
enum { CONDITIONS = sizeof(conditions) / sizeof(conditions[0]) };

static const char *all_but(const char *condition)
{
    const char *all = "";
    for (unsigned i = 1; i < CONDITIONS; i++)
        if (strcmp(conditions[i][1], condition) != 0)
            all = text("%s %s", all, conditions[i][1]);
    return all;
}

static const char *patience(unsigned condition)
{
    bool timeout = strcmp(conditions[condition][1], "timeout") == 0;
    return timeout ? "proxy_read_timeout 1s;" : "proxy_read_timeout 20s;";
}

E2E(next, each_condition_counts_where_it_is_given)
{
    const char *locations = "";
    origin_start("bad", fail_as_told, NULL);
    origin_start("good", origin_say, good);
    for (unsigned i = 0; i < CONDITIONS; i++)
        locations = text("%slocation /%s { proxy_next_upstream %s; proxy_pass http://u; %s }"
                         "location /%s/not { proxy_next_upstream %s; proxy_pass http://u; %s }",
                         locations, conditions[i][0], conditions[i][1], patience(i),
                         conditions[i][0], all_but(conditions[i][1]), patience(i));
    subject_http("", text("proxy_connect_timeout 20s;"
                          "upstream u { server 127.0.0.1:@bad@ max_fails=0;"
                          " server 127.0.0.1:@good@ backup; }"
                          "server { listen 127.0.0.1:@http@; %s }", locations));
    for (unsigned i = 0; i < CONDITIONS; i++) {
        const char *path = text("/%s", conditions[i][0]);
        reply_t *with = wire_get("http", path), *without = wire_get("http", text("%s/not", path));
        cr_assert(with->status == 200, "%s: %d", path, with->status);
        assert_text(text("%d", without->status), conditions[i][2]);
    }
}

/* What the origin said is worth more than that nobody else can be asked. */
E2E(next, the_last_origin_s_answer_is_the_answer)
{
    origin_start("bad", fail_as_told, NULL);
    subject_http("", "upstream u { server 127.0.0.1:@bad@ max_fails=0;"
                     " server 127.0.0.1:@dead@ fail_timeout=600s; }"
                     "server { listen 127.0.0.1:@http@; location / {"
                     " proxy_next_upstream error http_503; proxy_pass http://u; } }");
    cr_assert(EVENTUALLY(wire_get("http", "/http_503")->status == 503));
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/http_503")->body.p, "bad");
}

/* --- a bad crowd --- */

static void say_garbage(visit_t *v)
{
    static const char *const lines[] = {"\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                                        "HTTP/1.1 99 Low\r\n\r\n", "\x16\x03\x01\x02\x00\x01"};
    if (visit_request(v)) visit_send(v, lines[visit_number(v) % 5]);
}

static void reset_in_the_head(visit_t *v)
{
    if (!visit_read_head(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Le");
    visit_reset(v);
}

static void drip(visit_t *v)
{
    if (!visit_request(v)) return;
    for (const char *p = "HTTP/1.1 200 OK\r\nX-Slow: 1\r\n"; *p; p++) {
        if (!visit_send_n(v, p, 1)) return;
        pause_ms(20);
    }
    visit_await_left(v);
}

/* Whoever comes along, each request ends with one of the two that answer. */
E2E(next, a_bad_crowd_fails_no_request)
{
    static const char *const paths[] = {"GET /a", "HEAD /b", "PUT /c", "DELETE /d", "OPTIONS /e"};
    origin_start("garbage", say_garbage, NULL);
    origin_start("resets", reset_in_the_head, NULL);
    origin_start("hangs", origin_silent, NULL);
    origin_start("drips", drip, NULL);
    origin_start("good", origin_say, good);
    origin_start("better", origin_say, good);
    subject_http("worker_processes 2;",
                 "upstream u { server 127.0.0.1:@garbage@ fail_timeout=2s;"
                 " server 127.0.0.1:@resets@ fail_timeout=2s;"
                 " server 127.0.0.1:@hangs@ fail_timeout=2s;"
                 " server 127.0.0.1:@drips@ fail_timeout=2s;"
                 " server 127.0.0.1:@dead@ fail_timeout=2s;"
                 " server 127.0.0.1:@good@ max_fails=0; server 127.0.0.1:@better@ max_fails=0; }"
                 "server { listen 127.0.0.1:@http@; proxy_read_timeout 500ms;"
                 "proxy_next_upstream error timeout invalid_header; proxy_retry_budget off;"
                 "location / { proxy_pass http://u; } }");
    for (int i = 0; i < 30; i++) {
        const char *request = paths[i % 5];
        bool head = request[0] == 'H';
        wire_t *w = wire_open("http");
        wire_send(w, text("%s HTTP/1.1\r\nHost: h\r\n%s\r\n", request,
                          request[0] == 'P' ? "Content-Length: 0\r\n" : ""));
        reply_t *r = wire_reply_to(w, head ? "HEAD" : "GET");
        cr_assert(r->status == 200, "%s: %d", request, r->status);
        wire_close(w);
    }
}

/* --- bodies --- */

static void take_and_leave(visit_t *v)
{
    visit_request(v);
}

E2E(next, a_body_that_is_held_whole_is_sent_again)
{
    origin_t *bad = origin_start("bad", take_and_leave, NULL);
    origin_t *o = origin_start("good", origin_say, good);
    subject_http("",
                 "client_body_buffer_size 4k; client_max_body_size 0;"
                 "upstream u { server 127.0.0.1:@bad@ max_fails=0; server 127.0.0.1:@good@ backup;"
                 " }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; }"
                 " location /as-it-comes { proxy_request_buffering off; proxy_pass http://u; } }");
    static const size_t sizes[] = {10, 3000, 300000}; /* in memory, and in a file */
    for (unsigned i = 0; i < 3; i++) {
        str_t body = pattern(sizes[i]), got;
        wire_t *w = wire_open("http");
        wire_send(w, text("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body.n));
        wire_send_n(w, body);
        cr_assert_eq(wire_reply(w)->status, 200);
        got = origin_body(o, i);
        cr_assert(str_eq(got, body), "%zu of %zu bytes", got.n, body.n);
    }
    unsigned before = origin_connections(bad);
    wire_t *w = wire_open("http");
    wire_send(w, "PUT /as-it-comes HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    cr_assert(origin_await_connections(bad, before + 1));
    wire_send(w, "dy");
    cr_assert_eq(wire_reply(w)->status, 502, "what has passed by is not held any more");
    cr_assert_eq(origin_requests(o), 3);
}

/* Nothing of the request has reached anybody: whatever the method, it may go to the next. */
E2E(next, a_refused_connection_repeats_nothing)
{
    origin_t *o = origin_start("good", origin_say, good);
    subject_http("", "upstream u { server 127.0.0.1:@dead@ max_fails=0; "
                     " server 127.0.0.1:@good@ backup; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; }"
                     " location /as-it-comes { proxy_request_buffering off; proxy_pass http://u;"
                     " } }");
    static const char *const paths[] = {"/", "/as-it-comes"};
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(wire_ask("http", text("POST %s HTTP/1.1\r\nHost: h\r\n"
                                           "Content-Length: 4\r\n\r\n"
                                           "body", paths[i]))->status, 200);
        assert_text(origin_body(o, i).p, "body");
    }
}

/* --- the retry budget --- */

static void start_with_budget(const char *budget)
{
    subject_http("", text("upstream u { server 127.0.0.1:@bad@ max_fails=0;"
                          " server 127.0.0.1:@good@ backup; }"
                          "server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_next_upstream error http_503; proxy_pass http://u; } }", budget));
}

static unsigned served(const char *path, unsigned n)
{
    unsigned good_ones = 0;
    while (n--) good_ones += wire_get("http", path)->status == 200;
    return good_ones;
}

E2E(next, the_retry_budget_is_a_share_of_the_requests)
{
    origin_start("bad", fail_as_told, NULL);
    origin_t *o = origin_start("good", origin_say, good);
    start_with_budget("proxy_retry_budget 20% min=0;");
    unsigned n = served("/error", 50);
    cr_assert(n >= 5 && n <= 10, "%u retries for 50 requests", n);
    cr_assert_eq(origin_requests(o), n);
    cr_assert_eq(subject_log_count("retry budget of upstream \"u\" is spent (20%, at least 0"), 1);
    reply_t *r = wire_get("http", "/http_503");
    for (int i = 0; i < 10 && r->status == 200; i++) r = wire_get("http", "/http_503");
    assert_text(r->body.p, "bad");
}

E2E(next, the_retry_budget_has_a_floor_and_can_be_off)
{
    origin_start("bad", fail_as_told, NULL);
    origin_start("good", origin_say, good);
    start_with_budget("");
    cr_assert_eq(served("/error", 50), 50, "small sites may always");
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    start_with_budget("proxy_retry_budget 0% min=0;");
    cr_assert_eq(served("/error", 5), 0);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    start_with_budget("proxy_retry_budget off;");
    cr_assert_eq(served("/error", 150), 150);
}

E2E(next, a_wrong_budget_is_refused)
{
    static const char *const wrong[] = {"20", "x%", "20% 5", "off min=1", "2000%", "20% min=x"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_write("x.conf", text("events {} http { proxy_retry_budget %s; }", wrong[i]));
        ran_t r = subject_run("-t -p @dir@/ -c @dir@/x.conf -e @dir@/error.log");
        cr_assert_eq(r.status, 1);
        assert_has(r.output, "x.conf:1:");
        assert_has(r.output, "proxy_retry_budget");
    }
}
