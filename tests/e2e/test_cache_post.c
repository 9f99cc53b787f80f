/* Answers to POST from the cache: those that speak for GET, and those an operator wants kept. */
#include <string.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(const char *directives)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    subject_http("", text("proxy_cache_path @dir@/cache keys_zone=z:1m;"
                          "server { listen 127.0.0.1:@http@;"
                          "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                          "add_header X-Cache $upstream_cache_status always; add_header X-Own v;"
                          " %s } }",
                          directives));
    return o;
}

static reply_t *ask(const char *method, const char *path, const char *fields, const char *body)
{
    return wire_ask("http", text("%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s"
                                 "Content-Length: %zu\r\n\r\n%s", method, path,
                                 obedient_fields(fields), strlen(body), body));
}

/* The fields with `path` where "^" stands, and the port in place. */
static const char *with_path(const char *fields, const char *path)
{
    const char *at = harness_expand(fields), *mark = strchr(at, '^');
    return mark ? text("%.*s%s%s", (int)(mark - at), at, path, mark + 1) : at;
}

/* RFC 9110 9.3.3, RFC 9111 3: explicit freshness, and Content-Location is the target. */
E2E(cache_post, answers_get_with_what_speaks_for_it)
{
    static const struct {
        const char *post, *body; /* of the GET after it */
    } rows[] = {
        {"Say: Cache-Control: max-age=60|Content-Location: ^", "1"},
        {"Say: Cache-Control: max-age=60|Content-Location: http://h:@http@^", "1"},
        {"Say: Expires: Fri, 01 Jan 2038 00:00:00 GMT|Content-Location: ^", "1"},
        {"Say-Status: 201|Say: Cache-Control: max-age=60|Content-Location: ^", "1"},
        {"Say: Cache-Control: max-age=60", "2"},
        {"Say: Cache-Control: max-age=60|Content-Location: /other", "2"},
        {"Say: Content-Location: ^", "2"},
        {"Say: Content-Location: @|Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", "2"},
        {"Say: Cache-Control: max-age=60, no-store|Content-Location: ^", "2"},
        {"Say: Cache-Control: max-age=60, private|Content-Location: ^", "2"},
        {"Authorization: Basic YTpi|Say: Cache-Control: max-age=60|Content-Location: ^", "2"},
        {"X-No: 1|Say: Cache-Control: max-age=60|Content-Location: ^", "2"},
    };
    start("proxy_no_cache $http_x_no; proxy_cache_valid 200 1h;");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = text("/%zu", i);
        assert_text(ask("POST", path, with_path(rows[i].post, path), "x=y")->body.p, "1");
        reply_t *r = ask("GET", path, "", "");
        cr_expect_str_eq(r->body.p, rows[i].body, "%s:\n%s", rows[i].post, r->head);
    }
}

E2E(cache_post, keeps_what_the_client_gets)
{
    origin_t *o = start("proxy_hide_header X-Secret; gzip on; gzip_min_length 1; gzip_types *;");
    reply_t *r = ask("POST", "/", "Accept-Encoding: gzip|Say: Cache-Control: max-age=60|"
                     "Content-Location: /|X-Secret: s|X-Told: t|ETag: \"x\"|"
                     "Content-Type: text/plain|"
                     "Body: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x");
    assert_text(wire_field(r, "Content-Encoding"), "gzip");
    assert_has(wire_field(r, "Cache-Status"), "fwd=method");
    assert_has(wire_field(r, "Cache-Status"), "stored");
    r = ask("GET", "/", "", "");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_text(wire_field(r, "X-Told"), "t");
    assert_text(wire_field(r, "X-Own"), "v");
    assert_text(wire_field(r, "ETag"), "\"x\"");
    cr_assert_null(wire_field(r, "X-Secret"));
    cr_assert_null(wire_field(r, "Content-Encoding"));
    cr_assert_eq(r->body.n, 56);
    assert_text(wire_field(ask("HEAD", "/", "", ""), "X-Cache"), "HIT");
    cr_assert_eq(origin_requests(o), 1);
}

/* It takes the place of what it has invalidated; a POST itself always goes to the origin. */
E2E(cache_post, replaces_what_was_stored)
{
    static const char *const speaks = "Say: Cache-Control: max-age=60|Content-Location: /";
    start("");
    assert_text(ask("GET", "/", "Say: Cache-Control: max-age=60", "")->body.p, "1");
    assert_text(ask("POST", "/", speaks, "x")->body.p, "2");
    assert_text(ask("GET", "/", "", "")->body.p, "2");
    assert_text(ask("POST", "/", speaks, "x")->body.p, "3");
    assert_text(ask("GET", "/", "", "")->body.p, "3");
}

/* Answers in chunks: a short one, and one that is too long to be kept. */
static void in_chunks(visit_t *v)
{
    static char block[8192];
    memset(block, 'z', sizeof(block));
    while (visit_request(v)) {
        bool is_long = strstr(visit_head(v), "/long") != NULL;
        visit_send(v, is_long ? "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                                "Content-Location: /long\r\nTransfer-Encoding: chunked\r\n\r\n"
                              : "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                                "Content-Location: /short\r\nTransfer-Encoding: chunked\r\n\r\n");
        visit_send(v, "3\r\nabc\r\n3\r\ndef\r\n");
        for (int i = 0; is_long && i < 64; i++) {
            visit_send(v, "2000\r\n");
            visit_send_n(v, block, sizeof(block));
            visit_send(v, "\r\n");
        }
        visit_send(v, "0\r\n\r\n");
    }
}

E2E(cache_post, keeps_bodies_of_moderate_size)
{
    origin_start("origin", in_chunks, NULL);
    subject_http("", "proxy_cache_path @dir@/cache keys_zone=z:1m;"
                     " server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                     "add_header X-Cache $upstream_cache_status; } }");
    assert_text(ask("POST", "/short", "", "x")->body.p, "abcdef");
    reply_t *r = ask("GET", "/short", "", "");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_text(r->body.p, "abcdef");
    r = ask("POST", "/long", "", "x");
    cr_assert_eq(r->body.n, 6 + 64 * 8192);
    cr_assert(strncmp(r->body.p, "abcdefzz", 8) == 0);
    r = ask("GET", "/long", "", "");
    assert_text(wire_field(r, "X-Cache"), "MISS");
    cr_assert_eq(r->body.n, 6 + 64 * 8192);
}

E2E(cache_post, does_not_keep_what_broke_off)
{
    start("");
    subject_tolerate("upstream prematurely closed");
    wire_t *w = wire_open("http");
    wire_send(w, text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n%s\r\nx",
                      obedient_fields("Say: Cache-Control: max-age=60|Content-Location: /|"
                                      "Content-Length: 100|Close: 1")));
    cr_assert_not_null(wire_try_reply(w, "POST")->broken);
    assert_text(wire_field(ask("GET", "/", "", ""), "X-Cache"), "MISS");
}

/* As in nginx: the operator says that POST may be answered from the cache, and by what. */
E2E(cache_post, answers_post_where_the_operator_says_so)
{
    static const char *const fresh = "Say: Cache-Control: max-age=60|ETag: \"x\"";
    origin_t *o = start("proxy_cache_methods POST; proxy_cache_key $request_method$uri|"
                        "$request_body;"
                        "client_body_buffer_size 1k;");
    assert_text(wire_field(ask("POST", "/q", fresh, "one"), "X-Cache"), "MISS");
    assert_text(wire_field(ask("POST", "/q", fresh, "two"), "X-Cache"), "MISS");
    reply_t *r = ask("POST", "/q", "", "one");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_text(r->body.p, "1");
    assert_text(ask("POST", "/q", "", "two")->body.p, "2");
    assert_text(ask("GET", "/q", fresh, "")->body.p, "3");
    assert_text(wire_field(ask("GET", "/q", "", ""), "X-Cache"), "HIT"); /* GET always is */
    cr_assert(strncmp(origin_head(o, 0), "POST /q ", 8) == 0);
    assert_text(origin_body(o, 0).p, "one");
    assert_text(origin_body(o, 1).p, "two");
    assert_text(origin_field(o, 1, "Content-Length"), "3");
}

/* What is stale is asked for anew, and without a condition, which would mean something else. */
E2E(cache_post, repeats_a_stale_post)
{
    origin_t *o = start("proxy_cache_methods POST;");
    ask("POST", "/", "Say: Cache-Control: max-age=0|ETag: \"x\"", "a");
    assert_text(wire_field(ask("POST", "/", "", "b"), "X-Cache"), "EXPIRED");
    cr_assert_null(origin_field(o, 1, "If-None-Match"));
    assert_text(origin_body(o, 1).p, "b");
}

/* Bodies that are in a file, and in chunks. */
E2E(cache_post, takes_bodies_of_any_kind)
{
    enum { LARGE = 100000 };
    origin_t *o = start("proxy_cache_methods POST; client_body_buffer_size 1k;");
    static char body[LARGE + 1];
    memset(body, 'b', LARGE);
    reply_t *r = ask("POST", "/large", "Say: Cache-Control: max-age=60", body);
    assert_text(wire_field(r, "X-Cache"), "MISS");
    cr_assert_eq(origin_body(o, 0).n, LARGE);
    assert_text(wire_field(ask("POST", "/large", "", body), "X-Cache"), "HIT");
    wire_ask("http", "POST /chunks HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_text(origin_body(o, 1).p, "abc");
    r = wire_ask("http", "POST /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    cr_assert_eq(r->status, 200);
}
