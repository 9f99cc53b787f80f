/* The cache over the wire: what is kept, for how long, for whom, and what becomes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
                          "proxy_cache_purge $http_x_purge; proxy_pass_header Date;"
                          "add_header X-Cache $upstream_cache_status always; %s } }",
                          directives));
    return o;
}

/* --- two requests: is the second answered with what came for the first? --- */

#define FRESH "Say: Cache-Control: max-age=60"

static const struct {
    const char *why, *first, *second, *body;
} rows[] = {
    /* freshness */
    {"RFC 9111 4.2.1", FRESH, "", "1"},
    {"RFC 9111 4.2.1 s-maxage", "Say: Cache-Control: max-age=0, s-maxage=60", "", "1"},
    {"RFC 9111 4.2.1 Expires", "Say: Expires: Fri, 01 Jan 2038 00:00:00 GMT", "", "1"},
    {"past 2038", "Say: Expires: Fri, 01 Jan 2100 00:00:00 GMT", "", "1"},
    {"past 2286", "Say: Expires: Fri, 01 Jan 2300 00:00:00 GMT", "", "1"},
    {"rfc850", "Say: Expires: Friday, 01-Jan-38 00:00:00 GMT", "", "1"},
    {"asctime", "Say: Expires: Fri Jan  1 00:00:00 2038", "", "1"},
    {"any case", "Say: Expires: fri, 01 jan 2038 00:00:00 gmt", "", "1"},
    {"no date", "Say: Expires: 0", "", "2"},
    {"no date", "Say: Expires: 2038-01-01T00:00:00Z", "", "2"},
    {"Expires minus Date", "Say: Expires: Thu, 01 Jan 2015 00:01:00 GMT|Date: Thu, 01 Jan 2015 "
     "00:00:00 GMT", "", "2"},
    {"equal is stale", "Say: Expires: Thu, 01 Jan 2015 00:00:00 GMT|Date: Thu, 01 Jan 2015 "
     "00:00:00 GMT", "", "2"},
    {"RFC 9111 5.3", "Say: Cache-Control: max-age=0|Expires: Fri, 01 Jan 2038 00:00:00 GMT", "",
     "2"},
    {"age", FRESH "|Age: 30", "", "1"},
    {"age", FRESH "|Age: 60", "", "2"},
    {"the first member", FRESH "|Age: 1, 99", "", "1"},
    {"the first member", FRESH "|Age: 99, 1", "", "2"},
    {"invalid: ignored", FRESH "|Age: -1", "", "1"},
    {"invalid: ignored", FRESH "|Age: abc", "", "1"},
    {"saturating", FRESH "|Age: 99999999999999999999", "", "2"},
    {"apparent age", FRESH "|Date: Thu, 01 Jan 2015 00:00:00 GMT", "", "2"},
    {"a guess", "Say: Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", "", "1"},
    {"no guess", "", "", "2"},
    {"no guess for 201", "Say-Status: 201|Say: Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", "",
     "2"},
    {"explicit for any status", "Say-Status: 299|" FRESH, "", "1"},
    {"a redirect", "Say-Status: 301|" FRESH "|Location: /x", "", "1"},
    {"an error", "Say-Status: 404|" FRESH, "", "1"},
    /* Cache-Control */
    {"RFC 9111 5.2.2.5", "Say: Cache-Control: no-store, max-age=60", "", "2"},
    {"RFC 9111 5.2.2.7", "Say: Cache-Control: private, max-age=60", "", "2"},
    {"RFC 9111 5.2.2.4", "Say: Cache-Control: no-cache, max-age=60", "", "2"},
    {"any case", "Say: cache-control: MAX-AGE=60", "", "1"},
    {"a quoted string", "Say: Cache-Control: a=\"no-store\", max-age=60", "", "1"},
    {"a quoted string", "Say: Cache-Control: a=\"b, no-store, c\", max-age=60", "", "1"},
    {"a quoted number", "Say: Cache-Control: max-age=\"60\"", "", "1"},
    {"two lines", "Say: Cache-Control: a|Cache-Control: max-age=60", "", "1"},
    {"RFC 9111 5.2.2.3",
     "Say-Status: 200|Say: Cache-Control: must-understand, no-store, max-age=60", "", "1"},
    {"RFC 9111 5.2.2.3",
     "Say-Status: 499|Say: Cache-Control: must-understand, no-store, max-age=60", "", "2"},
    /* targeted */
    {"RFC 9213", "Say: Cache-Control: no-store|CDN-Cache-Control: max-age=60", "", "1"},
    {"RFC 9213", FRESH "|CDN-Cache-Control: no-store", "", "2"},
    {"RFC 9213: invalid, ignored", FRESH "|CDN-Cache-Control: max-age=60, no-store=\"", "", "1"},
    {"RFC 9213: no Expires", "Say: Expires: Fri, 01 Jan 2038 00:00:00 GMT|CDN-Cache-Control: "
     "max-age=0", "", "2"},
    /* requests */
    {"RFC 9111 5.2.1.4", FRESH, "Cache-Control: no-cache", "2"},
    {"RFC 9111 5.4", FRESH, "Pragma: no-cache", "2"},
    {"RFC 9111 5.2.1.1", FRESH "|Age: 30", "Cache-Control: max-age=10", "2"},
    {"RFC 9111 5.2.1.3", FRESH "|Age: 30", "Cache-Control: min-fresh=40", "2"},
    {"RFC 9111 5.2.1.2", FRESH "|Age: 70", "Cache-Control: max-stale=20", "1"},
    {"RFC 9111 5.2.1.5", "Cache-Control: no-store|" FRESH, "", "2"},
    {"RFC 8246", "Say: Cache-Control: max-age=60, immutable|Age: 10", "Cache-Control: max-age=0",
     "1"},
    /* who may have it */
    {"RFC 9111 3.5", "Authorization: Basic YTpi|" FRESH, "", "2"},
    {"RFC 9111 3.5", "Authorization: Basic YTpi|Say: Cache-Control: max-age=60, public", "", "1"},
    {"a cookie does not forbid", FRESH "|Set-Cookie: a=b", "", "1"},
    {"a cookie and a guess", "Say: Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT|Set-Cookie: a=b",
     "",     "2"},
    /* Vary */
    {"RFC 9111 4.1", "X-A: 1|" FRESH "|Vary: X-A", "X-A: 1", "1"},
    {"RFC 9111 4.1", "X-A: 1|" FRESH "|Vary: X-A", "X-A: 2", "2"},
    {"RFC 9111 4.1", "X-A: 1|" FRESH "|Vary: X-A", "", "2"},
    {"RFC 9111 4.1", FRESH "|Vary: X-A", "X-A: 1", "2"},
    {"RFC 9111 4.1", FRESH "|Vary: *", "", "2"},
    {"any line, any place", FRESH "|Vary: X-A|Vary: X-B, *", "", "2"},
    {"normalised", "Accept-Encoding: gzip, br|" FRESH "|Vary: Accept-Encoding",
     "Accept-Encoding: br,gzip", "1"},
    {"two", "X-A: 1|X-B: 1|" FRESH "|Vary: X-A, X-B", "X-B: 1|X-A: 1", "1"},
    {"two", "X-A: 1|X-B: 1|" FRESH "|Vary: X-A, X-B", "X-B: 2|X-A: 1", "2"},
    /* other things that are not to be kept */
    {"a part nobody asked for", "Say-Status: 206|" FRESH "|Content-Range: bytes 0-0/9", "", "2"},
    {"RFC 6585", "Say-Status: 429|" FRESH, "", "2"},
};

E2E(cache, keeps_what_may_be_kept)
{
    start("");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = text("/%zu", i);
        assert_text(obedient_get(path, rows[i].first)->body.p, "1");
        reply_t *r = obedient_get(path, rows[i].second);
        cr_expect_str_eq(r->body.p, rows[i].body, "%s: %s; %s:\n%s", rows[i].why, rows[i].first,
                         rows[i].second, r->head);
    }
}

/* --- what is sent --- */

E2E(cache, tells_age_date_and_what_it_did)
{
    start("");
    reply_t *r = obedient_get("/", FRESH "|Age: 7|Date: Thu, 01 Jan 2037 00:00:00 GMT|X-Own: v|"
                          "Connection: X-Hop|X-Hop: v");
    assert_cache(r, "MISS", "1");
    assert_text(wire_field(r, "Cache-Status"), "proxyd; fwd=uri-miss; fwd-status=200; stored");
    r = obedient_get("/", "");
    assert_cache(r, "HIT", "1");
    assert_text(wire_field(r, "Date"), "Thu, 01 Jan 2037 00:00:00 GMT");
    assert_text(wire_field(r, "X-Own"), "v");
    cr_expect_null(wire_field(r, "X-Hop"), "what Connection names is not stored");
    cr_expect(atoi(wire_field(r, "Age")) >= 7);
    assert_has(wire_field(r, "Cache-Status"), "proxyd; hit; ttl=5");
}

E2E(cache, keeps_back_what_no_cache_names)
{
    start("");
    obedient_get("/", "Say: Cache-Control: max-age=60, no-cache=\"set-cookie\"|Set-Cookie: a=b");
    reply_t *r = obedient_get("/", "");
    assert_cache(r, "HIT", "1");
    cr_expect_null(wire_field(r, "Set-Cookie"));
}

E2E(cache, answers_head_from_get_and_fetches_get_for_head)
{
    origin_t *o = start("");
    reply_t *r = obedient_ask("HEAD", "/", FRESH);
    assert_text(wire_field(r, "X-Cache"), "MISS");
    assert_text(wire_field(r, "Content-Length"), "1");
    assert_cache(obedient_get("/", ""), "HIT", "1");
    assert_text(wire_field(obedient_ask("HEAD", "/", ""), "X-Cache"), "HIT");
    cr_assert_eq(origin_requests(o), 1);
    cr_assert(strncmp(origin_head(o, 0), "GET / ", 6) == 0);
}

E2E(cache, judges_conditions_on_what_is_stored)
{
    static const struct {
        const char *fields;
        int status;
    } cases[] = {
        {"If-None-Match: \"x\"", 304},
        {"If-None-Match: W/\"x\"", 304},
        {"If-None-Match: \"a\", W/\"x\"", 304},
        {"If-None-Match: *", 304},
        {"If-None-Match: \"y\"", 200},
        {"If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT", 304},
        {"If-Modified-Since: Wed, 31 Dec 2014 00:00:00 GMT", 200},
        {"If-None-Match: \"y\"|If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT", 200},
        {"If-Match: \"y\"", 412},
    };
    origin_t *o = start("");
    obedient_get("/", FRESH "|ETag: \"x\"|Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_t *r = obedient_get("/", cases[i].fields);
        cr_expect_eq(r->status, cases[i].status, "%s: %d", cases[i].fields, r->status);
        if (r->status == 304) assert_text(wire_field(r, "ETag"), "\"x\"");
    }
    cr_assert_eq(origin_requests(o), 1);
}

E2E(cache, does_not_pass_conditions_on)
{
    origin_t *o = start("");
    reply_t *r = obedient_get("/", "If-None-Match: \"x\"|Range: bytes=0-0|" FRESH "|ETag: \"x\"");
    cr_expect_eq(r->status, 304);
    cr_expect_null(origin_field(o, 0, "If-None-Match"));
    cr_expect_null(origin_field(o, 0, "Range"));
}

E2E(cache, serves_ranges_of_whole_objects)
{
    static const struct {
        const char *range, *body, *content_range;
        int status;
    } cases[] = {
        {"bytes=0-2", "012", "bytes 0-2/10", 206}, {"bytes=7-", "789", "bytes 7-9/10", 206},
        {"bytes=-1", "9", "bytes 9-9/10", 206},    {"bytes=3-99", "3456789", "bytes 3-9/10", 206},
        {"bytes=10-", NULL, "bytes */10", 416},    {"lines=0-1", "0123456789", NULL, 200},
    };
    origin_t *o = start("");
    obedient_get("/", FRESH "|Body: 0123456789");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_t *r = obedient_get("/", text("Range: %s", cases[i].range));
        cr_expect_eq(r->status, cases[i].status, "%s: %d", cases[i].range, r->status);
        if (cases[i].body) assert_text(r->body.p, cases[i].body);
        if (cases[i].content_range)
            assert_text(wire_field(r, "Content-Range"), cases[i].content_range);
    }
    reply_t *r = obedient_get("/", "Range: bytes=0-0,9-9");
    cr_assert_eq(r->status, 206);
    assert_has(r->body.p, "Content-Range: bytes 9-9/10\r\n\r\n9\r\n");
    cr_assert_eq(origin_requests(o), 1);
}

/* --- validation --- */

E2E(cache, validates_and_takes_over_the_fields_of_the_304)
{
    origin_t *o = start("");
    obedient_get("/", "Say: Cache-Control: max-age=0|ETag: \"x\"|"
                      "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT|"
             "X-A: old|X-B: old|Content-Length: 1");
    reply_t *r = obedient_get("/", "Say-Status: 304|" FRESH "|ETag: \"x\"|X-A: new");
    assert_cache(r, "REVALIDATED", "1");
    assert_text(wire_field(r, "X-A"), "new");
    assert_text(wire_field(r, "X-B"), "old");
    assert_text(origin_field(o, 1, "If-None-Match"), "\"x\"");
    assert_text(origin_field(o, 1, "If-Modified-Since"), "Thu, 01 Jan 2015 00:00:00 GMT");
    r = obedient_get("/", "");
    assert_cache(r, "HIT", "1");
    assert_text(wire_field(r, "X-A"), "new");
    cr_assert_eq(origin_requests(o), 2);
}

E2E(cache, replaces_what_has_changed)
{
    start("");
    obedient_get("/", "Say: Cache-Control: max-age=0|ETag: \"x\"");
    assert_cache(obedient_get("/", FRESH "|ETag: \"y\""), "EXPIRED", "2");
    assert_cache(obedient_get("/", ""), "HIT", "2");
}

E2E(cache, asks_unconditionally_where_revalidate_is_off)
{
    origin_t *o = start("proxy_cache_revalidate off;");
    obedient_get("/", "Say: Cache-Control: max-age=0|ETag: \"x\"");
    obedient_get("/", "Say: Cache-Control: max-age=0|ETag: \"x\"");
    cr_assert_null(origin_field(o, 1, "If-None-Match"));
}

/* --- invalidation --- */

E2E(cache, drops_what_unsafe_methods_change)
{
    static const struct {
        const char *method, *fields, *left; /* what a GET gets after it */
    } cases[] = {
        {"POST", "", "3"},
        {"PUT", "", "3"},
        {"DELETE", "", "3"},
        {"BREW", "", "3"},
        {"POST", "Say-Status: 404", "1"},
        {"POST", "Say-Status: 500", "1"},
        {"POST", "Say-Status: 303|Say: Location: /elsewhere", "3"},
        {"OPTIONS", "", "1"},
    };
    start("");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = text("/%zu", i);
        obedient_get(path, FRESH);
        obedient_ask(cases[i].method, path, cases[i].fields);
        assert_text(obedient_get(path, FRESH)->body.p, cases[i].left);
    }
}

E2E(cache, drops_what_locations_name)
{
    start("");
    obedient_get("/a", FRESH);
    obedient_get("/b", FRESH);
    obedient_ask("POST", "/c", "Say: Location: /a|Content-Location: /b");
    assert_text(obedient_get("/a", FRESH)->body.p, "2");
    assert_text(obedient_get("/b", FRESH)->body.p, "2");
    obedient_ask("POST", "/c", "Say: Location: http://elsewhere/a");
    assert_text(obedient_get("/a", FRESH)->body.p, "2");
}

/* --- origins that fail --- */

E2E(cache, stands_in_for_a_lost_origin)
{
    static const struct {
        const char *first;
        int status;
    } cases[] = {
        {"Say: Cache-Control: max-age=0|ETag: \"x\"", 200},
        {"Say: Cache-Control: max-age=0, must-revalidate|ETag: \"x\"", 502},
        {"Say: Cache-Control: max-age=0, proxy-revalidate|ETag: \"x\"", 502},
        {"Say: Cache-Control: s-maxage=0|ETag: \"x\"", 502},
        {"Say: Cache-Control: no-cache|ETag: \"x\"", 502},
        {"Say-Status: 503|Say: Cache-Control: max-age=0|ETag: \"x\"", 502},
    };
    origin_t *o = start("");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        obedient_get(text("/%zu", i), cases[i].first);
    origin_stop(o);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_t *r = obedient_get(text("/%zu", i), "");
        cr_expect_eq(r->status, cases[i].status, "%s: %d", cases[i].first, r->status);
        if (r->status == 200) assert_cache(r, "STALE", "1");
    }
}

E2E(cache, stands_in_for_errors_where_it_may)
{
    start("");
    obedient_get("/a", "Say: Cache-Control: max-age=0, stale-if-error=60|ETag: \"x\"");
    assert_cache(obedient_get("/a", "Say-Status: 503"), "STALE", "1");
    obedient_get("/b", "Say: Cache-Control: max-age=0|ETag: \"x\"");
    cr_assert_eq(obedient_get("/b", "Say-Status: 503")->status, 503);
}

E2E(cache, stands_in_where_the_operator_says)
{
    start("proxy_cache_use_stale http_503 http_404;");
    obedient_get("/a", "Say: Cache-Control: max-age=0|ETag: \"x\"");
    assert_cache(obedient_get("/a", "Say-Status: 503"), "STALE", "1");
    assert_cache(obedient_get("/a", "Say-Status: 404"), "STALE", "1");
    cr_assert_eq(obedient_get("/a", "Say-Status: 500")->status, 500);
}

E2E(cache, updates_in_the_background)
{
    origin_t *o = start("");
    obedient_get("/", "Say: Cache-Control: max-age=0, stale-while-revalidate=60|ETag: \"x\"");
    assert_cache(obedient_get("/", FRESH), "STALE", "1");
    cr_assert(EVENTUALLY(origin_requests(o) == 2));
    cr_assert(EVENTUALLY(strcmp(obedient_get("/", FRESH)->body.p, "2") == 0));
    cr_assert_eq(origin_requests(o), 2);
}

/* What breaks off is neither kept nor passed off as whole. */
E2E(cache, does_not_keep_what_broke_off)
{
    start("");
    subject_tolerate("upstream prematurely closed");
    wire_t *w = wire_open("http");
    wire_send(w, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                      obedient_fields(FRESH "|Content-Length: 100|Close: 1")));
    reply_t *r = wire_try_reply(w, "GET");
    cr_assert_not_null(r->broken);
    r = obedient_get("/", FRESH);
    assert_text(wire_field(r, "X-Cache"), "MISS");
    assert_cache(obedient_get("/", ""), "HIT", r->body.p);
}

/* --- many at once --- */

E2E(cache, fetches_once_for_all)
{
    enum { CLIENTS = 20 };
    origin_t *o = start("");
    wire_t *w[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                             obedient_fields(FRESH "|Wait: 1")));
    }
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    pause_ms(50);
    origin_open_gate(o);
    for (int i = 0; i < CLIENTS; i++) assert_text(wire_reply(w[i])->body.p, "1");
    cr_assert_eq(origin_requests(o), 1);
}

/* The client who caused the fetch leaves; what it fetched is kept, and who reads along gets it. */
E2E(cache, goes_on_when_the_first_client_leaves)
{
    origin_t *o = start("");
    wire_t *first = wire_open("http"), *second = wire_open("http");
    const char *request = text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                               obedient_fields(FRESH "|Wait: 1"));
    wire_send(first, request);
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    wire_send(second, request);
    wire_reset(first);
    pause_ms(50);
    origin_open_gate(o);
    assert_text(wire_reply(second)->body.p, "1");
    assert_cache(obedient_get("/", ""), "HIT", "1");
    cr_assert_eq(origin_requests(o), 1);
}

/* Requests for what is not storable do not wait for each other once that is known. */
E2E(cache, does_not_serialise_what_it_may_not_keep)
{
    enum { CLIENTS = 5 };
    origin_t *o = start("");
    wire_t *w[CLIENTS];
    obedient_get("/", "Say: Cache-Control: no-store");
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                             obedient_fields("Say: Cache-Control: no-store|Wait: 1")));
    }
    cr_assert(EVENTUALLY(origin_requests(o) == 1 + CLIENTS));
    origin_open_gate(o);
    for (int i = 0; i < CLIENTS; i++) cr_assert_eq(wire_reply(w[i])->status, 200);
}

/* --- directives --- */

E2E(cache, obeys_the_directives_of_nginx)
{
    origin_t *o = start("proxy_cache_valid 200 1m; proxy_cache_valid 404 0; proxy_cache_min_uses 2;"
                        "proxy_cache_bypass $http_x_bypass; proxy_no_cache $http_x_no;"
                        "proxy_cache_key $uri$is_args$arg_k;"
                        "proxy_cache_methods GET; proxy_cache_lock_timeout 10s;"
                        "proxy_cache_lock_age 10s; proxy_cache_max_range_offset 5;"
                        "proxy_ignore_headers Cache-Control Expires;");
    obedient_get("/a?k=1&x=1", "");
    obedient_get("/a?k=1&x=2", "");
    assert_cache(obedient_get("/a?k=1&x=3", ""), "HIT", "2");
    assert_cache(obedient_get("/a?k=1", "X-Bypass: 1"), "BYPASS", "3");
    assert_cache(obedient_get("/a?k=1", ""), "HIT", "3");
    obedient_get("/b", "X-No: 1"), obedient_get("/b", "X-No: 1"), obedient_get("/b", "X-No: 1");
    assert_cache(obedient_get("/b", "Say: Cache-Control: no-store"), "MISS", "4");
    assert_cache(obedient_get("/b", ""), "HIT", "4");
    obedient_get("/c", "Say-Status: 404"), obedient_get("/c", "Say-Status: 404");
    cr_assert_eq(obedient_get("/c", "")->status, 200);
    obedient_get("/d", "Body: 0123456789"), obedient_get("/d", "Range: bytes=6-|Body: 0123456789");
    cr_assert_not_null(origin_field(o, origin_requests(o) - 1, "Range"));
}

E2E(cache, purges)
{
    start("");
    obedient_get("/a", FRESH "|Surrogate-Key: red big");
    obedient_get("/ab", FRESH "|xkey: red");
    obedient_get("/b", FRESH);
    assert_has(obedient_get("/b", "X-Purge: 1")->body.p, "purged");
    assert_text(obedient_get("/b", FRESH)->body.p, "2");
    assert_text(obedient_get("/a", FRESH)->body.p, "1");
    obedient_get("/b", "X-Purge: 1|Surrogate-Key: red");
    assert_text(obedient_get("/a", FRESH)->body.p, "2");
    assert_text(obedient_get("/ab", FRESH)->body.p, "2");
    assert_text(obedient_get("/b", FRESH)->body.p, "2");
    obedient_get("/a*", "X-Purge: 1");
    assert_text(obedient_get("/a", FRESH)->body.p, "3");
    assert_text(obedient_get("/ab", FRESH)->body.p, "3");
    assert_text(obedient_get("/b", FRESH)->body.p, "2");
}

E2E(cache, purges_softly)
{
    start("");
    obedient_get("/", "Say: Cache-Control: max-age=60, stale-while-revalidate=60|ETag: \"x\"");
    obedient_get("/", "X-Purge: 1|Soft-Purge: 1");
    assert_cache(obedient_get("/", FRESH), "STALE", "1");
}

E2E(cache, refuses_a_wrong_configuration)
{
    file_write("bad.conf", "events {} http { server { location / { proxy_cache nowhere; } } }");
    ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "nowhere");
}
