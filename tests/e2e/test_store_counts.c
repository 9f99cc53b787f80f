/* What /status says of a cache: each figure counts what its name says, once. */
#include <stdlib.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(const char *path, const char *directives)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    subject_http("worker_processes 2;",
                 text("proxy_cache_path @dir@/cache keys_zone=z:1m %s;"
                      "server { listen 127.0.0.1:@http@; location /status { status; }"
                      "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                      "proxy_cache_bypass $http_x_bypass; %s } }", path, directives));
    return o;
}

static wire_t *send(const char *path, const char *fields)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path,
                      obedient_fields(fields)));
    return w;
}

static void get(const char *path, const char *fields)
{
    wire_t *w = send(path, fields);
    wire_reply(w);
    wire_close(w);
}

static uint64_t figure(const char *name)
{
    const char *json = wire_get("http", "/status")->body.p, *at = strstr(json, "\"cache\":{\"z\":");
    if (at) at = strstr(at, text("\"%s\":", name));
    cr_assert(at, "no %s in %s", name, json);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

/* All that counts requests. */
static void expect_answers(const char *expected)
{
    static const char *const names[] = {"hits", "misses", "expired", "stale", "updating",
                                        "revalidated", "bypassed", "coalesced"};
    const char *got = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsigned n = (unsigned)figure(names[i]);
        if (n) got = text("%s%s%s %u", got, *got ? ", " : "", names[i], n);
    }
    assert_text(got, expected);
}

#define FRESH "Say: Cache-Control: max-age=60"
#define OLD "Say: Cache-Control: max-age=0"

E2E(store_counts, misses_and_hits)
{
    start("", "");
    get("/a", FRESH);
    expect_answers("misses 1");
    for (int i = 0; i < 5; i++) get("/a", "");
    expect_answers("hits 5, misses 1");
    get("/never", "Say: Cache-Control: no-store");
    get("/never", "Say: Cache-Control: no-store");
    expect_answers("hits 5, misses 3");
    cr_expect_eq(figure("stored"), 1);
    cr_expect_eq(figure("passes"), 1);
}

E2E(store_counts, parts_and_conditions_are_hits)
{
    start("", "");
    get("/a", FRESH "|ETag: \"x\"|Body: 0123456789");
    get("/a", "Range: bytes=2-3");
    get("/a", "If-None-Match: \"x\"");
    expect_answers("hits 2, misses 1");
}

E2E(store_counts, expired_and_revalidated)
{
    start("", "");
    get("/a", FRESH);
    subject_ctl("purge z all soft");
    get("/a", FRESH);
    expect_answers("misses 1, expired 1");
    get("/b", OLD "|ETag: \"x\"");
    get("/b", "Say-Status: 304|" OLD "|ETag: \"x\"");
    expect_answers("misses 2, expired 1, revalidated 1");
    cr_expect_eq(figure("refreshed"), 1);
}

E2E(store_counts, stale_while_it_is_asked_for)
{
    start("", "");
    get("/a", OLD ", stale-while-revalidate=60");
    get("/a", FRESH);
    expect_answers("misses 1, stale 1");
    cr_expect(EVENTUALLY(figure("stored") == 2));
    expect_answers("misses 1, stale 1");
}

E2E(store_counts, bypassed)
{
    start("", "");
    get("/a", FRESH);
    get("/a", "X-Bypass: 1|" FRESH);
    expect_answers("misses 1, bypassed 1");
}

E2E(store_counts, updating)
{
    origin_t *o = start("", "proxy_cache_use_stale updating;");
    get("/a", FRESH);
    subject_ctl("purge z all soft");
    wire_t *w = send("/a", FRESH "|Wait: 1");
    origin_head(o, 1);
    get("/a", "");
    origin_open_gate(o);
    wire_reply(w);
    expect_answers("misses 1, expired 1, updating 1");
}

E2E(store_counts, coalesced)
{
    enum { MANY = 7 };
    wire_t *waiting[MANY];
    origin_t *o = start("", "");
    wire_t *first = send("/a", FRESH "|Wait: 1");
    origin_head(o, 0);
    for (int i = 0; i < MANY; i++) waiting[i] = send("/a", "");
    cr_assert(EVENTUALLY(figure("waited") == MANY));
    origin_open_gate(o);
    wire_reply(first);
    for (int i = 0; i < MANY; i++) wire_reply(waiting[i]);
    cr_expect_eq(origin_requests(o), 1);
    expect_answers(text("hits %d, misses 1, coalesced %d", MANY, MANY));
}

E2E(store_counts, bytes_entries_and_evicted)
{
    start("max_size=64k", "");
    get("/a", FRESH);
    cr_expect_eq(figure("bytes"), 4096);
    cr_expect_eq(figure("entries"), 1);
    for (int i = 0; i < 20; i++) get(text("/%d", i), FRESH);
    cr_expect(EVENTUALLY(figure("evicted") == 5), "%llu", (unsigned long long)figure("evicted"));
    cr_expect_eq(figure("bytes"), 16 * 4096);
    cr_expect_eq(figure("entries"), 16);
    cr_expect_eq(figure("bytes_max"), 64 * 1024);
}

E2E(store_counts, inactive)
{
    start("inactive=1s", "");
    get("/a", FRESH);
    cr_expect(EVENTUALLY(figure("inactive") == 1));
    cr_expect_eq(figure("entries"), 0);
}

E2E(store_counts, purged)
{
    start("", "");
    get("/b", FRESH);
    subject_ctl(text("purge z key http://h:%u/b", harness_port("http")));
    cr_expect_eq(figure("purged"), 1);
}

E2E(store_counts, helpers_are_no_workers)
{
    start("", "");
    cr_assert(EVENTUALLY(strstr(wire_get("http", "/status/helpers")->body.p,
                                "{\"name\":\"cache manager process\"}")));
    const char *json = wire_get("http", "/status/workers")->body.p;
    unsigned n = 0;
    for (const char *at = json; (at = strstr(at, "\"accepted\":")); at++) n++;
    cr_expect_eq(n, 2, "%s", json);
}
