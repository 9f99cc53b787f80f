/* Connections to origins that are kept: for how long, how often, how many; and those that the
   origin has closed meanwhile. */
#include <signal.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void start(const char *group)
{
    subject_http("", text("upstream u { server 127.0.0.1:@origin@; %s }"
                          "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }",
                          group));
}

static void get(void)
{
    cr_assert_eq(wire_get("http", "/")->status, 200);
}

/* --- limits --- */

E2E(keepalive, requests_are_counted)
{
    origin_t *o = origin_start("origin", origin_say, ok);
    start("keepalive_requests 3;");
    for (int i = 0; i < 9; i++) get();
    cr_assert_eq(origin_connections(o), 3);
    cr_assert(origin_await_left(o, 3));
}

E2E(keepalive, an_idle_connection_ends_in_time)
{
    origin_t *o = origin_start("origin", origin_say, ok);
    start("keepalive_timeout 100ms;");
    get();
    cr_assert(origin_await_left(o, 1));
    get();
    cr_assert_eq(origin_connections(o), 2);
}

E2E(keepalive, an_old_connection_ends_after_its_request)
{
    origin_t *o = origin_start("origin", origin_say, ok);
    start("keepalive_time 1s; keepalive_timeout 1h;");
    get();
    cr_assert_eq(origin_connections(o), 1);
    pause_ms(1050);
    get();
    cr_assert(origin_await_left(o, 1), "too old to be kept after that one");
    cr_assert_eq(origin_connections(o), 1, "yet good enough for it");
    get();
    cr_assert_eq(origin_connections(o), 2);
}

static void answer_together(visit_t *v)
{
    while (visit_request(v)) {
        visit_gate(v);
        visit_send(v, ok);
    }
}

E2E(keepalive, not_more_are_kept_than_allowed)
{
    enum { CLIENTS = 6, KEPT = 2 };
    wire_t *w[CLIENTS];
    origin_t *o = origin_start("origin", answer_together, NULL);
    start("keepalive 2;");
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    cr_assert(origin_await_connections(o, CLIENTS));
    origin_open_gate(o);
    for (int i = 0; i < CLIENTS; i++) cr_assert_eq(wire_reply(w[i])->status, 200);
    cr_assert(origin_await_left(o, CLIENTS - KEPT));
    for (int i = 0; i < 5; i++) get();
    cr_assert_eq(origin_connections(o), CLIENTS, "those that were kept are used");
}

/* --- closed by the origin --- */

/* Answers one request on each connection and closes it when told, without having said so. */
static void close_when_told(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, ok);
    if (visit_number(v) == 0) visit_gate(v);
    else visit_await_left(v);
}

/* The worker sleeps while the origin closes: it learns of that only together with the request. */
static void ask_a_worker_that_slept(const char *request)
{
    pid_t worker;
    origin_t *o = origin_start("origin", close_when_told, NULL);
    start("");
    get();
    cr_assert_eq(subject_workers(&worker, 1), 1);
    cr_assert_eq(kill(worker, SIGSTOP), 0);
    origin_open_gate(o);
    wire_t *w = wire_open("http");
    wire_send(w, request);
    pause_ms(50); /* for the end to arrive there */
    cr_assert_eq(kill(worker, SIGCONT), 0);
    cr_assert_eq(wire_reply(w)->status, 200);
    cr_assert_eq(origin_connections(o), 2);
    cr_assert_eq(origin_requests(o), 2);
    cr_assert_eq(subject_log_count("[error]"), 0);
}

E2E(keepalive, a_get_does_not_notice_a_closed_connection)
{
    ask_a_worker_that_slept("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

E2E(keepalive, a_post_does_not_notice_a_closed_connection)
{
    ask_a_worker_that_slept("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
}

/* Takes a second request on its first connection and ends it: closed, or with a reset. */
static void leave_with_the_second(visit_t *v)
{
    bool reset = visit_arg(v) != NULL;
    if (!visit_request(v)) return;
    visit_send(v, ok);
    if (visit_number(v) == 0 && visit_read_head(v)) {
        if (reset) visit_reset(v);
        return;
    }
    while (visit_request(v)) visit_send(v, ok);
}

/* RFC 9112 9.3.1: only what is idempotent is sent again, for the origin may have acted upon it. */
static void assert_repeated(const char *request, const void *reset, bool repeated)
{
    origin_t *o = origin_start("origin", leave_with_the_second, reset);
    start("");
    get();
    cr_assert_eq(wire_ask("http", request)->status, repeated ? 200 : 502);
    cr_assert_eq(origin_connections(o), repeated ? 2u : 1u);
}

E2E(keepalive, a_put_is_repeated_on_a_fresh_connection)
{
    assert_repeated("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", NULL, true);
}

E2E(keepalive, a_get_is_repeated_after_a_reset)
{
    assert_repeated("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "reset", true);
}

E2E(keepalive, a_post_that_may_have_arrived_is_not_repeated)
{
    assert_repeated("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", NULL, false);
}

E2E(keepalive, a_post_is_not_repeated_after_a_reset)
{
    assert_repeated("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", "reset", false);
}

/* Half an answer is no stale connection. */
static void half_an_answer(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, ok);
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 O");
}

E2E(keepalive, an_answer_that_has_begun_is_not_asked_for_again)
{
    origin_t *o = origin_start("origin", half_an_answer, NULL);
    start("");
    get();
    cr_assert_eq(wire_get("http", "/")->status, 502);
    cr_assert_eq(origin_requests(o), 2);
    subject_log_await("upstream prematurely closed connection");
}

/* Said by the origin: the connection is not kept at all. */
E2E(keepalive, an_origin_that_closes_is_believed)
{
    origin_t *o = origin_start("origin", origin_say,
                               "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                               "Content-Length: 2\r\n\r\nok");
    start("");
    for (int i = 0; i < 3; i++) get();
    cr_assert(origin_await_left(o, 3));
    cr_assert_eq(origin_connections(o), 3);
}

/* Bytes that nobody asked for make a connection unfit: they would be the next one's answer. */
static void say_too_much(visit_t *v)
{
    while (visit_request(v)) {
        visit_send(v, ok);
        if (visit_number(v) == 0) visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    }
}

E2E(keepalive, what_nobody_asked_for_is_nobody_s_answer)
{
    origin_t *o = origin_start("origin", say_too_much, NULL);
    start("");
    get();
    cr_assert(origin_await_left(o, 1));
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/")->body.p, "ok");
}
