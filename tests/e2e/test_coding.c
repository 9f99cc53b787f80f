/* Brotli and zstd beside gzip: who gets which, in which pieces, and the way back. The clients that
   unpack are libcurl and node. */
#include "config.h"

#if defined(HAVE_BROTLI) && defined(HAVE_ZSTD)

#include <sys/stat.h>

#include "tests/e2e/coding.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LARGE = 300 * 1000, SMALL = 5000, ROOM = 8 << 20 };

#define ALL_ON "gzip on; brotli on; zstd on;"

static void start(const char *server)
{
    mkdir(file_path("www"), 0755);
    file_put("www/large.html", coding_page(LARGE));
    file_put("www/small.html", coding_page(SMALL));
    file_put("www/a.css", coding_page(SMALL));
    file_put("www/a.jpg", coding_page(SMALL));
    subject_http("", text("types { text/html html; text/css css; image/jpeg jpg; }"
                          " server { listen 127.0.0.1:@http@; root www; %s }",
                          server));
}

static reply_t *ask(const char *method, const char *path, const char *accept)
{
    return wire_request("http", method, path,
                        accept ? text("Accept-Encoding: %s\r\n", accept) : "");
}

/* libcurl asks for one coding and unpacks. */
static void assert_curl(const char *url, const char *coding, str_t expected)
{
    CURL *c = fetch_new(url);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, coding);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->code, CURLE_OK, "%s: %s", coding, curl_easy_strerror(f->code));
    assert_has(f->head, text("Content-Encoding: %s", coding));
    cr_assert(str_eq(f->body, expected), "%s: %zu bytes", coding, f->body.n);
}

static const char *const codings[] = {"gzip", "br", "zstd"};

E2E(coding, curl_understands_all)
{
    start(ALL_ON " location /stream/ { alias www/; gzip_buffers 1 1; }"
                 " location /noise/ { alias www/; gzip_types *; brotli_types *; zstd_types *; }"
                 " location /fine/ { alias www/; gzip_comp_level 9; brotli_comp_level 9;"
                 "   zstd_comp_level 12; brotli_window 16m; zstd_window 8m; }");
    str_t noise = pattern(LARGE);
    file_put("www/noise.bin", noise);
    for (int i = 0; i < 3; i++) {
        assert_curl("http://127.0.0.1:@http@/large.html", codings[i], coding_page(LARGE));
        assert_curl("http://127.0.0.1:@http@/small.html", codings[i], coding_page(SMALL));
        assert_curl("http://127.0.0.1:@http@/stream/small.html", codings[i], coding_page(SMALL));
        assert_curl("http://127.0.0.1:@http@/fine/large.html", codings[i], coding_page(LARGE));
        assert_curl("http://127.0.0.1:@http@/noise/noise.bin", codings[i], noise);
    }
}

E2E(coding, the_client_decides)
{
    static const struct {
        const char *accept, *coding;
    } cases[] = {
        {NULL, NULL},
        {"gzip", "gzip"},
        {"br, gzip", "br"},
        {"gzip, deflate, br, zstd", "zstd"},
        {"zstd;q=0.5, br;q=0.4, gzip;q=0.6", "gzip"},
        {"zstd;q=0, *", "br"},
        {"identity, br;q=0.5", NULL},
    };
    start(ALL_ON);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply_t *r = ask("GET", "/small.html", cases[i].accept);
        wire_assert_field(r, "Content-Encoding", cases[i].coding);
        wire_assert_field(r, "Vary", "Accept-Encoding");
    }
    wire_assert_field(ask("GET", "/a.jpg", "gzip, br, zstd"), "Vary", NULL);
}

E2E(coding, each_can_be_switched_by_itself)
{
    start("location /br/ { alias www/; brotli on; }"
          " location /zstd/ { alias www/; zstd on; zstd_types text/plain; zstd_min_length 6k; }"
          " location /if/ { alias www/; if ($arg_on) { brotli on; } }"
          " location /all/ { alias www/; brotli on; brotli_types *; brotli_min_length 0; }");
    wire_assert_field(ask("GET", "/small.html", "gzip, br, zstd"), "Content-Encoding", NULL);
    wire_assert_field(ask("GET", "/br/small.html", "gzip, br, zstd"), "Content-Encoding", "br");
    wire_assert_field(ask("GET", "/br/small.html", "gzip, zstd"), "Content-Encoding", NULL);
    wire_assert_field(ask("GET", "/zstd/small.html", "zstd"), "Content-Encoding", NULL);
    wire_assert_field(ask("GET", "/zstd/large.html", "zstd"), "Content-Encoding", "zstd");
    wire_assert_field(ask("GET", "/zstd/a.css", "zstd"), "Content-Encoding", NULL);
    wire_assert_field(ask("GET", "/if/small.html", "br"), "Content-Encoding", NULL);
    wire_assert_field(ask("GET", "/if/small.html?on=1", "br"), "Content-Encoding", "br");
    wire_assert_field(ask("GET", "/all/a.jpg", "br"), "Content-Encoding", "br");
}

E2E(coding, the_head_says_what_the_body_is)
{
    static const char *const names[] = {"Vary", "ETag", "Content-Encoding", "Content-Length",
                                        "Accept-Ranges", "Content-Type", "Last-Modified"};
    start(ALL_ON);
    const char *etag = wire_field(ask("GET", "/small.html", NULL), "ETag");
    for (int i = 0; i < 3; i++) {
        reply_t *g = ask("GET", "/small.html", codings[i]);
        reply_t *h = ask("HEAD", "/small.html", codings[i]);
        wire_assert_field(g, "ETag", text("W/%s", etag));
        wire_assert_field(g, "Accept-Ranges", NULL);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            wire_assert_field(h, names[k], wire_field(g, names[k]));
        wire_t *w = wire_open("http");
        wire_send(w, text("GET /small.html HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n"
                          "If-None-Match: W/%s\r\n\r\n",
                          codings[i], etag));
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 304);
        wire_assert_field(r, "ETag", text("W/%s", etag));
        wire_assert_field(r, "Vary", "Accept-Encoding");
    }
}

E2E(coding, the_log_knows_the_ratios)
{
    mkdir(file_path("www"), 0755);
    file_put("www/a.html", coding_page(LARGE));
    subject_http("", "log_format ratio \"[$gzip_ratio|$brotli_ratio|$zstd_ratio]\";"
                     " access_log ratio.log ratio; types { text/html html; }"
                     " server { listen 127.0.0.1:@http@; root www; " ALL_ON " }");
    reply_t *r = ask("GET", "/a.html", "br");
    const char *br = text("[-|%.2f|-]", (double)LARGE / (double)r->body.n);
    r = ask("GET", "/a.html", "zstd");
    const char *zstd = text("[-|-|%.2f]", (double)LARGE / (double)r->body.n);
    cr_assert(EVENTUALLY(strstr(file_read("ratio.log"), br)), "%s", file_read("ratio.log"));
    cr_assert(EVENTUALLY(strstr(file_read("ratio.log"), zstd)), "%s", file_read("ratio.log"));
}

/* --- streams --- */

static void tell_events(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n");
    visit_send(v, "d\r\ndata: first\n\n\r\n");
    visit_gate(v);
    visit_send(v, "e\r\ndata: second\n\n\r\n0\r\n\r\n");
}

static void events_come_in(const char *coding, const char *directives)
{
    origin_t *o = origin_start("origin", tell_events, NULL);
    subject_http("", text("%s server { listen 127.0.0.1:@http@;"
                          " location / { proxy_pass http://127.0.0.1:@origin@; } }",
                          directives));
    wire_t *w = wire_open("http");
    wire_send(w, text("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n", coding));
    const char *head = wire_through(w, "\r\n\r\n");
    assert_has(head, text("Content-Encoding: %s", coding));
    str_t packed = STR("");
    coding_await(w, coding, &packed, "data: first\n\n");
    origin_open_gate(o);
    coding_await(w, coding, &packed, "data: first\n\ndata: second\n\n");
}

E2E(coding, events_come_as_they_are_told_in_gzip)
{
    events_come_in("gzip", "gzip on; gzip_types text/event-stream;");
}

E2E(coding, events_come_as_they_are_told_in_brotli)
{
    events_come_in("br", "brotli on; brotli_types text/event-stream;");
}

E2E(coding, events_come_as_they_are_told_in_zstd)
{
    events_come_in("zstd", "zstd on; zstd_types text/event-stream;");
}

/* Half of a body of known length, which is gathered, must not wait where the proxy flushes. */
static void say_slowly(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 24\r\n"
                  "X-Accel-Buffering: no\r\n\r\nfirst half, ");
    visit_gate(v);
    visit_send(v, "second half.");
}

E2E(coding, what_must_not_wait_is_not_gathered)
{
    origin_t *o = origin_start("origin", say_slowly, NULL);
    subject_http("", "zstd on; server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: zstd\r\n\r\n");
    wire_through(w, "\r\n\r\n");
    str_t packed = STR("");
    coding_await(w, "zstd", &packed, "first half, ");
    origin_open_gate(o);
    coding_await(w, "zstd", &packed, "first half, second half.");
}

/* A body in pieces that is gathered; one that ends too early. */
static void say_in_pieces(visit_t *v)
{
    bool whole = visit_arg(v) != NULL;
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n");
    for (int i = 0; i < (whole ? 30 : 29); i++)
        visit_send(v, "0123456789012345678901234567890123456789012345678901234567890123456789012345"
                      "678901234567890123456789");
}

E2E(coding, gathered_bodies_are_whole)
{
    origin_start("whole", say_in_pieces, "");
    origin_start("short", say_in_pieces, NULL);
    subject_http("", ALL_ON " server { listen 127.0.0.1:@http@;"
                            " location /whole { proxy_pass http://127.0.0.1:@whole@; }"
                            " location /short { proxy_pass http://127.0.0.1:@short@; } }");
    for (int i = 0; i < 3; i++) {
        CURL *c = fetch_new("http://127.0.0.1:@http@/whole");
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, codings[i]);
        fetched_t *f = fetch(c);
        cr_assert_eq(f->code, CURLE_OK);
        cr_assert_eq(f->body.n, 3000);
        wire_t *w = wire_open("http");
        wire_send(w, text("GET /short HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n",
                          codings[i]));
        cr_assert(wire_try_reply(w, "GET")->broken);
    }
}

E2E(coding, clients_that_leave_midway_cost_nothing)
{
    start(ALL_ON "brotli_types *; zstd_types *;");
    file_put("www/noise.bin", pattern(ROOM));
    for (int i = 0; i < 12; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, text("GET /noise.bin HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n",
                          codings[1 + i % 2]));
        wire_bytes(w, 100);
        if (i % 3)
            wire_reset(w);
        else
            wire_close(w);
    }
    assert_curl("http://127.0.0.1:@http@/large.html", "br", coding_page(LARGE));
    assert_curl("http://127.0.0.1:@http@/large.html", "zstd", coding_page(LARGE));
}

/* --- the way back --- */

E2E(coding, clients_without_it_get_it_plain)
{
    for (int i = 1; i < 3; i++) {
        coding_said_t *s = POOL_NEW(harness_pool, coding_said_t);
        *s = (coding_said_t){codings[i], coding_pack(codings[i], coding_page(LARGE)), NULL};
        origin_start(codings[i], coding_say, s);
    }
    subject_http("", "gunzip on; server { listen 127.0.0.1:@http@;"
                     " location /br { proxy_pass http://127.0.0.1:@br@; }"
                     " location /zstd { proxy_pass http://127.0.0.1:@zstd@; } }");
    for (int i = 1; i < 3; i++) {
        reply_t *r = ask("GET", text("/%s", codings[i]), "gzip");
        wire_assert_field(r, "Content-Encoding", NULL);
        wire_assert_field(r, "Vary", "Accept-Encoding");
        cr_assert(str_eq(r->body, coding_page(LARGE)));
        r = ask("GET", text("/%s", codings[i]), codings[i]);
        wire_assert_field(r, "Content-Encoding", codings[i]);
    }
}

E2E(coding, what_grows_beyond_measure_is_broken_off)
{
    char *zeros = pool_bytes(harness_pool, ROOM);
    memset(zeros, 0, ROOM);
    static coding_said_t s;
    s = (coding_said_t){"br", coding_pack("br", str_make(zeros, ROOM)), NULL};
    origin_start("origin", coding_say, &s);
    subject_http("", "gunzip on; server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; }"
                     " location /any { gunzip_ratio 0; proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_try_reply(w, "GET")->broken);
    subject_log_await("br data exceeded gunzip_ratio while decompressing a response");
    cr_assert_eq(ask("GET", "/any", NULL)->body.n, ROOM);
}

/* --- node --- */

E2E(coding, node_understands_brotli)
{
    peer_node("node",
              "const http = require('http'), zlib = require('zlib');"
              "http.createServer((q, s) => {"
              "  http.get({port: @http@, host: '127.0.0.1', path: '/large.html',"
              "            headers: {'Accept-Encoding': 'br'}}, (a) => {"
              "    let n = 0; const d = zlib.createBrotliDecompress();"
              "    d.on('data', (b) => { n += b.length; });"
              "    d.on('end', () => s.end('read ' + n));"
              "    d.on('error', (e) => s.end('' + e));"
              "    a.pipe(d); });"
              "}).listen(@node@, '127.0.0.1');");
    start("brotli on;");
    reply_t *r = wire_get("node", "/");
    assert_text(r->body.p, text("read %d", LARGE));
}

/* --- directives --- */

E2E(coding, directives_of_others_are_accepted)
{
    start(ALL_ON "brotli_buffers 16 8k; zstd_buffers 32 4k; brotli_static off; zstd_static off;");
    wire_assert_field(ask("GET", "/small.html", "br"), "Content-Encoding", "br");
}

#endif
