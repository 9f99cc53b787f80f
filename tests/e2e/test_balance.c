/* Who is asked: the same as nginx would, the same by all workers, none lost with a killed one. */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* --- keys are where nginx has them --- */

static void start_named(const char *name, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const char *one = text("%s%u", name, i);
        origin_start(one, origin_say,
                     text("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(one), one));
    }
}

static const char servers[] =
    " server 127.0.0.1:@o0@ weight=3; server 127.0.0.1:@o1@; server 127.0.0.1:@o2@ weight=2;"
    " server 127.0.0.1:@dead@ max_fails=1 fail_timeout=600s; server 127.0.0.1:@o3@ down;"
    " server 127.0.0.1:@o4@;";

/* Both take the same upstream block. */
static void start_both(const char *method)
{
    start_named("o", 5);
    const char *group = text("upstream u { %s %s }", method, servers);
    peer_nginx("nginx", text("%s server { listen 127.0.0.1:@nginx@; location / {"
                             " proxy_pass http://u; } }", group));
    subject_http("worker_processes 2;",
                 text("%s server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }",
                      group));
}

static void compare_keys(unsigned n)
{
    unsigned seen[5] = {0};
    for (unsigned i = 0; i < n; i++) {
        const char *path = text("/some/key-%u?%u", i, i * 7919);
        reply_t *theirs = wire_get("nginx", path), *ours = wire_get("http", path);
        cr_assert_eq(theirs->status, 200);
        cr_assert_eq(ours->status, 200);
        assert_text(ours->body.p, theirs->body.p);
        seen[ours->body.p[1] - '0']++;
    }
    for (unsigned i = 0; i < 5; i++) cr_assert_eq(seen[i] > 0, i != 3);
}

E2E(balance, hash_is_nginx_s)
{
    start_both("hash $request_uri;");
    compare_keys(300);
}

E2E(balance, consistent_hash_is_nginx_s)
{
    start_both("hash $request_uri consistent;");
    compare_keys(300);
}

static const char *ask_from(const char *url, const char *from)
{
    CURL *c = fetch_new(url);
    curl_easy_setopt(c, CURLOPT_INTERFACE, from);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->status, 200);
    return text("%.*s", (int)f->body.n, f->body.p);
}

E2E(balance, ip_hash_is_nginx_s)
{
    start_both("ip_hash;");
    for (unsigned i = 0; i < 150; i++) {
        const char *from = text("127.%u.%u.%u", i % 3, i, 1 + i * 31 % 200);
        assert_text(ask_from("http://127.0.0.1:@http@/", from),
                    ask_from("http://127.0.0.1:@nginx@/", from));
    }
}

/* --- what all workers know --- */

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static wire_t *hang(void)
{
    wire_t *w = wire_open("http");
    wire_send(w, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
    return w;
}

E2E(balance, workers_agree_on_who_is_idle)
{
    origin_t *a = origin_start("a", origin_hang_or_say, ok);
    origin_t *b = origin_start("b", origin_hang_or_say, ok);
    subject_http("worker_processes 4;",
                 "upstream u { least_conn; server 127.0.0.1:@a@ weight=3; server 127.0.0.1:@b@; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    for (unsigned i = 0; i < 16; i++) {
        hang();
        cr_assert(EVENTUALLY(origin_requests(a) + origin_requests(b) == i + 1));
    }
    cr_assert_eq(origin_requests(a), 12);
    cr_assert_eq(origin_requests(b), 4);
}

E2E(balance, workers_agree_on_who_failed_and_so_do_the_next_ones)
{
    static const char conf[] =
        "upstream u { %s server 127.0.0.1:@dead@ fail_timeout=600s; server 127.0.0.1:@a@; }"
        "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }";
    origin_start("a", origin_say, ok);
    origin_start("b", origin_say, ok);
    subject_http("worker_processes 4;", text(conf, ""));
    for (int i = 0; i < 40; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(subject_log_count("Connection refused"), 1);
    subject_reload(subject_configuration("worker_processes 4;",
                                         text(conf, "server 127.0.0.1:@b@;")));
    for (int i = 0; i < 40; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(subject_log_count("Connection refused"), 1, "the new workers know it, too");
}

static unsigned still_open(wire_t *const *w, unsigned n)
{
    unsigned open = 0;
    for (unsigned i = 0; i < n; i++) open += !wire_readable(w[i], 20);
    return open;
}

static void kill_worker(void)
{
    pid_t before[8], after[8];
    subject_log_await("serving, configuration 1");
    unsigned n = subject_workers(before, 8);
    cr_assert_eq(kill(before[0], SIGKILL), 0);
    cr_assert(EVENTUALLY(subject_workers(after, 8) == n && after[0] != before[0] &&
                         after[n - 1] != before[0]));
}

E2E(balance, killed_workers_leave_no_exchanges_behind)
{
    enum { MOST = 6 };
    wire_t *w[MOST];
    origin_t *o = origin_start("a", origin_hang_or_say, ok);
    subject_tolerate("exited on signal 9");
    subject_tolerate("workers in a row died within");
    subject_http("worker_processes 2;",
                 "upstream u { server 127.0.0.1:@a@ max_conns=6; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    for (unsigned i = 0; i < MOST; i++) w[i] = hang();
    cr_assert(EVENTUALLY(origin_requests(o) == MOST));
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("no live upstreams while connecting to upstream");
    for (unsigned round = 0; round < 4; round++) {
        kill_worker();
        unsigned left = still_open(w, MOST), asked = origin_requests(o);
        for (unsigned i = 0; i < MOST; i++)
            if (wire_readable(w[i], 0)) w[i] = hang();
        cr_assert(EVENTUALLY(origin_requests(o) == asked + MOST - left));
        cr_assert_eq(wire_get("http", "/")->status, 502);
    }
}

/* All that hang do so at one server; when their workers are killed it is as idle as the other. */
E2E(balance, least_conn_forgets_what_killed_workers_had)
{
    enum { HELD = 6 };
    pid_t pids[8], now[8];
    origin_t *a = origin_start("a", origin_hang_or_say, ok);
    origin_t *b = origin_start("b", origin_hang_or_say, ok);
    subject_tolerate("exited on signal 9");
    subject_tolerate("workers in a row died within");
    subject_http("worker_processes 2;",
                 "upstream u { least_conn; server 127.0.0.1:@a@; server 127.0.0.1:@b@ drain; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    subject_log_await("serving, configuration 1");
    for (unsigned i = 0; i < HELD; i++) hang();
    cr_assert(EVENTUALLY(origin_requests(a) == HELD));
    unsigned n = subject_workers(pids, 8);
    for (unsigned i = 0; i < n; i++) kill(pids[i], SIGKILL);
    cr_assert(EVENTUALLY(subject_workers(now, 8) == n && now[0] != pids[0] && now[0] != pids[1] &&
                         now[1] != pids[0] && now[1] != pids[1]));
    ran_t ran = subject_ctl(text("upstream u server 127.0.0.1:%u up", harness_port("b")));
    cr_assert_eq(ran.status, 0, "%s", ran.output);
    for (unsigned i = 0; i < HELD; i++) {
        hang();
        cr_assert(EVENTUALLY(origin_requests(a) + origin_requests(b) == HELD + i + 1));
    }
    cr_assert_eq(origin_requests(b), HELD / 2);
}

/* --- who is too slow, who fails --- */

static _Atomic bool slow;

static void serve_when_it_pleases(visit_t *v)
{
    while (visit_request(v)) {
        if (slow) pause_ms(200);
        visit_send(v, ok);
    }
}

/* Two of four are slow, one of four may be out. */
E2E(balance, the_slow_are_ejected_as_many_as_may_be)
{
    origin_t *o[4];
    for (unsigned i = 0; i < 4; i++)
        o[i] = origin_start(text("o%u", i), i < 2 ? serve_when_it_pleases : origin_say, ok);
    slow = true;
    subject_http("worker_processes 2;",
                 "upstream u { eject_outliers 5 min=50ms time=600s max_ejected=25;"
                 " server 127.0.0.1:@o0@; server 127.0.0.1:@o1@; server 127.0.0.1:@o2@;"
                 " server 127.0.0.1:@o3@; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200 &&
                         subject_log_count("is out for 600000 ms: it takes") > 0));
    unsigned before[4], quiet = 0;
    for (unsigned i = 0; i < 4; i++) before[i] = origin_requests(o[i]);
    for (unsigned i = 0; i < 12; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    for (unsigned i = 0; i < 4; i++) quiet += origin_requests(o[i]) == before[i];
    cr_assert_eq(quiet, 1);
    cr_assert_eq(subject_log_count("is out for"), 1);
}

/* It is not asked again for its fail_timeout. */
E2E(balance, who_failed_max_fails_times_rests)
{
    origin_t *a = origin_start("a", origin_say, ok);
    origin_start("b", origin_say, ok);
    origin_t *c = origin_start("c", origin_say, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    subject_http("worker_processes 2;",
                 "upstream u { server 127.0.0.1:@a@; server 127.0.0.1:@c@ max_fails=3"
                 " fail_timeout=600s; server 127.0.0.1:@b@; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                 " proxy_next_upstream error http_503; } }");
    for (unsigned i = 0; i < 40; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_requests(c), 3, "as many as max_fails");
    cr_assert_eq(subject_log_count("temporarily disabled"), 1);
    cr_assert(origin_requests(a) >= 19);
}

/* --- the queue --- */

static _Atomic int now_served, most_served;

static void serve_slowly(visit_t *v)
{
    while (visit_request(v)) {
        int n = ++now_served;
        if (n > most_served) most_served = n;
        pause_ms(30);
        now_served--;
        visit_send(v, ok);
    }
}

E2E(balance, the_queue_holds_requests_until_there_is_room)
{
    enum { ALL = 12 };
    wire_t *w[ALL];
    origin_start("a", serve_slowly, NULL);
    subject_http("worker_processes 2;",
                 "upstream u { server 127.0.0.1:@a@ max_conns=2; queue 20 timeout=30s; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    for (unsigned i = 0; i < ALL; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (unsigned i = 0; i < ALL; i++) cr_assert_eq(wire_reply(w[i])->status, 200);
    cr_assert_eq(most_served, 2);
}

E2E(balance, the_queue_has_an_end)
{
    origin_t *o = origin_start("a", origin_hang_or_say, ok);
    subject_http("", "upstream u { server 127.0.0.1:@a@ max_conns=1; queue 1 timeout=200ms; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    hang();
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    wire_t *waiting = hang();
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 502));
    cr_assert_eq(wire_reply(waiting)->status, 502);
    subject_log_await("upstream queue timed out while connecting to upstream");
    cr_assert(EVENTUALLY(({ /* the second comes while the first still waits */
        wire_t *first = hang(), *second = hang();
        cr_assert_eq(wire_reply(first)->status, 502);
        cr_assert_eq(wire_reply(second)->status, 502);
        subject_log_count("upstream queue is full while connecting to upstream") > 0;
    })));
}
