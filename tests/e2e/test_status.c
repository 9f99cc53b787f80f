/* The status endpoint: JSON and what Prometheus reads. */
#include <signal.h>

#include "tests/e2e/hammer.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SITE \
    "server { listen 127.0.0.1:@http@; location / { return 200 ok; } " \
    "location /status { status; } location = /exact { status; } " \
    "location /metrics { status format=prometheus; } location /json { status format=json; } }"

static reply_t *ask(const char *path, const char *accept)
{
    return wire_ask("http", text("GET %s HTTP/1.1\r\nHost: a\r\nAccept: %s\r\n\r\n", path, accept));
}

static uint64_t number_behind(const char *json, const char *name)
{
    const char *at = strstr(json, text("\"%s\":", name));
    cr_assert(at, "no %s in %s", name, json);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

E2E(status, tells_of_the_server_as_json)
{
    subject_http("worker_processes 2;", SITE);
    reply_t *r = wire_get("http", "/status");
    cr_assert_eq(r->status, 200);
    assert_text(wire_field(r, "Content-Type"), "application/json");
    assert_text(wire_field(r, "Cache-Control"), "no-store");
    assert_has(r->body.p, "{\"server\":{\"version\":\"");
    assert_has(r->body.p, "\"zones\":{\"core:workers\":{\"size\":");
    cr_assert_eq(number_behind(r->body.p, "generation"), 1);
    cr_assert_eq(number_behind(r->body.p, "workers"), 2);
}

E2E(status, counts_over_all_workers_and_reloads)
{
    subject_http("worker_processes 2;", SITE);
    uint64_t before = number_behind(wire_get("http", "/status/server")->body.p, "requests");
    for (int i = 0; i < 20; i++) wire_get("http", "/");
    uint64_t now = number_behind(wire_get("http", "/status/server")->body.p, "requests");
    cr_assert_eq(now, before + 21);
    subject_reload(subject_configuration("worker_processes 3;", SITE));
    subject_log_await("configuration 2");
    for (int i = 0; i < 20; i++) wire_get("http", "/");
    cr_assert(EVENTUALLY(
        number_behind(wire_get("http", "/status/server")->body.p, "generation") == 2));
    now = number_behind(wire_get("http", "/status/server")->body.p, "requests");
    cr_assert_geq(now, before + 43);
}

E2E(status, a_part_of_it_by_path_or_argument)
{
    subject_http("", SITE);
    reply_t *r = wire_get("http", "/status/server/connections");
    assert_has(r->body.p, "{\"accepted\":");
    r = wire_get("http", "/exact?section=server/connections");
    assert_has(r->body.p, "{\"accepted\":");
    cr_assert_eq(wire_get("http", "/status/nothing")->status, 404);
    cr_assert_eq(wire_get("http", "/status/a/b/c/d/e")->status, 404);
    r = wire_ask("http", "POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    cr_assert_eq(r->status, 405);
}

E2E(status, speaks_to_prometheus)
{
    subject_http("", SITE);
    reply_t *r = ask("/status/server", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
    assert_text(wire_field(r, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_has(r->body.p, "# TYPE proxyd_server_requests_total counter\n"
                          "proxyd_server_requests_total ");
    r = ask("/metrics", "*/*");
    assert_has(r->body.p, "proxyd_zones_size{zone=\"core:workers\"} ");
    r = ask("/json", "text/plain");
    assert_text(wire_field(r, "Content-Type"), "application/json");
    r = ask("/status", "text/html, */*");
    assert_text(wire_field(r, "Content-Type"), "application/json");
}

E2E(status, what_is_wrong_with_the_directive)
{
    file_write("bad.conf", "events { } http { server { status format=xml; } }");
    ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "format=json or format=prometheus");
}

/* --- origins --- */

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#define GROUP \
    "upstream app { server 127.0.0.1:@a@ weight=3; server 127.0.0.1:@b@ backup; " \
    "server 127.0.0.1:@dead@ down; } " \
    "server { listen 127.0.0.1:@http@; location / { proxy_pass http://app; } " \
    "location /alone { proxy_pass http://127.0.0.1:@dead2@; } location /status { status; } }"

/* What is told of the server behind a port of the group. */
static const char *about(const char *group, const char *port)
{
    return wire_get("http", text("/status/upstreams/%s/servers/%s", group,
                                 harness_expand(text("127.0.0.1:@%s@", port))))->body.p;
}

E2E(status, tells_of_origins_what_all_workers_know)
{
    origin_start("a", origin_say, ok);
    origin_start("b", origin_say, ok);
    subject_http("worker_processes 3;", GROUP);
    for (int i = 0; i < 40; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert(EVENTUALLY(number_behind(about("app", "a"), "2xx") == 40)); /* after the answer */
    const char *a = about("app", "a");
    assert_has(a, "\"state\":\"up\",\"backup\":false,\"weight\":3,\"max_conns\":0,\"active\":0,"
                  "\"requests\":40,\"failures\":{\"all\":0,\"error\":0,\"timeout\":0,"
                  "\"invalid_header\":0,\"status\":0},"
                  "\"responses\":{\"1xx\":0,\"2xx\":40,\"3xx\":0,\"4xx\":0,\"5xx\":0}");
    cr_assert_eq(number_behind(a, "received"), 40 * (sizeof(ok) - 1));
    cr_assert_gt(number_behind(a, "sent"), 40 * 20);
    cr_assert(!strstr(a, "\"p50_ms\":0.000"), "%s", a);
    assert_has(a, "\"last_error\":{\"time\":null,\"text\":\"\"}");
    assert_has(about("app", "b"), "\"state\":\"up\",\"backup\":true,");
    assert_has(about("app", "dead"), "\"state\":\"down\",");
    subject_reload(subject_configuration("worker_processes 2;", GROUP));
    subject_log_await("configuration 2");
    assert_has(about("app", "a"), "\"2xx\":40,");
}

E2E(status, tells_what_went_wrong_last)
{
    origin_start("b", origin_say, ok);
    origin_start("a", origin_silent, NULL);
    subject_http("worker_processes 2; ",
                 "proxy_read_timeout 1s; upstream app { server 127.0.0.1:@a@; "
                 "server 127.0.0.1:@dead@; server 127.0.0.1:@b@ backup; } "
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://app; } "
                 "location /status { status; } }");
    for (int i = 0; i < 4; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert(EVENTUALLY(number_behind(about("app", "b"), "2xx") == 4));
    const char *dead = about("app", "dead"), *a = about("app", "a");
    assert_has(dead, "\"state\":\"resting\"");
    assert_has(dead, "\"failures\":{\"all\":1,\"error\":1,\"timeout\":0,");
    assert_has(dead, "\"text\":\"connect() failed (111: Connection refused)\"}");
    assert_has(a, "\"failures\":{\"all\":1,\"error\":0,\"timeout\":1,");
    assert_has(a, "\"text\":\"upstream timed out (110: Connection timed out)\"}");
    cr_assert(!strstr(a, "\"time\":null"));
}

E2E(status, counts_under_load_and_kills_of_workers)
{
    pid_t pids[2];
    origin_start("a", origin_say, ok);
    origin_start("b", origin_say, ok);
    subject_http("worker_processes 2;", GROUP);
    hammer_t *h = hammer_start("http", 2, 2);
    cr_assert(EVENTUALLY(hammer_answers(h) > 200));
    unsigned long answers = hammer_stop(h).answers;
    cr_assert(EVENTUALLY(subject_workers(pids, 2) == 2));
    subject_tolerate("exited on signal 9");
    kill(pids[0], SIGKILL);
    subject_log_await("exited on signal 9");
    cr_assert(EVENTUALLY(subject_workers(pids, 2) == 2));
    /* An answer may reach its client just before the worker that counts it is killed. */
    cr_assert_geq(number_behind(about("app", "a"), "2xx") + 4, answers);
}

E2E(status, origins_for_prometheus)
{
    origin_start("a", origin_say, ok);
    origin_start("b", origin_say, ok);
    subject_http("", GROUP);
    wire_get("http", "/");
    const char *all = ask("/status", "text/plain")->body.p;
    const char *a = harness_expand("127.0.0.1:@a@");
    assert_has(all, text("proxyd_upstreams_servers_requests_total{upstream=\"app\",server=\"%s\"} "
                         "1\n", a));
    assert_has(all, text("proxyd_upstreams_servers_state{upstream=\"app\",server=\"%s\","
                         "state=\"up\"} 1\n", a));
    assert_has(all, "# TYPE proxyd_upstreams_servers_latency_p99_seconds gauge\n");
}
