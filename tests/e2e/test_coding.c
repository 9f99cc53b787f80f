/* Brotli and zstd beside gzip: who gets which, in which pieces, and the way back. The clients that
   unpack are libcurl and node. */
#include "config.h"

#if defined(HAVE_BROTLI) && defined(HAVE_ZSTD)

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <sys/stat.h>
#include <zstd.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LARGE = 300 * 1000, SMALL = 5000, ROOM = 8 << 20 };

static str_t page(size_t n)
{
    char *p = pool_bytes(harness_pool, n + 1);
    for (size_t i = 0, line = 0; i < n; line++) {
        const char *s = text("<li><a href=\"/item/%zu\">number %zu</a></li>\n", line * 7, line);
        size_t part = strlen(s) < n - i ? strlen(s) : n - i;
        memcpy(p + i, s, part);
        i += part;
    }
    p[n] = 0;
    return str_make(p, n);
}

static void put(const char *name, str_t content)
{
    FILE *f = fopen(file_path(name), "w");
    cr_assert(f && fwrite(content.p, 1, content.n, f) == content.n && fclose(f) == 0);
}

#define ALL_ON "gzip on; brotli on; zstd on;"

static void start(const char *server)
{
    mkdir(file_path("www"), 0755);
    put("www/large.html", page(LARGE));
    put("www/small.html", page(SMALL));
    put("www/a.css", page(SMALL));
    put("www/a.jpg", page(SMALL));
    subject_http("", text("types { text/html html; text/css css; image/jpeg jpg; }"
                          " server { listen 127.0.0.1:@http@; root www; %s }",
                          server));
}

static reply_t *ask(const char *method, const char *path, const char *accept)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path,
                      accept ? text("Accept-Encoding: %s\r\n", accept) : ""));
    reply_t *r = wire_reply_to(w, method);
    wire_close(w);
    return r;
}

static void assert_field(const reply_t *r, const char *name, const char *value)
{
    const char *got = wire_field(r, name);
    cr_assert(value ? got && strcmp(got, value) == 0 : !got, "%s: %s instead of %s\n%s", name,
              got ? got : "(none)", value ? value : "(none)", r->head);
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
    put("www/noise.bin", noise);
    for (int i = 0; i < 3; i++) {
        assert_curl("http://127.0.0.1:@http@/large.html", codings[i], page(LARGE));
        assert_curl("http://127.0.0.1:@http@/small.html", codings[i], page(SMALL));
        assert_curl("http://127.0.0.1:@http@/stream/small.html", codings[i], page(SMALL));
        assert_curl("http://127.0.0.1:@http@/fine/large.html", codings[i], page(LARGE));
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
        assert_field(r, "Content-Encoding", cases[i].coding);
        assert_field(r, "Vary", "Accept-Encoding");
    }
    assert_field(ask("GET", "/a.jpg", "gzip, br, zstd"), "Vary", NULL);
}

E2E(coding, each_can_be_switched_by_itself)
{
    start("location /br/ { alias www/; brotli on; }"
          " location /zstd/ { alias www/; zstd on; zstd_types text/plain; zstd_min_length 6k; }"
          " location /if/ { alias www/; if ($arg_on) { brotli on; } }"
          " location /all/ { alias www/; brotli on; brotli_types *; brotli_min_length 0; }");
    assert_field(ask("GET", "/small.html", "gzip, br, zstd"), "Content-Encoding", NULL);
    assert_field(ask("GET", "/br/small.html", "gzip, br, zstd"), "Content-Encoding", "br");
    assert_field(ask("GET", "/br/small.html", "gzip, zstd"), "Content-Encoding", NULL);
    assert_field(ask("GET", "/zstd/small.html", "zstd"), "Content-Encoding", NULL);
    assert_field(ask("GET", "/zstd/large.html", "zstd"), "Content-Encoding", "zstd");
    assert_field(ask("GET", "/zstd/a.css", "zstd"), "Content-Encoding", NULL);
    assert_field(ask("GET", "/if/small.html", "br"), "Content-Encoding", NULL);
    assert_field(ask("GET", "/if/small.html?on=1", "br"), "Content-Encoding", "br");
    assert_field(ask("GET", "/all/a.jpg", "br"), "Content-Encoding", "br");
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
        assert_field(g, "ETag", text("W/%s", etag));
        assert_field(g, "Accept-Ranges", NULL);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            assert_field(h, names[k], wire_field(g, names[k]));
        wire_t *w = wire_open("http");
        wire_send(w, text("GET /small.html HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n"
                          "If-None-Match: W/%s\r\n\r\n",
                          codings[i], etag));
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 304);
        assert_field(r, "ETag", text("W/%s", etag));
        assert_field(r, "Vary", "Accept-Encoding");
    }
}

E2E(coding, the_log_knows_the_ratios)
{
    mkdir(file_path("www"), 0755);
    put("www/a.html", page(LARGE));
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

/* What has been packed so far, which need not be all. */
static const char *unpack(const char *coding, str_t s)
{
    char *out = pool_bytes(harness_pool, 1000);
    if (strcmp(coding, "br") == 0) {
        BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
        const uint8_t *from = (const uint8_t *)s.p;
        uint8_t *to = (uint8_t *)out;
        size_t room = 999;
        cr_assert_neq(BrotliDecoderDecompressStream(d, &s.n, &from, &room, &to, NULL),
                      BROTLI_DECODER_RESULT_ERROR);
        BrotliDecoderDestroyInstance(d);
        *to = 0;
    } else {
        ZSTD_DCtx *d = ZSTD_createDCtx();
        ZSTD_inBuffer from = {s.p, s.n, 0};
        ZSTD_outBuffer to = {out, 999, 0};
        cr_assert_not(ZSTD_isError(ZSTD_decompressStream(d, &to, &from)));
        ZSTD_freeDCtx(d);
        out[to.pos] = 0;
    }
    return out;
}

static str_t read_until(wire_t *w, const char *coding, str_t packed, const char *expected)
{
    while (strcmp(unpack(coding, packed), expected) != 0) {
        const char *line = "";
        while (!strstr(line, "\r\n")) line = text("%s%s", line, wire_bytes(w, 1).p);
        size_t n = (size_t)strtoul(line, NULL, 16);
        cr_assert(n, "the body ended before \"%s\"", expected);
        packed = pool_concat(harness_pool, packed, wire_bytes(w, n));
        wire_bytes(w, 2);
    }
    return packed;
}

static void events_come_in(const char *coding, const char *directives)
{
    origin_t *o = origin_start("origin", tell_events, NULL);
    subject_http("", text("%s server { listen 127.0.0.1:@http@;"
                          " location / { proxy_pass http://127.0.0.1:@origin@; } }",
                          directives));
    wire_t *w = wire_open("http");
    wire_send(w, text("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: %s\r\n\r\n", coding));
    const char *head = "";
    while (!strstr(head, "\r\n\r\n")) head = text("%s%s", head, wire_bytes(w, 1).p);
    assert_has(head, text("Content-Encoding: %s", coding));
    str_t packed = read_until(w, coding, STR(""), "data: first\n\n");
    origin_open_gate(o);
    read_until(w, coding, packed, "data: first\n\ndata: second\n\n");
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
    const char *head = "";
    while (!strstr(head, "\r\n\r\n")) head = text("%s%s", head, wire_bytes(w, 1).p);
    str_t packed = read_until(w, "zstd", STR(""), "first half, ");
    origin_open_gate(o);
    read_until(w, "zstd", packed, "first half, second half.");
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
    put("www/noise.bin", pattern(ROOM));
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
    assert_curl("http://127.0.0.1:@http@/large.html", "br", page(LARGE));
    assert_curl("http://127.0.0.1:@http@/large.html", "zstd", page(LARGE));
}

/* --- the way back --- */

typedef struct said {
    str_t body;
    const char *coding;
} said_t;

static void say_packed(visit_t *v)
{
    const said_t *s = visit_arg(v);
    char head[512];
    if (!visit_request(v)) return;
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: %s\r\n"
             "Content-Length: %zu\r\n\r\n",
             s->coding, s->body.n);
    visit_send(v, head);
    visit_send_n(v, s->body.p, s->body.n);
}

static str_t pack(const char *coding, str_t s)
{
    size_t n = ROOM;
    char *out = pool_bytes(harness_pool, ROOM);
    if (strcmp(coding, "br") == 0)
        cr_assert(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, s.n, (const uint8_t *)s.p, &n,
                                        (uint8_t *)out));
    else
        n = ZSTD_compress(out, ROOM, s.p, s.n, 3);
    return str_make(out, n);
}

E2E(coding, clients_without_it_get_it_plain)
{
    for (int i = 1; i < 3; i++) {
        said_t *s = POOL_NEW(harness_pool, said_t);
        *s = (said_t){pack(codings[i], page(LARGE)), codings[i]};
        origin_start(codings[i], say_packed, s);
    }
    subject_http("", "gunzip on; server { listen 127.0.0.1:@http@;"
                     " location /br { proxy_pass http://127.0.0.1:@br@; }"
                     " location /zstd { proxy_pass http://127.0.0.1:@zstd@; } }");
    for (int i = 1; i < 3; i++) {
        reply_t *r = ask("GET", text("/%s", codings[i]), "gzip");
        assert_field(r, "Content-Encoding", NULL);
        assert_field(r, "Vary", "Accept-Encoding");
        cr_assert(str_eq(r->body, page(LARGE)));
        assert_field(ask("GET", text("/%s", codings[i]), codings[i]), "Content-Encoding",
                     codings[i]);
    }
}

E2E(coding, what_grows_beyond_measure_is_broken_off)
{
    char *zeros = pool_bytes(harness_pool, ROOM);
    memset(zeros, 0, ROOM);
    said_t *s = POOL_NEW(harness_pool, said_t);
    *s = (said_t){pack("br", str_make(zeros, ROOM)), "br"};
    origin_start("origin", say_packed, s);
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
    assert_field(ask("GET", "/small.html", "br"), "Content-Encoding", "br");
}

#endif
