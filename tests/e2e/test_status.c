/* The status endpoint: JSON and what Prometheus reads. */
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
