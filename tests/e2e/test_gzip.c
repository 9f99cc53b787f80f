/* Compression: who gets it, of what, with which head, in which pieces. */
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/e2e/coding.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LARGE = 300 * 1000, SMALL = 5000, NOISE = 8 << 20 };

/* --- what the client does --- */

static reply_t *ask(const char *method, const char *path, const char *fields)
{
    return wire_request("http", method, path, fields);
}

#define TAKES "Accept-Encoding: gzip\r\n"

static reply_t *get(const char *path)
{
    return ask("GET", path, TAKES);
}

static void assert_packed(const reply_t *r, str_t content)
{
    wire_assert_field(r, "Content-Encoding", "gzip");
    wire_assert_field(r, "Content-Length", NULL);
    str_t u = coding_unpack_whole("gzip", r->body);
    cr_assert(str_eq(u, content), "%zu bytes instead of %zu", u.n, content.n);
}

/* Files of several kinds. */
static void start(const char *server)
{
    mkdir(file_path("www"), 0755);
    file_put("www/large.html", coding_page(LARGE));
    file_put("www/small.html", coding_page(SMALL));
    file_put("www/a.css", coding_page(SMALL));
    file_put("www/a.jpg", coding_page(SMALL));
    file_put("www/a.json", coding_page(SMALL));
    file_put("www/20.html", coding_page(20));
    file_put("www/19.html", coding_page(19));
    file_put("www/empty.html", coding_page(0));
    subject_http("", text("types { text/html html; text/css css; image/jpeg jpg;"
                          " application/json json; }"
                          " server { listen 127.0.0.1:@http@; root www; %s }",
                          server));
}

/* --- bytes --- */

E2E(gzip, files_arrive_whole)
{
    start("gzip on; location /copied/ { alias www/; sendfile off; }");
    assert_packed(get("/large.html"), coding_page(LARGE));
    assert_packed(get("/small.html"), coding_page(SMALL));
    assert_packed(get("/copied/large.html"), coding_page(LARGE));
    cr_assert_lt(get("/large.html")->body.n, LARGE / 4);
}

E2E(gzip, curl_understands_it)
{
    start("gzip on;");
    CURL *c = fetch_new("http://127.0.0.1:@http@/large.html");
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    for (int i = 0; i < 3; i++) {
        fetched_t *f = fetch(c);
        cr_assert_eq(f->code, CURLE_OK);
        cr_assert(str_eq(f->body, coding_page(LARGE)));
        assert_has(f->head, "Content-Encoding: gzip");
        cr_assert_eq(f->connects, i == 0);
    }
}

E2E(gzip, every_level_is_right_and_higher_ones_are_smaller)
{
    size_t sizes[10];
    const char *locations = "";
    for (int i = 1; i <= 9; i++)
        locations = text("%s location /%d/ { alias www/; gzip_comp_level %d; }", locations, i, i);
    start(text("gzip on; %s", locations));
    for (int round = 0; round < 2; round++) {
        for (int i = 1; i <= 9; i++) {
            reply_t *r = get(text("/%d/large.html", i));
            assert_packed(r, coding_page(LARGE));
            cr_assert(round == 0 || sizes[i] == r->body.n, "a state remembers its past");
            sizes[i] = r->body.n;
        }
    }
    cr_assert_lt(sizes[9], sizes[1]);
}

E2E(gzip, it_is_off_unless_switched_on)
{
    start("location /on/ { alias www/; gzip on; }"
          " location /if/ { alias www/; if ($arg_on) { gzip on; } }");
    coding_assert_plain(get("/large.html"), coding_page(LARGE));
    wire_assert_field(get("/large.html"), "Vary", NULL);
    assert_packed(get("/on/large.html"), coding_page(LARGE));
    coding_assert_plain(get("/if/large.html"), coding_page(LARGE));
    assert_packed(get("/if/large.html?on=1"), coding_page(LARGE));
}

/* --- the head --- */

E2E(gzip, the_head_says_what_the_body_is)
{
    start("gzip on;");
    reply_t *plain = ask("GET", "/large.html", ""), *packed = get("/large.html");
    const char *etag = wire_field(plain, "ETag");
    wire_assert_field(plain, "Vary", "Accept-Encoding");
    wire_assert_field(plain, "Accept-Ranges", "bytes");
    wire_assert_field(plain, "Content-Length", text("%d", LARGE));
    cr_assert(etag && etag[0] == '"');
    wire_assert_field(packed, "Vary", "Accept-Encoding");
    wire_assert_field(packed, "Accept-Ranges", NULL);
    wire_assert_field(packed, "ETag", text("W/%s", etag));
    wire_assert_field(packed, "Content-Type", "text/html");
    wire_assert_field(packed, "Last-Modified", wire_field(plain, "Last-Modified"));
    cr_assert(packed->chunked);
}

E2E(gzip, head_is_answered_as_get_would_be)
{
    static const char *const names[] = {"Vary", "ETag", "Content-Encoding", "Content-Length",
                                        "Accept-Ranges", "Content-Type", "Last-Modified"};
    start("gzip on;");
    static const char *const fields[] = {TAKES, ""};
    for (int i = 0; i < 2; i++) {
        reply_t *h = ask("HEAD", "/large.html", fields[i]);
        reply_t *g = ask("GET", "/large.html", fields[i]);
        cr_assert_eq(h->status, 200);
        cr_assert_eq(h->body.n, 0);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            wire_assert_field(h, names[k], wire_field(g, names[k]));
    }
}

E2E(gzip, vary_can_be_left_out_and_is_not_doubled)
{
    start("gzip on; location /off/ { alias www/; gzip_vary off; }"
          " location /own/ { alias www/; add_header Vary \"Cookie, accept-encoding\"; }"
          " location /other/ { alias www/; add_header Vary Cookie; }"
          " location /star/ { alias www/; add_header Vary *; }");
    wire_assert_field(get("/off/small.html"), "Vary", NULL);
    assert_packed(get("/off/small.html"), coding_page(SMALL));
    wire_assert_field(get("/own/small.html"), "Vary", "Cookie, accept-encoding");
    wire_assert_field(get("/other/small.html"), "Vary", "Cookie, Accept-Encoding");
    wire_assert_field(get("/star/small.html"), "Vary", "*");
    wire_assert_field(get("/a.jpg"), "Vary", NULL);
}

E2E(gzip, parts_are_of_the_plain_file)
{
    start("gzip on;");
    const char *etag = wire_field(ask("GET", "/small.html", ""), "ETag");
    reply_t *r = ask("GET", "/small.html", TAKES "Range: bytes=0-99\r\n");
    cr_assert_eq(r->status, 206);
    coding_assert_plain(r, str_sub(coding_page(SMALL), 0, 100));
    wire_assert_field(r, "ETag", etag);
    wire_assert_field(r, "Vary", "Accept-Encoding"); /* as the whole would (RFC 9110 15.3.7) */
    wire_assert_field(ask("GET", "/a.jpg", TAKES "Range: bytes=0-99\r\n"), "Vary", NULL);
    r = ask("GET", "/small.html", "Range: bytes=0-9,20-29\r\n");
    cr_assert_eq(r->status, 206);
    wire_assert_field(r, "Vary", "Accept-Encoding");
    /* Who holds the packed one must not be given a part of the other. */
    r = ask("GET", "/small.html", text(TAKES "Range: bytes=0-99\r\nIf-Range: W/%s\r\n", etag));
    cr_assert_eq(r->status, 200);
    assert_packed(r, coding_page(SMALL));
    r = ask("GET", "/small.html", TAKES "Range: bytes=9999-\r\n");
    cr_assert_eq(r->status, 416);
    cr_assert(wire_field(r, "Content-Range"));
}

E2E(gzip, not_modified_has_the_etag_that_the_client_holds)
{
    start("gzip on;");
    const char *etag = wire_field(ask("GET", "/small.html", ""), "ETag");
    reply_t *r = ask("GET", "/small.html", text(TAKES "If-None-Match: W/%s\r\n", etag));
    cr_assert_eq(r->status, 304);
    wire_assert_field(r, "ETag", text("W/%s", etag));
    wire_assert_field(r, "Vary", "Accept-Encoding");
    wire_assert_field(r, "Content-Encoding", NULL);
    r = ask("GET", "/small.html", text("If-None-Match: %s\r\n", etag));
    cr_assert_eq(r->status, 304);
    wire_assert_field(r, "ETag", etag);
    wire_assert_field(r, "Vary", "Accept-Encoding"); /* as the 200 would (RFC 9110 15.4.5) */
}

/* --- of what --- */

E2E(gzip, types)
{
    start("gzip on; location /own/ { alias www/; gzip_types text/css; }"
          " location /all/ { alias www/; gzip_types *; }");
    assert_packed(get("/a.css"), coding_page(SMALL));
    assert_packed(get("/a.json"), coding_page(SMALL));
    coding_assert_plain(get("/a.jpg"), coding_page(SMALL));
    assert_packed(get("/own/a.css"), coding_page(SMALL));
    assert_packed(get("/own/small.html"), coding_page(SMALL));
    coding_assert_plain(get("/own/a.json"), coding_page(SMALL));
    assert_packed(get("/all/a.jpg"), coding_page(SMALL));
}

E2E(gzip, lengths)
{
    start("gzip on; location /more/ { alias www/; gzip_min_length 5001; }"
          " location /none/ { alias www/; gzip_min_length 0; }");
    assert_packed(get("/20.html"), coding_page(20));
    coding_assert_plain(get("/19.html"), coding_page(19));
    coding_assert_plain(get("/empty.html"), coding_page(0));
    coding_assert_plain(get("/more/small.html"), coding_page(SMALL));
    assert_packed(get("/more/large.html"), coding_page(LARGE));
    assert_packed(get("/none/19.html"), coding_page(19));
    coding_assert_plain(get("/none/empty.html"), coding_page(0));
}

E2E(gzip, statuses)
{
    start("gzip on; gzip_min_length 0; default_type text/html; error_page 404 /small.html;"
          " location /r/ { return 302 /x; } location /n/ { return 204; }"
          " location /e/ { return 500 \"an error of some length\"; }"
          " location /p/ { return 403; }");
    wire_assert_field(get("/r/"), "Content-Encoding", NULL);
    wire_assert_field(get("/n/"), "Content-Encoding", NULL);
    assert_packed(get("/e/"), STR("an error of some length"));
    wire_assert_field(get("/p/"), "Content-Encoding", "gzip");
    reply_t *r = get("/missing");
    cr_assert_eq(r->status, 404);
    assert_packed(r, coding_page(SMALL));
}

E2E(gzip, what_must_not_be_touched_is_not)
{
    start("gzip on; location /coded/ { alias www/; add_header Content-Encoding br; }"
          " location /kept/ { alias www/; add_header Cache-Control \"public, No-Transform\"; }");
    reply_t *r = get("/coded/small.html");
    wire_assert_field(r, "Content-Encoding", "br");
    cr_assert(str_eq(r->body, coding_page(SMALL)));
    coding_assert_plain(get("/kept/small.html"), coding_page(SMALL));
    coding_assert_plain(ask("GET", "/small.html", TAKES "Cache-Control: no-transform\r\n"),
                        coding_page(SMALL));
}

/* --- for whom --- */

E2E(gzip, clients_say_what_they_take)
{
    static const struct {
        const char *fields;
        bool packed;
    } cases[] = {
        {"", false},
        {"Accept-Encoding: gzip, deflate, br\r\n", true},
        {"Accept-Encoding: br\r\nAccept-Encoding: x-gzip\r\n", true},
        {"Accept-Encoding: *\r\n", true},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip;q=0, *\r\n", false},
        {"Accept-Encoding: gzip;q=0.1, identity;q=0.2\r\n", false},
        {"Accept-Encoding: identity;q=0, gzip;q=0.001\r\n", true},
        {"Accept-Encoding:\r\n", false},
    };
    start("gzip on;");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_t *r = ask("GET", "/small.html", cases[i].fields);
        cr_assert_eq(!!wire_field(r, "Content-Encoding"), cases[i].packed, "%s", cases[i].fields);
        wire_assert_field(r, "Vary", "Accept-Encoding");
    }
}

E2E(gzip, old_versions)
{
    start("gzip on; location /10/ { alias www/; gzip_http_version 1.0; }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /small.html HTTP/1.0\r\n" TAKES "\r\n");
    coding_assert_plain(wire_reply(w), coding_page(SMALL));
    w = wire_open("http");
    wire_send(w, "GET /10/small.html HTTP/1.0\r\n" TAKES "Connection: keep-alive\r\n\r\n");
    reply_t *r = wire_reply(w);
    cr_assert(r->until_close);
    assert_packed(r, coding_page(SMALL));
}

E2E(gzip, some_agents_are_not_believed)
{
    start("gzip on; gzip_disable msie6 \"^bad/[0-9]\";");
    reply_t *r = ask("GET", "/small.html", TAKES "User-Agent: Mozilla/4.0 (MSIE 6.0; NT)\r\n");
    coding_assert_plain(r, coding_page(SMALL));
    r = ask("GET", "/small.html", TAKES "User-Agent: BAD/1\r\n");
    coding_assert_plain(r, coding_page(SMALL));
    assert_packed(ask("GET", "/small.html", TAKES "User-Agent: Mozilla/4.0 (MSIE 6.0; SV1)\r\n"),
                  coding_page(SMALL));
    assert_packed(ask("GET", "/small.html", TAKES "User-Agent: Mozilla/4.0 (MSIE 7.0)\r\n"),
                  coding_page(SMALL));
}

E2E(gzip, proxies_get_what_gzip_proxied_says)
{
    static const struct {
        const char *proxied, *header, *request;
        bool packed;
    } cases[] = {
        {"off", "", "", false},
        {"any", "", "", true},
        {"expired", "add_header Expires \"Thu, 01 Jan 1970 00:00:01 GMT\";", "", true},
        {"expired", "add_header Expires 0;", "", true},
        {"expired", "add_header Expires \"Thu, 01 Jan 2099 00:00:01 GMT\";", "", false},
        {"no-cache", "add_header Expires \"Thu, 01 Jan 1970 00:00:01 GMT\";", "", false},
        {"no-cache", "add_header Cache-Control \"max-age=1, No-Cache\";", "", true},
        {"no-store", "add_header Cache-Control no-store;", "", true},
        {"private", "add_header Cache-Control 'private=\"x\"';", "", true},
        {"no-cache no-store", "add_header Cache-Control private;", "", false},
        {"private", "add_header Cache-Control max-age=5;", "", false},
        {"auth", "add_header Cache-Control max-age=5;", "Authorization: Basic eA==\r\n", true},
        {"auth", "add_header Cache-Control max-age=5;", "", false},
        {"no_last_modified", "", "", false},
        {"no_etag", "", "", false},
        {"no_etag", "etag off;", "", true},
        {"no_last_modified", "return 200 \"a text that is long enough\";", "", true},
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    const char *locations = "";
    for (int i = 0; i < CASES; i++)
        locations = text("%s location /%d/ { alias www/; gzip_proxied %s; %s }", locations, i,
                         cases[i].proxied, cases[i].header);
    start(text("gzip on; %s", locations));
    for (int i = 0; i < CASES; i++) {
        reply_t *r = ask("GET", text("/%d/small.html", i),
                         text(TAKES "Via: 1.1 x\r\n%s", cases[i].request));
        cr_assert_eq(!!wire_field(r, "Content-Encoding"), cases[i].packed, "%d: %s: %s", i,
                     cases[i].proxied, cases[i].header);
        wire_assert_field(r, "Vary", "Accept-Encoding");
    }
    assert_packed(get("/0/small.html"), coding_page(SMALL));
}

/* --- proxied --- */

static void start_proxy(origin_fn *serve, const void *arg, const char *location)
{
    origin_start("origin", serve, arg);
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
}

E2E(gzip, an_origins_head_is_put_right)
{
    start_proxy(origin_say_once,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=x\r\nContent-Length: 30\r\n"
                "ETag: \"e\"\r\nAccept-Ranges: bytes\r\nContent-MD5: m\r\nRepr-Digest: d\r\n"
                "Content-Digest: d\r\nDigest: d\r\nX-Other: o\r\nVary: Cookie\r\n\r\n"
                "abcdefghijabcdefghijabcdefghij",
                "gzip on;");
    reply_t *r = get("/");
    assert_packed(r, STR("abcdefghijabcdefghijabcdefghij"));
    wire_assert_field(r, "ETag", "W/\"e\"");
    wire_assert_field(r, "Vary", "Cookie, Accept-Encoding");
    wire_assert_field(r, "X-Other", "o");
    static const char *const gone[] = {"Accept-Ranges", "Content-MD5", "Repr-Digest",
                                       "Content-Digest", "Digest"};
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) wire_assert_field(r, gone[i], NULL);
}

E2E(gzip, a_weak_etag_stays)
{
    start_proxy(origin_say_once,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n"
                "ETag: W/\"e\"\r\n\r\nabcdefghijabcdefghijabcdefghij",
                "gzip on;");
    wire_assert_field(get("/"), "ETag", "W/\"e\"");
}

E2E(gzip, what_is_no_etag_goes)
{
    start_proxy(origin_say_once,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n"
                "ETag: e\r\n\r\nabcdefghijabcdefghijabcdefghij",
                "gzip on;");
    wire_assert_field(get("/"), "ETag", NULL);
}

static void say_with_trailer(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
                  "Trailer: X-Sum\r\n\r\n5\r\nhello\r\n");
    visit_send(v, "6\r\n world\r\n0\r\nX-Sum: 11\r\nRepr-Digest: d\r\n\r\n");
}

E2E(gzip, trailers_stay)
{
    start_proxy(say_with_trailer, NULL, "gzip on;");
    reply_t *r = ask("GET", "/", TAKES "TE: trailers\r\n");
    assert_packed(r, STR("hello world"));
    assert_has(r->trailers, "X-Sum: 11");
    assert_lacks(r->trailers, "Digest"); /* of other bytes */
    assert_has(ask("GET", "/", "TE: trailers\r\n")->trailers, "Digest");
}

static void break_off(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
                  "\r\n5\r\nhello\r\n");
}

E2E(gzip, a_truncated_body_never_looks_whole)
{
    start_proxy(break_off, NULL, "gzip on;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n" TAKES "\r\n");
    reply_t *r = wire_try_reply(w, "GET");
    cr_assert(r->broken);
    cr_assert_not(coding_unpack("gzip", r->body).whole);
}

/* --- streaming --- */

E2E(gzip, clients_that_leave_midway_cost_nothing)
{
    start("gzip on; gzip_types *;");
    file_put("www/noise.bin", pattern(NOISE));
    for (int i = 0; i < 20; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, "GET /noise.bin HTTP/1.1\r\nHost: h\r\n" TAKES "\r\n");
        assert_has(wire_through(w, "\r\n\r\n"), "Content-Encoding: gzip");
        if (i % 2)
            wire_reset(w);
        else
            wire_close(w);
    }
    assert_packed(get("/large.html"), coding_page(LARGE));
}

/* --- when it should not, or not as much --- */

E2E(gzip, sizes_tell_no_secrets)
{
    start("gzip on; compress_breach_guard on;"
          " location /off/ { alias www/; compress_breach_guard off; }");
    assert_packed(get("/small.html"), coding_page(SMALL));
    assert_packed(get("/small.html?q=x"), coding_page(SMALL));
    assert_packed(ask("GET", "/small.html", TAKES "Cookie: a=b\r\n"), coding_page(SMALL));
    reply_t *r = ask("GET", "/small.html?q=x", TAKES "Cookie: a=b\r\n");
    coding_assert_plain(r, coding_page(SMALL));
    wire_assert_field(r, "Vary", "Accept-Encoding");
    assert_packed(ask("GET", "/small.html?q=x",
                      TAKES "Cookie: a=b\r\nSec-Fetch-Site: same-origin\r\n"),
                  coding_page(SMALL));
    assert_packed(ask("GET", "/small.html?q=x", TAKES "Cookie: a=b\r\nReferer: http://h/x\r\n"),
                  coding_page(SMALL));
    assert_packed(ask("GET", "/off/small.html?q=x", TAKES "Cookie: a=b\r\n"), coding_page(SMALL));
}

/* Who has time keeps the level: test_adapt.c has the rest. */
E2E(gzip, an_idle_worker_adapts_nothing)
{
    start("gzip on; gzip_comp_level 9; location /adaptive/ { alias www/; gzip_adaptive on; }");
    size_t n = get("/large.html")->body.n;
    for (int i = 0; i < 3; i++) {
        reply_t *r = get("/adaptive/large.html");
        assert_packed(r, coding_page(LARGE));
        cr_assert_eq(r->body.n, n);
        pause_ms(300);
    }
}

/* --- the log --- */

E2E(gzip, the_log_knows_the_ratio)
{
    mkdir(file_path("www"), 0755);
    file_put("www/a.html", coding_page(LARGE));
    subject_http("", "log_format ratio \"$uri [$gzip_ratio]\"; access_log ratio.log ratio;"
                     " server { listen 127.0.0.1:@http@; root www; gzip on; }");
    reply_t *r = get("/a.html");
    ask("GET", "/a.html", "Connection: close\r\n");
    cr_assert(EVENTUALLY(strstr(file_read("ratio.log"), "/a.html [-]")));
    const char *line = strstr(file_read("ratio.log"), "/a.html [");
    double ratio = strtod(line + strlen("/a.html ["), NULL);
    double expected = (double)LARGE / (double)r->body.n;
    cr_assert(ratio > expected - 0.006 && ratio < expected + 0.006, "%f: %f", ratio, expected);
}

E2E(gzip, nginx_directives_are_accepted)
{
    start("gzip on; gzip_buffers 32 4k; gunzip_buffers 16 8k; gzip_window 32k; gzip_hash 64k;"
          " postpone_gzipping 0; gzip_no_buffer off;");
    assert_packed(get("/small.html"), coding_page(SMALL));
}
