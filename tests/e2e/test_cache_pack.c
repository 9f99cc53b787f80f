/* Bodies of the cache are packed once: long ones by the side, short ones by who asks first. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/e2e/coding.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/obedient.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LENGTH = 700 * 1000, SHORT = 40 * 1000 };

static char body[LENGTH + 1];

/* "/short" has less; "/slow" comes in two halves, the second when the gate is open; "/missing" is a
   404; "/coded" says that it is packed. */
static void serve(visit_t *v)
{
    while (visit_request(v)) {
        bool slow = visit_target_is(v, "/slow"), missing = visit_target_is(v, "/missing");
        size_t n = slow || missing || visit_target_is(v, "/short") ? SHORT : LENGTH;
        bool coded = visit_target_is(v, "/coded");
        char head[256];
        snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nETag: \"x\"\r\n"
                 "%sCache-Control: max-age=600\r\nContent-Length: %zu\r\n\r\n",
                 missing ? "404 Not Found" : "200 OK", coded ? "Content-Encoding: gzip\r\n" : "",
                 n);
        visit_send(v, head);
        visit_send_n(v, body, n / 2);
        if (slow) visit_gate(v);
        visit_send_n(v, body + n / 2, n - n / 2);
    }
}

static origin_t *start(const char *memory)
{
    for (int i = 0; i < LENGTH; i++) body[i] = (char)('a' + i % 7 + i / 1000 % 19);
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("worker_processes 2;",
                 text("proxy_cache_path cache keys_zone=z:1m memory=%s; gzip on; gzip_min_length 1;"
                      "gzip_types text/plain; gunzip on; brotli on; brotli_types text/plain;"
                      "log_format packs \"$upstream_cache_status $gzip_ratio$brotli_ratio;\";"
                      "server { listen 127.0.0.1:@http@; location /status { status; }"
                      "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                      "access_log @dir@/packs.log packs; } }",
                      memory));
    return o;
}

static uint64_t figure(const char *name)
{
    const char *json = wire_get("http", "/status")->body.p, *at = strstr(json, "\"cache\":{\"z\":");
    if (at) at = strstr(at, text("\"%s\":", name));
    cr_assert(at, "no %s in %s", name, json);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

static uint64_t stored(void)
{
    return figure("stored");
}

static unsigned lines(const char *part)
{
    const char *log = file_read("packs.log");
    unsigned n = 0;
    while ((log = strstr(log, part))) n++, log++;
    return n;
}

/* All of them have been answered from the cache, none was packed on its way. */
static void expect_hits(unsigned n)
{
    cr_assert(EVENTUALLY(lines("HIT ") == n), "%s", file_read("packs.log"));
    cr_expect_eq(lines("HIT --;"), n, "%s", file_read("packs.log"));
}

static const char *get(const char *coding)
{
    CURL *c = fetch_new("http://127.0.0.1:@http@/a");
    struct curl_slist *host = curl_slist_append(NULL, "Host: h");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, host);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, coding);
    fetched_t *f = fetch(c);
    curl_slist_free_all(host);
    cr_assert_eq(f->code, CURLE_OK);
    assert_has(f->head, text("Content-Encoding: %s\r\n", coding));
    assert_has(f->head, "Vary: Accept-Encoding\r\n");
    assert_has(f->head, "ETag: W/\"x\"\r\n");
    cr_assert(f->body.n == LENGTH && memcmp(f->body.p, body, LENGTH) == 0, "%zu", f->body.n);
    return f->head;
}

static reply_t *ask_also(const char *path, const char *coding, const char *field)
{
    return wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n%s\r\n"
                                 "Connection: close\r\n\r\n", path, coding, field));
}

static reply_t *ask_for(const char *path, const char *coding)
{
    return ask_also(path, coding, "X-Other: none");
}

/* It enters the cache. */
static void fill(const char *path)
{
    uint64_t before = stored();
    ask_for(path, "identity");
    cr_assert(EVENTUALLY(stored() == before + 1));
}

/* Somebody who would like it packed and gets it as it stands. */
static void get_plain(const char *path)
{
    reply_t *r = ask_for(path, "gzip");
    assert_has(r->head, "Vary: Accept-Encoding\r\n");
    assert_lacks(r->head, "Content-Encoding");
    assert_has(r->head, "ETag: \"x\"\r\n");
    cr_assert(r->body.n == LENGTH && memcmp(r->body.p, body, LENGTH) == 0, "%zu", r->body.n);
}

static void expect_packed_once(const char *memory)
{
    start(memory);
    fill("/a");
    get_plain("/a");
    cr_assert(EVENTUALLY(stored() == 2));
    for (int i = 0; i < 4; i++) {
        const char *head = get("gzip");
        assert_has(head, "Content-Length: "); /* as it stands in the cache */
        assert_lacks(head, "Transfer-Encoding");
    }
    ask_for("/a", "br");
    cr_assert(EVENTUALLY(stored() == 3));
    assert_has(get("br"), "Content-Length: ");
    cr_expect_eq(stored(), 3);
    cr_expect_eq(figure("packed"), 2);
    expect_hits(7);
}

E2E(cache_pack, a_long_body_is_packed_once_from_memory)
{
    expect_packed_once("16m");
}

E2E(cache_pack, a_long_body_is_packed_once_from_its_file)
{
    expect_packed_once("1m");
}

E2E(cache_pack, what_was_packed_of_another_body_is_not_sent)
{
    start("16m");
    fill("/a");
    get_plain("/a");
    cr_assert(EVENTUALLY(stored() == 2));
    subject_ctl("purge z all");
    for (int i = 0; i < LENGTH; i++) body[i] = (char)('A' + i % 7 + i / 1000 % 19);
    fill("/a");
    get_plain("/a");
    cr_assert(EVENTUALLY(stored() == 4));
    assert_has(get("gzip"), "Content-Length: ");
}

/* --- many at a time --- */

enum { MANY = 40 };

static void ask(wire_t **waiting, const char *path)
{
    for (int i = 0; i < MANY; i++) {
        waiting[i] = wire_open("http");
        wire_send(waiting[i], text("GET %s HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n"
                                   "Connection: close\r\n\r\n", path));
    }
}

/* How many of them came packed. */
static unsigned take(wire_t **waiting)
{
    unsigned packed = 0;
    for (int i = 0; i < MANY; i++) {
        reply_t *r = wire_reply(waiting[i]);
        packed += strstr(r->head, "Content-Encoding: gzip") != NULL;
        wire_close(waiting[i]);
    }
    return packed;
}

E2E(cache_pack, many_who_ask_at_once_for_a_long_body_make_one)
{
    wire_t *waiting[MANY];
    start("16m");
    fill("/a");
    ask(waiting, "/a");
    take(waiting);
    cr_assert(EVENTUALLY(stored() == 2));
    cr_expect_eq(figure("packed"), 1);
    ask(waiting, "/a");
    cr_expect_eq(take(waiting), MANY);
    cr_expect_eq(figure("packed"), 1);
    expect_hits(2 * MANY);
}

E2E(cache_pack, many_who_ask_at_once_for_a_short_body_make_one)
{
    wire_t *waiting[MANY];
    start("16m");
    fill("/short");
    ask(waiting, "/short");
    cr_expect_eq(take(waiting), MANY);
    cr_expect_eq(figure("packed"), 1);
    expect_hits(MANY);
}

/* Who comes while another one's fetch is still on its way. */
E2E(cache_pack, many_who_wait_for_one_fetch_make_one)
{
    wire_t *waiting[MANY];
    origin_t *o = start("16m");
    wire_t *first = wire_open("http");
    wire_send(first, "GET /slow HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    origin_head(o, 0);
    ask(waiting, "/slow");
    cr_assert(EVENTUALLY(figure("followed") == MANY + 1));
    origin_open_gate(o);
    take(waiting);
    wire_reply(first);
    cr_expect_eq(origin_requests(o), 1);
    cr_expect_leq(figure("packed"), 1); /* none, where the second half has been long in coming */
    expect_hits(MANY);
}

E2E(cache_pack, errors_are_packed_once_too)
{
    wire_t *waiting[MANY];
    start("16m");
    fill("/missing");
    ask(waiting, "/missing");
    cr_expect_eq(take(waiting), MANY);
    cr_expect_eq(figure("packed"), 1);
    expect_hits(MANY);
}

static bool comes_packed(const char *path)
{
    return strstr(ask_for(path, "gzip")->head, "Content-Encoding: gzip") != NULL;
}

/* Nobody else waits for what is not made any more. */
E2E(cache_pack, who_packs_may_be_killed)
{
    pid_t pids[8];
    start("16m");
    fill("/a");
    get_plain("/a");
    subject_tolerate("exited on signal 9");
    unsigned n = subject_workers(pids, 8);
    for (unsigned i = 0; i < n; i++) kill(pids[i], SIGKILL);
    cr_assert(EVENTUALLY(comes_packed("/a")));
}

/* --- what stands and what is packed of it --- */

#define FRESH "Say: Cache-Control: max-age=60"
#define PACKS "Accept-Encoding: gzip"

static origin_t *start_obedient(void)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    subject_http("", "proxy_cache_path @dir@/cache keys_zone=z:1m; gzip on; gzip_min_length 100;"
                     "server { listen 127.0.0.1:@http@; proxy_cache_purge $http_x_purge;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                     "add_header X-Cache $upstream_cache_status always; } }");
    return o;
}

/* Compressible text with `mark` in it. */
static const char *page(const char *mark)
{
    return text("Body: %s %0200d %0200d", mark, 1, 2);
}

static void assert_packed(const char *part)
{
    assert_has(coding_unpack_whole("gzip", obedient_get("/", PACKS)->body).p, part);
}

E2E(cache_pack, packs_a_stored_body_once)
{
    origin_t *o = start_obedient();
    obedient_get("/", text("%s|%s|ETag: \"x\"|Content-Type: text/html|%s", PACKS, FRESH,
                           page("one")));
    reply_t *first = obedient_get("/", PACKS), *second = obedient_get("/", PACKS);
    reply_t *plain = obedient_get("/", "");
    assert_text(wire_field(first, "Content-Encoding"), "gzip");
    assert_text(wire_field(first, "ETag"), "W/\"x\"");
    assert_text(wire_field(first, "Vary"), "Accept-Encoding");
    assert_text(wire_field(second, "X-Cache"), "HIT");
    assert_text(wire_field(second, "Content-Length"), text("%zu", second->body.n));
    cr_assert(str_eq(first->body, second->body));
    assert_has(coding_unpack_whole("gzip", second->body).p, "one ");
    cr_assert_null(wire_field(plain, "Content-Encoding"));
    assert_text(wire_field(plain, "ETag"), "\"x\"");
    assert_has(plain->body.p, "one ");
    cr_assert_eq(obedient_get("/", text("%s|If-None-Match: W/\"x\"", PACKS))->status, 304);
    cr_assert_eq(origin_requests(o), 1);
}

/* Neither a new body nor a purge leaves the packed one of the old behind. */
E2E(cache_pack, never_sends_what_was_packed_of_another_body)
{
    start_obedient();
    obedient_get("/", text("Say: Cache-Control: max-age=0|ETag: \"x\"|Content-Type: text/html|%s",
                           page("one")));
    obedient_get("/", text("%s|Say-Status: 304|%s|ETag: \"x\"", PACKS, FRESH));
    assert_packed("one ");
    obedient_get("/", text("Cache-Control: no-cache|%s|ETag: \"y\"|Content-Type: text/html|%s",
                           FRESH, page("two")));
    assert_packed("two ");
    obedient_get("/", "X-Purge: 1");
    obedient_get("/", text("%s|ETag: \"z\"|Content-Type: text/html|%s", FRESH, page("three")));
    assert_packed("three ");
}

/* --- what has no body, or a part of it --- */

/* RFC 9110 15.3.7, 15.4.5: a 206 and a 304 have the Vary that the 200 would have had. */
E2E(cache_pack, parts_and_what_is_not_modified_vary_as_the_whole_does)
{
    start("16m");
    fill("/short");
    reply_t *r = ask_also("/short", "gzip", "Range: bytes=5-14");
    cr_assert_eq(r->status, 206);
    wire_assert_field(r, "Vary", "Accept-Encoding");
    wire_assert_field(r, "ETag", "\"x\"");
    wire_assert_field(r, "Content-Encoding", NULL);
    cr_expect(r->body.n == 10 && memcmp(r->body.p, body + 5, 10) == 0);
    static const char *const held[] = {"\"x\"", "W/\"x\""};
    for (int i = 0; i < 2; i++) {
        r = ask_also("/short", "gzip", text("If-None-Match: %s", held[i]));
        cr_assert_eq(r->status, 304);
        wire_assert_field(r, "Vary", "Accept-Encoding");
        wire_assert_field(r, "ETag", held[i]);
    }
}

/* Who holds it unpacked is not told that it is packed. */
E2E(cache_pack, what_is_held_plain_is_not_modified_plain)
{
    start("16m");
    ask_for("/coded", "gzip");
    cr_assert(EVENTUALLY(stored() == 1));
    reply_t *r = ask_also("/coded", "identity", "If-None-Match: W/\"x\"");
    cr_assert_eq(r->status, 304);
    wire_assert_field(r, "Content-Encoding", NULL);
    wire_assert_field(r, "ETag", "W/\"x\"");
    wire_assert_field(r, "Vary", "Accept-Encoding");
}
