/* The cache, sentence by sentence: where an operator's word and the response's meet, and what
   others do to a key that is not theirs. */
#include <string.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define FRESH "Say: Cache-Control: max-age=60"
#define STALE "Say: Cache-Control: max-age=0|ETag: \"x\""

static origin_t *start_with(origin_fn *serve, const char *directives)
{
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("", text("proxy_cache_path @dir@/cache keys_zone=z:1m;"
                          "server { listen 127.0.0.1:@http@;"
                          "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                          "add_header X-Cache $upstream_cache_status always; %s } }",
                          directives));
    return o;
}

static origin_t *start(const char *directives)
{
    return start_with(obedient, directives);
}

/* --- what one client or one answer does to others --- */

/* RFC 9111 5.2.1.5: no-store of a request is about that one. */
E2E(cache_doubt, no_store_of_one_client_is_not_that_of_others)
{
    start("");
    obedient_get("/", "Cache-Control: no-store|" FRESH);
    assert_cache(obedient_get("/", FRESH), "MISS", "2");
    assert_cache(obedient_get("/", ""), "HIT", "2");
}

/* An origin that fails for a moment is not left uncached for minutes. */
E2E(cache_doubt, an_error_does_not_keep_the_next_answer_out)
{
    start("");
    cr_assert_eq(obedient_get("/", "Say-Status: 503")->status, 503);
    cr_assert(EVENTUALLY(strcmp(wire_field(obedient_get("/", FRESH), "X-Cache"), "HIT") == 0));
}

/* RFC 9111 4.3.4, 5.2.2.7: what a 304 makes private is not for others any more. */
E2E(cache_doubt, a_304_may_end_the_storing)
{
    static const char *const ends[] = {"private, max-age=60", "no-store, max-age=60"};
    start("");
    for (size_t i = 0; i < 2; i++) {
        const char *path = text("/%zu", i);
        obedient_get(path, STALE);
        const char *said = text("Say-Status: 304|Say: Cache-Control: %s|ETag: \"x\"", ends[i]);
        wire_t *w = wire_open("http");
        wire_send(w, text("GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, obedient_fields(said)));
        wire_try_reply(w, "GET");
        reply_t *r = obedient_get(path, FRESH);
        cr_expect_str_neq(wire_field(r, "X-Cache"), "HIT", "%s", ends[i]);
        cr_expect_str_neq(r->body.p, "1", "%s", ends[i]);
    }
}

/* RFC 9111 4.3.4: of the variant that the request selects; the other stays as it was. */
E2E(cache_doubt, a_304_renews_the_variant_it_is_about)
{
    origin_t *o = start("");
    obedient_get("/", "X-A: 1|" STALE "|Vary: X-A|X-B: old");
    obedient_get("/", "X-A: 2|" STALE "|Vary: X-A|X-B: old");
    reply_t *r = obedient_get("/", "X-A: 1|Say-Status: 304|" FRESH "|ETag: \"x\"|X-B: new");
    assert_cache(r, "REVALIDATED", "1");
    assert_text(wire_field(r, "X-B"), "new");
    r = obedient_get("/", "X-A: 1");
    assert_cache(r, "HIT", "1");
    cr_assert_eq(origin_requests(o), 3);
    r = obedient_get("/", "X-A: 2|Say-Status: 304|" FRESH "|ETag: \"x\"");
    assert_cache(r, "REVALIDATED", "2");
    assert_text(wire_field(r, "X-B"), "old");
}

/* RFC 9111 3.1, 3.2: neither its length nor what its Connection names is the stored response's. */
E2E(cache_doubt, a_304_brings_no_length_and_nothing_of_its_connection)
{
    start("");
    obedient_get("/", STALE "|X-A: old|X-B: old|Body: 0123456789");
    reply_t *r = obedient_get("/", "Say-Status: 304|" FRESH "|ETag: \"x\"|Content-Length: 3|"
                              "Connection: X-A|X-A: new|X-B: new");
    for (int i = 0; i < 2; i++, r = obedient_get("/", "")) {
        assert_cache(r, i ? "HIT" : "REVALIDATED", "0123456789");
        assert_text(wire_field(r, "Content-Length"), "10");
        assert_text(wire_field(r, "X-A"), "old");
        assert_text(wire_field(r, "X-B"), "new");
    }
}

/* RFC 9111 4.3.4: about something that is not stored, so that the origin is asked anew. */
E2E(cache_doubt, a_304_with_another_etag_updates_nothing)
{
    start("");
    obedient_get("/", STALE "|X-A: old");
    wire_t *w = wire_open("http");
    wire_send(w, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                      obedient_fields("Say-Status: 304|" FRESH "|ETag: \"y\"|X-A: new")));
    wire_try_reply(w, "GET");
    reply_t *r = obedient_get("/", "Say-Status: 304|" FRESH "|ETag: \"x\"");
    assert_cache(r, "REVALIDATED", "1");
    assert_text(wire_field(r, "X-A"), "old");
}

/* RFC 9111 5.2.2.7 with fields. */
E2E(cache_doubt, private_fields_are_not_kept)
{
    start("");
    obedient_get("/", "Say: Cache-Control: max-age=60, private=\"x-mine\"|X-Mine: a|X-Ours: b");
    reply_t *r = obedient_get("/", "");
    assert_cache(r, "HIT", "1");
    cr_assert_null(wire_field(r, "X-Mine"));
    assert_text(wire_field(r, "X-Ours"), "b");
}

E2E(cache_doubt, answers_only_if_cached)
{
    origin_t *o = start("");
    cr_assert_eq(obedient_get("/", "Cache-Control: only-if-cached")->status, 504);
    cr_assert_eq(origin_requests(o), 0);
    obedient_get("/", FRESH);
    assert_cache(obedient_get("/", "Cache-Control: only-if-cached"), "HIT", "1");
}

/* --- what is hard to read --- */

/* Two requests: is the second answered with what came for the first? */
E2E(cache_doubt, odd_fields)
{
    static const struct {
        const char *rfc, *first, *second, *body;
    } rows[] = {
        {"9111 4.2.1 no Date", "Say: Expires: Fri, 01 Jan 2038 00:00:00 GMT|Date: ", "", "1"},
        {"9111 4.2.1 bad Date", "Say: Expires: Fri, 01 Jan 2038 00:00:00 GMT|Date: foo", "", "1"},
        {"9111 4.2.1 Date to come", "Say: Expires: Fri, 01 Jan 2100 00:00:10 GMT|"
         "Date: Fri, 01 Jan 2100 00:00:00 GMT", "", "1"},
        {"9111 4.2.1 Date to come", "Say: Expires: Fri, 01 Jan 2100 00:00:00 GMT|"
         "Date: Fri, 01 Jan 2100 00:00:10 GMT", "", "2"},
        {"9111 5.1 white space", FRESH "|Age:  ,\t5 , 99", "", "1"},
        {"9111 5.1 lines", FRESH "|Age: 99|Age: 0", "", "2"},
        {"9111 5.1 lines", FRESH "|Age: 0|Age: 99", "", "1"},
        {"9110 5.6.1", "Say: Cache-Control: ,, max-age=60 ,", "", "1"},
        {"9111 5.2 lines", "Say: Cache-Control: public|Cache-Control:|Cache-Control: max-age=60",
         "", "1"},
        {"9111 4.2.1 first", "Say: Cache-Control: max-age=0, max-age=60", "", "2"},
        {"9110 5.6.4", "Say: Cache-Control: a=\"b\\\", no-store, c\", max-age=60", "", "1"},
        {"9110 5.6.4 open", "Say: Cache-Control: max-age=60, a=\"b, no-store", "", "1"},
        {"9111 1.2.2", "Say: Cache-Control: max-age=99999999999999999999", "", "1"},
        {"9111 4.2.1 invalid", "Say: Cache-Control: max-age=-60", "", "2"},
        {"9111 4.2.1 invalid", "Say: Cache-Control: max-age=1e3", "", "2"},
        {"9111 5.2.2.10", "Say: Cache-Control: max-age=60, s-maxage=0, must-revalidate", "", "2"},
        {"8941 3.2 lines", FRESH "|CDN-Cache-Control: max-age=60|CDN-Cache-Control: max-age=0", "",
         "2"},
        {"8941 4.2 lines", FRESH "|CDN-Cache-Control: no-store|CDN-Cache-Control: =", "", "1"},
        {"9111 4.1 lines", FRESH "|Vary: X-A|Vary: ,|Vary: ,*", "", "2"},
        {"9111 4.1 lines", "X-A: 1|X-A: 2|" FRESH "|Vary: x-a", "X-A: 1,2", "1"},
        {"9110 12.5.4", "Accept-Language: de, en;q=0.5|" FRESH "|Vary: Accept-Language",
         "Accept-Language: EN;q=0.5,de;q=1", "1"},
        {"9111 3.5", "Authorization: a|Say: Cache-Control: max-age=60, must-revalidate", "", "1"},
        {"9111 3.5", "Authorization: a|Say: Cache-Control: s-maxage=60", "", "1"},
        {"9110 14.4", "Say-Status: 206|" FRESH "|Content-Range: bytes 5-1/9", "", "2"},
    };
    start("");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = text("/%zu", i);
        assert_text(obedient_get(path, rows[i].first)->body.p, "1");
        reply_t *r = obedient_get(path, rows[i].second);
        cr_expect_str_eq(r->body.p, rows[i].body, "RFC %s: %s; %s:\n%s", rows[i].rfc,
                         rows[i].first, rows[i].second, r->head);
    }
}

/* RFC 9111 5.1, RFC 9110 6.6.1: without a directive, though Date of what is fetched is our own. */
E2E(cache_doubt, age_and_the_stored_date_are_sent)
{
    start("");
    obedient_get("/", FRESH "|Date: Thu, 01 Jan 2037 00:00:00 GMT");
    reply_t *r = obedient_get("/", "");
    assert_text(wire_field(r, "Date"), "Thu, 01 Jan 2037 00:00:00 GMT");
    cr_assert_not_null(wire_field(r, "Age"));
}

/* RFC 9111 4.2.4: who does not answer in time is lost, too. */
E2E(cache_doubt, stands_in_for_an_origin_that_is_silent)
{
    origin_t *o = start("proxy_cache_key $arg_k; } location /short/ {"
                        "proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                        "add_header X-Cache $upstream_cache_status always;"
                        "proxy_cache_key $arg_k; proxy_read_timeout 100ms;");
    subject_tolerate("timed out");
    obedient_get("/?k=a", STALE);
    obedient_get("/?k=b", "Say: Cache-Control: max-age=0, must-revalidate|ETag: \"x\"");
    assert_cache(obedient_get("/short/?k=a", "Wait: 1"), "STALE", "1");
    cr_assert_eq(obedient_get("/short/?k=b", "Wait: 1")->status, 504);
    origin_open_gate(o);
}

/* --- on the wire --- */

static void early(visit_t *v)
{
    while (visit_request(v))
        visit_send(v, "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                      "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                      "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
}

/* RFC 9111 3, RFC 9110 15.2: interim responses go to who waits, and are not stored; nor are
   trailers. */
E2E(cache_doubt, interim_responses_are_passed_on_and_not_kept)
{
    origin_t *o = start_with(early, "");
    reply_t *r = obedient_get("/", "");
    assert_has(r->interim, "103 Early");
    assert_has(r->interim, "Link: </a>");
    assert_cache(r, "MISS", "a");
    r = obedient_get("/", "");
    assert_cache(r, "HIT", "a");
    cr_assert(!r->interim || !*r->interim);
    cr_assert_eq(origin_requests(o), 1);
}

static void in_two_halves(visit_t *v)
{
    while (visit_request(v)) {
        bool second = strstr(visit_head(v), "X-Second: 1") != NULL;
        visit_send(v, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n");
        visit_send(v, second ? "Content-Length: 6\r\n\r\nnew" : "Content-Length: 3\r\n\r\nold");
        if (!second) continue;
        visit_gate(v);
        visit_send(v, "est");
    }
}

/* RFC 9111 5.2.1.4: not even while the new one is on its way, within the second of the old one. */
E2E(cache_doubt, who_asks_for_it_anew_never_gets_the_old_one)
{
    static const char *const fields[] = {"Cache-Control: no-cache", "X-Bypass: 1"};
    origin_t *o = start_with(in_two_halves, "proxy_cache_bypass $http_x_bypass;");
    wire_t *w[2];
    for (size_t i = 0; i < 2; i++) {
        assert_cache(obedient_get(text("/%zu", i), ""), "MISS", "old");
        w[i] = wire_open("http");
        wire_send(w[i], text("GET /%zu HTTP/1.1\r\nHost: h\r\nX-Second: 1\r\n%s\r\n\r\n", i,
                             fields[i]));
        wire_through(w[i], "\r\n\r\n");
        str_t first = wire_bytes(w[i], 3);
        cr_assert(str_eq(first, STR("new")), "%s: " STR_FMT, fields[i], STR_ARG(first));
    }
    origin_open_gate(o);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(str_eq(wire_bytes(w[i], 3), STR("est")));
        cr_assert(EVENTUALLY(strcmp(obedient_get(text("/%zu", i), "")->body.p, "newest") == 0));
    }
}

static void generous(visit_t *v)
{
    if (visit_request(v))
        visit_send(v, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\n"
                      "abHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    visit_await_left(v);
}

/* RFC 9112 6.3: what is behind Content-Length is nobody's answer. */
E2E(cache_doubt, a_body_ends_where_content_length_says)
{
    origin_t *o = start_with(generous, "");
    assert_cache(obedient_get("/a", ""), "MISS", "ab");
    assert_cache(obedient_get("/a", ""), "HIT", "ab");
    assert_cache(obedient_get("/b", ""), "MISS", "ab");
    cr_assert_eq(origin_connections(o), 2);
}

static void coded(visit_t *v)
{
    if (visit_request(v))
        visit_send(v, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                      "Transfer-Encoding: rot13, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
}

E2E(cache_doubt, an_unknown_transfer_coding_is_refused)
{
    start_with(coded, "");
    cr_assert_eq(obedient_get("/", "")->status, 502);
    cr_assert_eq(obedient_get("/", "")->status, 502);
}

/* --- the operator's word --- */

/* proxy_cache_use_stale does not outdo what forbids to send anything stale. */
E2E(cache_doubt, use_stale_heeds_must_revalidate)
{
    start("proxy_cache_use_stale error timeout http_503 updating;");
    obedient_get("/a", "Say: Cache-Control: max-age=0, must-revalidate|ETag: \"x\"");
    cr_assert_eq(obedient_get("/a", "Say-Status: 503")->status, 503);
    obedient_get("/b", STALE);
    assert_cache(obedient_get("/b", "Say-Status: 503"), "STALE", "1");
    cr_assert_eq(obedient_get("/b", "Cache-Control: no-cache|Say-Status: 503")->status, 503);
}

/* "off" takes back what a lost origin gets by itself, not what the response allows. */
E2E(cache_doubt, use_stale_off)
{
    origin_t *o = start("proxy_cache_use_stale off;");
    obedient_get("/a", STALE);
    obedient_get("/b", "Say: Cache-Control: max-age=0, stale-if-error=60|ETag: \"x\"");
    origin_stop(o);
    cr_assert_eq(obedient_get("/a", "")->status, 502);
    assert_cache(obedient_get("/b", ""), "STALE", "1");
}

E2E(cache_doubt, who_comes_while_it_is_updated_gets_the_stale_one)
{
    origin_t *o = start("proxy_cache_use_stale updating;");
    obedient_get("/", STALE);
    wire_t *first = wire_open("http");
    wire_send(first, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                          obedient_fields(FRESH "|Wait: 1")));
    cr_assert(EVENTUALLY(origin_requests(o) == 2));
    assert_cache(obedient_get("/", ""), "UPDATING", "1");
    origin_open_gate(o);
    assert_cache(wire_reply(first), "EXPIRED", "2");
    assert_cache(obedient_get("/", ""), "HIT", "2");
}

E2E(cache_doubt, background_update)
{
    origin_t *o = start("proxy_cache_use_stale updating; proxy_cache_background_update on;");
    obedient_get("/", STALE);
    assert_cache(obedient_get("/", FRESH "|Wait: 1"), "STALE", "1");
    cr_assert(EVENTUALLY(origin_requests(o) == 2));
    assert_cache(obedient_get("/", ""), "STALE", "1");
    origin_open_gate(o);
    cr_assert(EVENTUALLY(strcmp(obedient_get("/", "")->body.p, "2") == 0));
    cr_assert_eq(origin_requests(o), 2);
}

static void assert_second_is_not_held(const char *directives)
{
    origin_t *o = start(directives);
    wire_t *first = wire_open("http");
    wire_send(first, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                          obedient_fields(FRESH "|Wait: 1")));
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    assert_cache(obedient_get("/", ""), "MISS", "1");
    origin_open_gate(o);
    assert_text(wire_reply(first)->body.p, "2");
}

/* Who has waited long enough asks the origin itself. */
E2E(cache_doubt, lock_timeout)
{
    assert_second_is_not_held("proxy_cache_lock_timeout 100ms;");
    assert_cache(obedient_get("/", ""), "HIT", "2");
}

E2E(cache_doubt, without_lock_nobody_waits)
{
    assert_second_is_not_held("proxy_cache_lock off;");
}

/* HEAD goes through as it is and is not stored; what GET has left answers it. */
E2E(cache_doubt, convert_head_off)
{
    origin_t *o = start("proxy_cache_convert_head off;");
    assert_text(wire_field(obedient_ask("HEAD", "/", FRESH), "X-Cache"), "MISS");
    cr_assert(strncmp(origin_head(o, 0), "HEAD /", 6) == 0);
    assert_cache(obedient_get("/", FRESH), "MISS", "2");
    assert_text(wire_field(obedient_ask("HEAD", "/", ""), "X-Cache"), "HIT");
    cr_assert_eq(origin_requests(o), 2);
    obedient_get("/stale", STALE);
    assert_text(wire_field(obedient_ask("HEAD", "/stale", ""), "X-Cache"), "EXPIRED");
    cr_assert(strncmp(origin_head(o, 3), "HEAD /", 6) == 0);
}

/* RFC 9213 2.2: the first of those named that is there and valid. */
E2E(cache_doubt, targeted)
{
    static const struct {
        const char *first, *body;
    } rows[] = {
        {"Say: Surrogate-Control: max-age=60, content=\"ESI/1.0\"|Cache-Control: no-store", "1"},
        {FRESH "|Surrogate-Control: no-store", "2"},
        {"Say: Surrogate-Control: max-age=60|CDN-Cache-Control: no-store", "1"},
        {"Say: Surrogate-Control: max-age=60+600|CDN-Cache-Control: no-store", "2"},
        {"Say: CDN-Cache-Control: max-age=60|Cache-Control: no-store", "1"},
    };
    start("proxy_cache_targeted Surrogate-Control CDN-Cache-Control;");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        obedient_get(text("/%zu", i), rows[i].first);
        reply_t *r = obedient_get(text("/%zu", i), "");
        cr_expect_str_eq(r->body.p, rows[i].body, "%s", rows[i].first);
    }
}

/* As in nginx: from the offset on, and of the end, but not of what is stored. */
E2E(cache_doubt, max_range_offset)
{
    static const struct {
        const char *range, *goes_on; /* NULL: the whole is fetched */
    } rows[] = {{"bytes=4-5", "bytes=4-5"}, {"bytes=5-", "bytes=5-"}, {"bytes=-3", "bytes=-3"},
                {"bytes=3-5", NULL}};
    origin_t *o = start("proxy_cache_max_range_offset 4;");
    for (unsigned i = 0; i < 4; i++) {
        const char *ask = text("Range: %s|" FRESH "|Body: 0123456789", rows[i].range);
        reply_t *r = obedient_get("/", ask);
        assert_text(wire_field(r, "X-Cache"), "MISS");
        const char *range = origin_field(o, i, "Range");
        cr_expect_eq(range == NULL, rows[i].goes_on == NULL, "%s", rows[i].range);
        if (rows[i].goes_on) assert_text(range, rows[i].goes_on);
    }
    assert_cache(obedient_get("/", "Range: bytes=7-"), "HIT", "789");
}

E2E(cache_doubt, max_range_offset_0)
{
    origin_t *o = start("proxy_cache_max_range_offset 0;");
    obedient_get("/", "Range: bytes=0-|" FRESH);
    assert_text(origin_field(o, 0, "Range"), "bytes=0-");
    assert_cache(obedient_get("/", FRESH), "MISS", "2");
    assert_cache(obedient_get("/", ""), "HIT", "2");
}

/* A log has to say what the cache did where the origin did not answer. */
E2E(cache_doubt, a_lost_origin_leaves_a_status)
{
    origin_t *o = start("");
    obedient_get("/b", "Say: Cache-Control: max-age=0, must-revalidate|ETag: \"x\"");
    origin_stop(o);
    assert_text(wire_field(obedient_get("/a", ""), "X-Cache"), "MISS");
    assert_text(wire_field(obedient_get("/b", ""), "X-Cache"), "EXPIRED");
}

/* As in nginx they are asked when the answer is there, and may be about it. */
E2E(cache_doubt, no_cache_may_be_about_the_answer)
{
    start("proxy_no_cache $upstream_http_x_keep_out;");
    obedient_get("/a", FRESH "|X-Keep-Out: 1");
    assert_cache(obedient_get("/a", FRESH), "MISS", "2");
    assert_cache(obedient_get("/a", ""), "HIT", "2");
}

/* Status lists, "any", and that the response's own word counts more. */
E2E(cache_doubt, valid)
{
    static const struct {
        const char *first, *status; /* of the second request */
    } rows[] = {
        {"", "HIT"},
        {"Say-Status: 302", "HIT"},
        {"Say-Status: 404", "HIT"},
        {"Say-Status: 403", "HIT"},
        {"Say: Cache-Control: max-age=0", "MISS"},
        {"Say: X-Accel-Expires: 0|Cache-Control: max-age=60", "MISS"},
        {"Say: X-Accel-Expires: 60|Cache-Control: no-store, max-age=0", "HIT"},
        {"Say: X-Accel-Expires: 60|Set-Cookie: a=b", "MISS"},
        {"Say: Set-Cookie: a=b", "MISS"},
        {"Say: Vary: *", "MISS"},
    };
    start("proxy_cache_valid 1m; proxy_cache_valid 404 10s; proxy_cache_valid any 5s;");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        obedient_get(text("/%zu", i), rows[i].first);
        reply_t *r = obedient_get(text("/%zu", i), "");
        cr_expect_str_eq(wire_field(r, "X-Cache"), rows[i].status, "%s", rows[i].first);
    }
}

/* Without proxy_cache_key two hosts that share an origin do not share answers; a query is part of
   it. */
E2E(cache_doubt, the_default_key_tells_hosts_apart)
{
    origin_t *o = start("proxy_set_header Host $host;");
    static const char *const requests[] = {
        "GET /?a=1 HTTP/1.1\r\nHost: one\r\n", "GET /?a=1 HTTP/1.1\r\nHost: two\r\n",
        "GET /?a=2 HTTP/1.1\r\nHost: one\r\n", "GET /?a=1 HTTP/1.1\r\nHost: ONE\r\n",
    };
    for (size_t i = 0; i < 4; i++)
        wire_ask("http", text("%sConnection: close\r\n%s\r\n", requests[i],
                              obedient_fields(FRESH)));
    cr_assert_eq(origin_requests(o), 3);
}
