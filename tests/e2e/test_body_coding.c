/* Request bodies in a content coding: unpacked for the origin, packed for the origin, refused. */
#include "tests/e2e/coding.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { ROOM = 1 << 20 };

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static origin_t *start(const char *location)
{
    origin_t *o = origin_start("origin", origin_say, OK);
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
    return o;
}

static str_t words(size_t n)
{
    char *p = pool_bytes(harness_pool, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = "some words of a text "[i * 5 / 3 % 21];
    p[n] = 0;
    return str_make(p, n);
}

static void send_head(wire_t *w, const char *fields)
{
    wire_send(w, text("POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n%s\r\n", fields));
}

static reply_t *post(const char *coding, str_t body)
{
    wire_t *w = wire_open("http");
    send_head(w, text("Content-Encoding: %s\r\nContent-Length: %zu\r\n", coding, body.n));
    wire_try_send(w, body);
    reply_t *r = wire_reply_to(w, "POST");
    wire_close(w);
    return r;
}

static reply_t *post_chunked(const char *coding, str_t body)
{
    wire_t *w = wire_open("http");
    send_head(w, text("Content-Encoding: %s\r\nTransfer-Encoding: chunked\r\n", coding));
    while (body.n) {
        str_t part = str_sub(body, 0, body.n < 700 ? body.n : 700);
        body = str_sub(body, part.n, body.n);
        wire_send(w, text("%zx\r\n", part.n));
        wire_send_n(w, part);
        wire_send(w, "\r\n");
    }
    wire_send(w, "0\r\n\r\n");
    reply_t *r = wire_reply_to(w, "POST");
    wire_close(w);
    return r;
}

static const char *const codings[] = {"gzip", "x-gzip", "deflate", "br", "zstd"};

static void assert_arrives(origin_t *o, unsigned i, str_t expected, bool counted)
{
    cr_assert(str_eq(origin_body(o, i), expected), "%u: %zu bytes", i, origin_body(o, i).n);
    cr_assert_not(origin_field(o, i, "Content-Encoding"));
    const char *length = origin_field(o, i, "Content-Length");
    if (counted) assert_text(length, text("%zu", expected.n));
    cr_assert_eq(!!length, counted);
}

/* --- unpacked --- */

static void arrives_plain(const char *directives, size_t n, bool counted)
{
    origin_t *o = start(text("client_body_decompress on; %s", directives));
    str_t plain = words(n);
    unsigned sent = 0;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        str_t packed = coding_pack(codings[i], plain);
        if (!packed.p) continue;
        cr_assert_eq(post(codings[i], packed)->status, 200, "%s", codings[i]);
        assert_arrives(o, sent++, plain, counted);
        cr_assert_eq(post_chunked(codings[i], packed)->status, 200, "%s", codings[i]);
        assert_arrives(o, sent++, plain, counted);
    }
}

E2E(body_coding, origins_get_it_plain)
{
    arrives_plain("", 3000, true);
}

E2E(body_coding, origins_get_it_plain_from_a_file)
{
    arrives_plain("client_body_buffer_size 16k;", 500 * 1000, true);
}

E2E(body_coding, origins_get_it_plain_as_it_comes)
{
    arrives_plain("proxy_request_buffering off;", 200 * 1000, false);
}

E2E(body_coding, it_is_off_unless_switched_on)
{
    origin_t *o = start("");
    str_t packed = coding_pack("gzip", words(1000));
    cr_assert_eq(post("gzip", packed)->status, 200);
    cr_assert(str_eq(origin_body(o, 0), packed));
    assert_text(origin_field(o, 0, "Content-Encoding"), "gzip");
}

E2E(body_coding, what_is_in_none_stays)
{
    origin_t *o = start("client_body_decompress on;");
    cr_assert_eq(post("identity", STR("plain"))->status, 200);
    cr_assert(str_eq(origin_body(o, 0), STR("plain")));
    wire_t *w = wire_open("http");
    wire_send(w, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nplain"
                 "GET /y HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n\r\n");
    cr_assert_eq(wire_reply_to(w, "POST")->status, 200);
    cr_assert_eq(wire_reply(w)->status, 200);
    cr_assert_eq(origin_requests(o), 3);
}

E2E(body_coding, digests_of_other_bytes_go)
{
    origin_t *o = start("client_body_decompress on;");
    str_t packed = coding_pack("gzip", words(100));
    wire_t *w = wire_open("http");
    send_head(w, text("Content-Encoding: gzip\r\nContent-Length: %zu\r\nContent-MD5: m\r\n"
                      "Digest: d\r\nContent-Digest: c\r\nRepr-Digest: r\r\nX-Other: o\r\n",
                      packed.n));
    wire_send_n(w, packed);
    cr_assert_eq(wire_reply_to(w, "POST")->status, 200);
    static const char *const gone[] = {"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"};
    for (int i = 0; i < 4; i++) cr_assert_not(origin_field(o, 0, gone[i]));
    assert_text(origin_field(o, 0, "X-Other"), "o");
}

E2E(body_coding, members_are_joined)
{
    origin_t *o = start("client_body_decompress on;");
    str_t two = pool_concat(harness_pool, coding_pack("gzip", STR("one, ")),
                            coding_pack("gzip", STR("two")));
    cr_assert_eq(post("gzip", two)->status, 200);
    cr_assert(str_eq(origin_body(o, 0), STR("one, two")));
}

E2E(body_coding, nothing_can_be_packed_too)
{
    origin_t *o = start("client_body_decompress on;");
    cr_assert_eq(post("gzip", coding_pack("gzip", STR("")))->status, 200);
    assert_arrives(o, 0, STR(""), true);
    cr_assert_eq(post_chunked("gzip", STR(""))->status, 200);
    assert_arrives(o, 1, STR(""), true);
}

/* --- refused --- */

E2E(body_coding, unknown_codings_are_refused)
{
    static const char *const unknown[] = {"compress", "gzip, br", "aes128gcm", "gzip, gzip"};
    origin_t *o = start("client_body_decompress on;");
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        reply_t *r = post(unknown[i], STR("whatever it is"));
        cr_assert_eq(r->status, 415, "%s: %d", unknown[i], r->status);
        const char *taken = wire_field(r, "Accept-Encoding");
        cr_assert(taken && strncmp(taken, "gzip", 4) == 0 && strstr(taken, "deflate"), "%s", taken);
    }
    cr_assert_eq(origin_requests(o), 0);
}

E2E(body_coding, the_refusal_may_have_a_page)
{
    start("client_body_decompress on; error_page 415 =415 /page;");
    reply_t *r = post("compress", STR("x"));
    cr_assert_eq(r->status, 415);
    assert_text(r->body.p, "ok");
}

static void are_refused(const char *directives)
{
    origin_t *o = start(text("client_body_decompress on; %s", directives));
    str_t packed = coding_pack("gzip", words(1000));
    cr_assert_eq(post("gzip", STR("this is no gzip at all"))->status, 400);
    subject_log_await("client sent a body that is not in its content coding");
    cr_assert_eq(post("gzip", str_sub(packed, 0, packed.n - 1))->status, 400);
    cr_assert_eq(post("gzip", pool_concat(harness_pool, packed, STR("more")))->status, 400);
    ((char *)(uintptr_t)packed.p)[packed.n - 8] ^= 1;
    cr_assert_eq(post_chunked("gzip", packed)->status, 400);
    for (unsigned i = 0; i < origin_requests(o); i++)
        cr_assert_lt(origin_body(o, i).n, 1000, "a broken body was passed off as whole");
}

E2E(body_coding, broken_bodies_are_refused)
{
    are_refused("");
}

E2E(body_coding, broken_bodies_are_refused_as_they_come)
{
    are_refused("proxy_request_buffering off;");
}

E2E(body_coding, sizes_are_those_of_plain_content)
{
    origin_t *o = start("client_body_decompress on; client_max_body_size 10k;");
    cr_assert_eq(post("gzip", coding_pack("gzip", words(10 * 1024)))->status, 200);
    cr_assert_eq(post("gzip", coding_pack("gzip", words(10 * 1024 + 1)))->status, 413);
    cr_assert_eq(post_chunked("gzip", coding_pack("gzip", words(200 * 1024)))->status, 413);
    subject_log_await("client intended to send too large body");
    cr_assert_eq(post("gzip", pattern(11 * 1024))->status, 413);
    cr_assert_eq(origin_requests(o), 1);
}

E2E(body_coding, bombs_are_refused)
{
    origin_t *o = start("client_body_decompress on; client_max_body_size 0;");
    char *zeros = pool_bytes(harness_pool, 8 << 20);
    memset(zeros, 0, 8 << 20);
    cr_assert_eq(post("gzip", coding_pack("gzip", str_make(zeros, 8 << 20)))->status, 413);
    subject_log_await("client sent a body that grows beyond measure");
    cr_assert_eq(post("gzip", coding_pack("gzip", str_make(zeros, 1 << 20)))->status, 200);
    cr_assert_eq(origin_body(o, 0).n, 1 << 20);
}

E2E(body_coding, a_ratio_can_be_allowed)
{
    origin_t *o = start("client_body_decompress on; client_max_body_size 0;"
                        " client_body_decompress_ratio 2000;");
    char *zeros = pool_bytes(harness_pool, 8 << 20);
    memset(zeros, 0, 8 << 20);
    cr_assert_eq(post("gzip", coding_pack("gzip", str_make(zeros, 8 << 20)))->status, 200);
    cr_assert_eq(origin_body(o, 0).n, 8 << 20);
}

E2E(body_coding, clients_that_leave_midway_cost_nothing)
{
    origin_t *o = start("client_body_decompress on; proxy_request_compress gzip;");
    str_t packed = coding_pack("gzip", words(300 * 1000));
    for (int i = 0; i < 10; i++) {
        wire_t *w = wire_open("http");
        send_head(w, text("Content-Encoding: gzip\r\nContent-Length: %zu\r\n", packed.n));
        wire_send_n(w, str_sub(packed, 0, packed.n / 2));
        if (i % 2)
            wire_reset(w);
        else
            wire_close(w);
    }
    cr_assert_eq(post("gzip", packed)->status, 200);
    cr_assert_eq(origin_requests(o), 1);
}

/* --- packed --- */

static void post_plain(const char *fields, str_t body, int status)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("POST /x HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n", fields,
                      body.n));
    wire_try_send(w, body);
    reply_t *r = wire_reply_to(w, "POST");
    cr_assert_eq(r->status, status, "%d", r->status);
    wire_close(w);
}

#define JSON "Content-Type: application/json\r\n"

static void goes_packed(const char *directives, size_t n, bool counted)
{
    origin_t *o = start(text("proxy_request_compress gzip; %s", directives));
    post_plain(JSON "Content-MD5: m\r\n", words(n), 200);
    assert_text(origin_field(o, 0, "Content-Encoding"), "gzip");
    cr_assert_not(origin_field(o, 0, "Content-MD5"));
    cr_assert_lt(origin_body(o, 0).n, n / 2);
    cr_assert(str_eq(coding_unpack_whole("gzip", origin_body(o, 0)), words(n)));
    cr_assert_eq(!!origin_field(o, 0, "Content-Length"), counted);
}

E2E(body_coding, origins_get_it_packed)
{
    goes_packed("", 3000, true);
}

E2E(body_coding, origins_get_much_packed)
{
    goes_packed("client_body_buffer_size 4k;", 500 * 1000, true);
}

E2E(body_coding, origins_get_it_packed_as_it_comes)
{
    goes_packed("proxy_request_buffering off;", 300 * 1000, false);
}

E2E(body_coding, origins_get_it_packed_in_another_coding)
{
    origin_t *o = start("client_body_decompress on; proxy_request_compress gzip;");
    cr_assert_eq(post("deflate", coding_pack("deflate", words(5000)))->status, 200);
    assert_text(origin_field(o, 0, "Content-Encoding"), "gzip");
    cr_assert(str_eq(coding_unpack_whole("gzip", origin_body(o, 0)), words(5000)));
}

E2E(body_coding, not_everything_is_packed)
{
    origin_t *o = start("proxy_request_compress gzip; gzip_min_length 100;");
    static const char *const fields[] = {"Content-Type: image/png\r\n", "",
                                         JSON "Content-Encoding: br\r\n",
                                         JSON "Content-Range: bytes 0-199/1000\r\n",
                                         JSON "Cache-Control: no-transform\r\n"};
    for (unsigned i = 0; i < 5; i++) {
        post_plain(fields[i], words(200), 200);
        cr_assert(str_eq(origin_body(o, i), words(200)), "%u", i);
    }
    post_plain(JSON, words(99), 200);
    cr_assert(str_eq(origin_body(o, 5), words(99)));
    wire_get("http", "/");
    cr_assert_not(origin_field(o, 6, "Content-Encoding"));
}

E2E(body_coding, sizes_are_those_that_clients_send)
{
    origin_t *o = start("proxy_request_compress gzip; client_max_body_size 10k;");
    post_plain(JSON, words(10 * 1024), 200);
    post_plain(JSON, words(10 * 1024 + 1), 413);
    wire_t *w = wire_open("http");
    wire_send(w, "POST /x HTTP/1.1\r\nHost: h\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n"
                 "5000\r\n");
    wire_send_n(w, words(0x5000));
    wire_send(w, "\r\n0\r\n\r\n");
    cr_assert_eq(wire_reply_to(w, "POST")->status, 413);
    cr_assert_eq(origin_requests(o), 1);
}

#if defined(HAVE_BROTLI) && defined(HAVE_ZSTD)
E2E(body_coding, origins_may_like_others)
{
    origin_t *o = origin_start("origin", origin_say, OK);
    subject_http("", "client_body_decompress on; server { listen 127.0.0.1:@http@;"
                     " location /br { proxy_request_compress br;"
                     "  proxy_pass http://127.0.0.1:@plain@; }"
                     " location /zstd { proxy_request_compress zstd;"
                     "  proxy_pass http://127.0.0.1:@plain@; } }"
                     " server { listen 127.0.0.1:@plain@; client_body_decompress on;"
                     "  location / { proxy_pass http://127.0.0.1:@origin@; } }");
    static const char *const paths[] = {"br", "zstd"};
    for (unsigned i = 0; i < 2; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, text("POST /%s HTTP/1.1\r\nHost: h\r\n" JSON "Content-Length: 3000\r\n\r\n",
                          paths[i]));
        wire_send_n(w, words(3000));
        cr_assert_eq(wire_reply_to(w, "POST")->status, 200);
        assert_arrives(o, i, words(3000), true);
    }
}
#endif

E2E(body_coding, curl_uploads)
{
    origin_t *o = start("client_body_decompress on;");
    str_t packed = coding_pack("gzip", words(100 * 1000));
    CURL *c = fetch_new("http://127.0.0.1:@http@/x");
    struct curl_slist *fields = curl_slist_append(NULL, "Content-Encoding: gzip");
    fields = curl_slist_append(fields, "Expect: 100-continue");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)packed.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, packed.p);
    for (unsigned i = 0; i < 3; i++) {
        fetched_t *f = fetch(c);
        cr_assert_eq(f->code, CURLE_OK);
        cr_assert_eq(f->status, 200);
        cr_assert_eq(f->connects, i == 0);
        assert_arrives(o, i, words(100 * 1000), true);
    }
    curl_slist_free_all(fields);
}
