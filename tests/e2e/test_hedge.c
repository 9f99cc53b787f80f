/* proxy_hedge_after: a second server is asked while the first takes long. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char fast[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfast";
static const char slow[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow";

/* The first server is "first", the second one "second". */
static void start(const char *location)
{
    subject_http("", text("log_format f '$status $upstream_addr $upstream_status';"
                          "access_log @dir@/a.log f;"
                          "upstream u { server 127.0.0.1:@first@ max_fails=0;"
                          " server 127.0.0.1:@second@ max_fails=0 backup; }"
                          "server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://u; } }", location));
}

static void assert_logged(const char *status, const char *first, const char *second)
{
    const char *line = text("%s 127.0.0.1:%u, 127.0.0.1:%u %s, %s\n", status, harness_port("first"),
                            harness_port("second"), first, second);
    cr_assert(EVENTUALLY(file_read("a.log")[0]));
    assert_text(file_read("a.log"), line);
}

/* Answers when told, with what it is told; notices when the peer leaves meanwhile. */
static void when_told(visit_t *v)
{
    while (visit_request(v)) {
        visit_gate(v);
        visit_send(v, visit_arg(v));
    }
}

static void leave_when_told(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_gate(v);
}

static wire_t *ask(void)
{
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    return w;
}

E2E(hedge, the_second_wins_and_the_first_is_left)
{
    origin_t *first = origin_start("first", origin_silent, NULL);
    origin_start("second", origin_say, fast);
    start("proxy_hedge_after 50ms;");
    for (int i = 0; i < 5; i++) {
        reply_t *r = wire_get("http", "/");
        assert_text(r->body.p, "fast");
        cr_assert(origin_await_left(first, (unsigned)i + 1));
        if (i == 0) assert_logged("200", "-", "200");
    }
    cr_assert_eq(subject_log_count("[error]"), 0);
    cr_assert_eq(subject_log_count("prematurely"), 0);
}

E2E(hedge, the_first_wins_and_the_second_is_left)
{
    origin_t *first = origin_start("first", when_told, slow);
    origin_t *second = origin_start("second", origin_silent, NULL);
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    origin_head(second, 0);
    origin_open_gate(first);
    assert_text(wire_reply(w)->body.p, "slow");
    cr_assert(origin_await_left(second, 1));
    assert_logged("200", "200", "-");
    cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_connections(first), 1, "its connection was kept");
}

E2E(hedge, one_s_failure_leaves_the_other)
{
    origin_t *first = origin_start("first", leave_when_told, NULL);
    origin_t *second = origin_start("second", when_told, fast);
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    origin_head(second, 0);
    origin_open_gate(first);
    subject_log_await("upstream prematurely closed connection while reading response header");
    origin_open_gate(second);
    assert_text(wire_reply(w)->body.p, "fast");
    assert_logged("200", "502", "200");
}

E2E(hedge, the_other_s_failure_leaves_the_one)
{
    origin_t *first = origin_start("first", when_told, slow);
    harness_set("second", text("%u", harness_port("dead")));
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    subject_log_await("connect() failed (111: Connection refused)");
    origin_open_gate(first);
    assert_text(wire_reply(w)->body.p, "slow");
    assert_logged("200", "200", "502");
}

E2E(hedge, an_answer_that_is_a_failure_does_not_win)
{
    origin_t *first = origin_start("first", when_told, slow);
    origin_t *second = origin_start("second", origin_say_once,
                                    "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    start("proxy_hedge_after 50ms; proxy_next_upstream http_503;");
    wire_t *w = ask();
    origin_head(second, 0);
    cr_assert(!wire_readable(w, 100));
    origin_open_gate(first);
    assert_text(wire_reply(w)->body.p, "slow");
}

E2E(hedge, both_may_fail)
{
    origin_t *first = origin_start("first", leave_when_told, NULL);
    origin_t *second = origin_start("second", leave_when_told, NULL);
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    origin_head(second, 0);
    origin_open_gate(first);
    subject_log_await("upstream prematurely closed connection");
    origin_open_gate(second);
    cr_assert_eq(wire_reply(w)->status, 502);
    assert_logged("502", "502", "502");
}

E2E(hedge, a_client_that_leaves_leaves_both)
{
    origin_t *first = origin_start("first", origin_silent, NULL);
    origin_t *second = origin_start("second", origin_silent, NULL);
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    origin_head(second, 0);
    wire_close(w);
    cr_assert(origin_await_left(first, 1));
    cr_assert(origin_await_left(second, 1));
    assert_logged("499", "-", "-");
}

/* --- what takes long may be any part of an attempt --- */

static void assert_hanging_connect_is_hedged(const char *location)
{
    enum { FDS = 4 };
    int fds[FDS];
    origin_deaf("full", fds, FDS);
    subject_http("", text("log_format f '$status $upstream_status $upstream_connect_time';"
                          "access_log @dir@/a.log f;"
                          "upstream u { server 127.0.0.1:@full@ max_fails=0;"
                          " server 127.0.0.1:@second@ max_fails=0 backup; }"
                          "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                          " proxy_hedge_after 50ms; proxy_connect_timeout 1h; %s } }", location));
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/")->body.p, "fast");
    cr_assert(EVENTUALLY(file_read("a.log")[0]));
    cr_assert_eq(strncmp(file_read("a.log"), "200 -, 200 -, ", 14), 0, "%s", file_read("a.log"));
    cr_assert_eq(subject_log_count("[error]"), 0);
    for (int i = 0; i < FDS; i++) close(fds[i]);
}

E2E(hedge, a_connection_that_hangs)
{
    origin_start("second", origin_say, fast);
    assert_hanging_connect_is_hedged("");
}

E2E(hedge, a_connection_of_http2_that_hangs)
{
    peer_node("second", "require('http2').createServer().on('stream', t => { t.respond();"
                        " t.end('fast'); }).listen(@second@, '127.0.0.1');");
    assert_hanging_connect_is_hedged("proxy_http_version 2;");
}

E2E(hedge, a_client_that_leaves_a_hanging_connection)
{
    enum { FDS = 4 };
    int fds[FDS];
    origin_deaf("first", fds, FDS);
    origin_t *second = origin_start("second", origin_silent, NULL);
    start("proxy_hedge_after 50ms; proxy_connect_timeout 1h;");
    wire_t *w = ask();
    origin_head(second, 0);
    wire_close(w);
    cr_assert(origin_await_left(second, 1));
    assert_logged("499", "-", "-");
    for (int i = 0; i < FDS; i++) close(fds[i]);
}

/* Both hang, with a client that waits. */
E2E(hedge, a_stop_ends_what_hangs)
{
    enum { FDS = 4 };
    int fds[FDS], more[FDS];
    origin_deaf("first", fds, FDS);
    origin_deaf("second", more, FDS);
    subject_http("worker_shutdown_timeout 200ms;",
                 "upstream u { server 127.0.0.1:@first@; server 127.0.0.1:@second@ backup; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                 " proxy_hedge_after 20ms; proxy_connect_timeout 1h; }"
                 "location /x { return 200 x; } }");
    wire_t *w = ask();
    cr_assert_eq(wire_get("http", "/x")->status, 200);
    pause_ms(100);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert(wire_closed(w));
    for (int i = 0; i < FDS; i++) close(fds[i]), close(more[i]);
}

/* --- interim responses --- */

static void hint_and_wait(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    visit_gate(v);
    visit_send(v, "HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n");
    visit_send(v, slow);
}

E2E(hedge, the_first_one_s_interim_responses_are_passed_on)
{
    origin_t *first = origin_start("first", hint_and_wait, NULL);
    origin_t *second = origin_start("second", origin_silent, NULL);
    start("proxy_hedge_after 50ms;");
    wire_t *w = ask();
    cr_assert(wire_readable(w, PATIENCE_MS), "at once");
    origin_head(second, 0);
    origin_open_gate(first);
    reply_t *r = wire_reply(w);
    assert_text(r->body.p, "slow");
    assert_has(r->interim, "</a.css>");
    assert_has(r->interim, "</b.css>");
}

/* What must not be done twice, what belongs to a server, and what the budget does not allow. */
static void assert_not_hedged(const char *location, const char *request)
{
    origin_t *first = origin_start("first", when_told, slow);
    origin_t *second = origin_start("second", origin_say, fast);
    start(location);
    wire_t *w = wire_open("http");
    wire_send(w, request);
    origin_head(first, 0);
    cr_assert(!wire_readable(w, 200));
    origin_open_gate(first);
    assert_text(wire_reply(w)->body.p, "slow");
    cr_assert_eq(origin_connections(second), 0);
}

E2E(hedge, a_post_is_sent_once)
{
    assert_not_hedged("proxy_hedge_after 20ms;",
                      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
}

E2E(hedge, a_get_with_a_body_is_sent_once)
{
    assert_not_hedged("proxy_hedge_after 20ms;",
                      "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
}

E2E(hedge, what_asks_for_a_tunnel_is_sent_once)
{
    assert_not_hedged("proxy_hedge_after 20ms; proxy_set_header Upgrade $http_upgrade;"
                      "proxy_set_header Connection upgrade;",
                      "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
}

E2E(hedge, is_off_unless_asked_for)
{
    assert_not_hedged("", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

E2E(hedge, is_within_the_budget)
{
    assert_not_hedged("proxy_hedge_after 20ms; proxy_retry_budget 0% min=0;",
                      "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

E2E(hedge, is_within_the_tries)
{
    assert_not_hedged("proxy_hedge_after 20ms; proxy_next_upstream_tries 1;",
                      "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

/* A session lives on its server. */
E2E(hedge, what_belongs_to_a_server_is_sent_there_alone)
{
    origin_t *first = origin_start("first", when_told, slow);
    origin_t *second = origin_start("second", origin_say, fast);
    subject_http("", "upstream u { sticky route $arg_r; server 127.0.0.1:@first@ route=one;"
                     " server 127.0.0.1:@second@ route=two; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_hedge_after 20ms;"
                     " proxy_pass http://u; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /?r=one HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_head(first, 0);
    cr_assert(!wire_readable(w, 200));
    origin_open_gate(first);
    assert_text(wire_reply(w)->body.p, "slow");
    cr_assert_eq(origin_connections(second), 0);
}

/* --- over HTTP/2 --- */

/* Hangs with its own name; /count tells of sessions and of streams that were reset with CANCEL. */
static void node(const char *name, const char *say)
{
    peer_node(name, text("const h2 = require('http2'); let sessions = 0, left = 0;"
                         "h2.createServer().on('session', s => { sessions++;"
                         " s.on('error', () => {}); }).on('stream', (t, h) => {"
                         " t.on('error', () => {}); t.on('close', () => left += t.rstCode == 8);"
                         " if (h[':path'] == '/%s') return;"
                         " t.respond({':status': 200});"
                         " t.end(h[':path'] == '/count' ? sessions + ' ' + left : '%s');"
                         "}).listen(@%s@, '127.0.0.1');", say, say, name));
}

/* That many sessions, once so many streams have been reset. */
static unsigned sessions_when(unsigned left)
{
    const char *said = "";
    char *end;
    cr_assert(EVENTUALLY(strtoul(strchr(said = wire_get("http", "/count")->body.p, ' '), &end,
                                 10) ==
                         left), "%s", said);
    return (unsigned)strtoul(said, &end, 10);
}

/* The loser's stream is reset and its connection stays. */
E2E(hedge, streams_of_http2)
{
    node("first", "one");
    node("second", "two");
    subject_http("", "upstream u { server 127.0.0.1:@first@ max_fails=0;"
                     " server 127.0.0.1:@second@ max_fails=0 backup; }"
                     "server { listen 127.0.0.1:@http@; proxy_http_version 2;"
                     "location / { proxy_hedge_after 50ms; proxy_pass http://u; }"
                     "location /count { proxy_pass http://u; } }");
    unsigned sessions = sessions_when(0);
    for (int i = 0; i < 5; i++) assert_text(wire_get("http", "/one")->body.p, "two");
    assert_text(wire_get("http", "/two")->body.p, "one");
    cr_assert_eq(sessions_when(5), sessions);
}

/* --- 95% --- */

static void slow_for_some(visit_t *v)
{
    while (visit_request(v)) {
        if (visit_target_is(v, "/slow")) {
            visit_await_left(v);
            return;
        }
        visit_send(v, slow);
    }
}

E2E(hedge, a_share_of_the_answers_tells_what_is_long)
{
    origin_t *first = origin_start("first", slow_for_some, NULL);
    origin_start("second", origin_say, fast);
    start("proxy_hedge_after 95%;");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 150; i++) { /* most of them are answered by the first */
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_assert_eq(wire_reply(w)->status, 200);
    }
    cr_assert_geq(origin_requests(first), 90u);
    pause_ms(150); /* what is usual is looked up ten times a second */
    for (int i = 0; i < 5; i++) assert_text(wire_get("http", "/slow")->body.p, "fast");
}

E2E(hedge, a_wrong_time_is_refused)
{
    static const char *const wrong[] = {"0%", "100%", "x%", "0", "soon", "10ms 5"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_write("x.conf", text("events {} http { proxy_hedge_after %s; }", wrong[i]));
        ran_t r = subject_run("-t -p @dir@/ -c @dir@/x.conf -e @dir@/error.log");
        cr_assert_eq(r.status, 1);
        assert_has(r.output, "x.conf:1:");
        assert_has(r.output, "proxy_hedge_after");
    }
}
