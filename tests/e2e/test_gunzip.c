/* What an origin has compressed goes to clients that do not take it. */
#include <sys/stat.h>

#include "tests/e2e/coding.h"
#include "tests/e2e/subject.h"

enum { LARGE = 300 * 1000, SMALL = 5000 };

static str_t pack(size_t n)
{
    return coding_pack("gzip", coding_page(n));
}

static coding_said_t *said(str_t packed)
{
    coding_said_t *s = POOL_NEW(harness_pool, coding_said_t);
    *s = (coding_said_t){"gzip", packed, "ETag: \"e\"\r\n"};
    return s;
}

static void start(const coding_said_t *s, const char *location)
{
    origin_start("origin", coding_say, s);
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
}

static reply_t *ask(const char *method, const char *fields)
{
    return wire_request("http", method, "/", fields);
}

E2E(gunzip, clients_without_gzip_get_it_plain)
{
    start(said(pack(LARGE)), "gunzip on; gzip on;");
    reply_t *r = ask("GET", "");
    coding_assert_plain(r, coding_page(LARGE));
    wire_assert_field(r, "ETag", "W/\"e\"");
    wire_assert_field(r, "Vary", "Accept-Encoding");
    coding_assert_plain(ask("GET", "Accept-Encoding: br, gzip;q=0\r\n"), coding_page(LARGE));
    r = ask("HEAD", "");
    wire_assert_field(r, "Content-Encoding", NULL);
    wire_assert_field(r, "Content-Length", NULL);
    wire_assert_field(r, "ETag", "W/\"e\"");
}

E2E(gunzip, others_get_what_the_origin_said)
{
    str_t packed = pack(SMALL);
    start(said(packed), "gunzip on; gzip on;");
    reply_t *r = ask("GET", "Accept-Encoding: gzip\r\n");
    wire_assert_field(r, "Content-Encoding", "gzip");
    wire_assert_field(r, "Content-Length", text("%zu", packed.n));
    wire_assert_field(r, "ETag", "\"e\"");
    wire_assert_field(r, "Vary", "Accept-Encoding");
    cr_assert(str_eq(r->body, packed));
}

E2E(gunzip, no_transform_is_heeded)
{
    coding_said_t *s = said(pack(SMALL));
    s->fields = "Cache-Control: no-transform\r\n";
    start(s, "gunzip on;");
    wire_assert_field(ask("GET", ""), "Content-Encoding", "gzip");
}

E2E(gunzip, members_are_joined_and_padding_is_left_out)
{
    str_t two = pool_concat(harness_pool, pack(SMALL), pack(100));
    start(said(pool_concat(harness_pool, two, STR("padding"))), "gunzip on;");
    str_t text_of_two = pool_concat(harness_pool, coding_page(SMALL), coding_page(100));
    coding_assert_plain(ask("GET", ""), text_of_two);
}

static void assert_broken(void)
{
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_try_reply(w, "GET")->broken);
}

E2E(gunzip, a_short_body_is_not_passed_off_as_whole)
{
    str_t packed = pack(SMALL);
    start(said(str_sub(packed, 0, packed.n - 1)), "gunzip on;");
    assert_broken();
    subject_log_await("gzip data ended too early while decompressing a response");
}

E2E(gunzip, a_wrong_checksum_is_not_passed_off_as_right)
{
    str_t packed = pack(SMALL);
    ((char *)(uintptr_t)packed.p)[packed.n - 8] ^= 1;
    start(said(packed), "gunzip on;");
    assert_broken();
    subject_log_await("gzip data is invalid while decompressing a response");
}

E2E(gunzip, what_is_no_gzip_is_not_passed_off_as_such)
{
    start(said(STR("this is not gzip at all")), "gunzip on;");
    assert_broken();
}

E2E(gunzip, files_too)
{
    str_t noise = pattern(LARGE);
    mkdir(file_path("www"), 0755);
    file_put("www/a.gz", pack(LARGE));
    file_put("www/noise.gz", coding_pack("gzip", noise));
    subject_http("", "gunzip on; server { listen 127.0.0.1:@http@; root www;"
                     " add_header Content-Encoding gzip; }");
    coding_assert_plain(wire_request("http", "GET", "/a.gz", ""), coding_page(LARGE));
    coding_assert_plain(wire_request("http", "GET", "/noise.gz", ""), noise);
}
