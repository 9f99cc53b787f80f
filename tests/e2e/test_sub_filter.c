/* Texts replaced in replies: sub_filter, beside compression and the cache. */
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define PAGE \
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: \"e\"\r\n" \
    "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Ranges: bytes\r\n" \
    "Cache-Control: max-age=100\r\nContent-Length: 43\r\n\r\n" \
    "<a href=\"http://app/x\">HTTP://APP/y</a> end"

static origin_t *app;

static void start(const char *main, const char *locations)
{
    app = origin_start("app", origin_say, PAGE);
    subject_http("", text("%s server { listen 127.0.0.1:@http@;"
                          " location / { proxy_pass http://127.0.0.1:@app@; %s } }",
                          main, locations));
}

E2E(sub_filter, replaces_and_tells_so)
{
    start("", "sub_filter 'http://app/' 'https://$host/'; sub_filter_once off;");
    reply_t *r = wire_get("http", "/");
    assert_text(r->body.p, "<a href=\"https://localhost/x\">https://localhost/y</a> end");
    cr_assert_null(wire_field(r, "ETag"));
    cr_assert_null(wire_field(r, "Last-Modified"));
    cr_assert_null(wire_field(r, "Accept-Ranges"));
    r = wire_ask("http", "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    cr_assert_null(wire_field(r, "Content-Length"));
}

E2E(sub_filter, once_and_in_the_wanted_types)
{
    start("", "sub_filter 'http://app/' '/'; sub_filter_last_modified on;"
              " location /plain { sub_filter end 'END'; sub_filter_types text/css;"
              "  default_type text/plain; return 200 'the end'; }"
              " location /css { sub_filter end 'END'; sub_filter_types text/css;"
              "  default_type text/css; return 200 'the end'; }"
              " location /any { sub_filter end 'END'; sub_filter_types *;"
              "  default_type application/x; return 200 'the end'; }");
    reply_t *r = wire_get("http", "/");
    assert_text(r->body.p, "<a href=\"/x\">HTTP://APP/y</a> end");
    assert_text(wire_field(r, "ETag"), "W/\"e\"");
    cr_assert_not_null(wire_field(r, "Last-Modified"));
    assert_text(wire_get("http", "/plain")->body.p, "the end");
    assert_text(wire_get("http", "/css")->body.p, "the END");
    assert_text(wire_get("http", "/any")->body.p, "the END");
}

/* The origin is not asked to pack what is to be read here, and the client gets it packed all the
   same. */
E2E(sub_filter, works_beside_compression_and_the_cache)
{
    start("proxy_cache_path @dir@/cache keys_zone=c:1m;",
          "gzip on; sub_filter end 'the end'; location /cached { proxy_cache c;"
          " proxy_pass http://127.0.0.1:@app@; sub_filter end 'the end'; gzip on; }");
    for (int i = 0; i < 3; i++) {
        CURL *c = fetch_new(i ? "http://127.0.0.1:@http@/cached" : "http://127.0.0.1:@http@/");
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
        fetched_t *f = fetch(c);
        cr_assert_eq(f->code, CURLE_OK);
        assert_has(f->head, "Content-Encoding: gzip");
        assert_text(f->body.p, "<a href=\"http://app/x\">HTTP://APP/y</a> the end");
    }
    cr_assert_eq(origin_requests(app), 2, "the cache has what the origin said");
    cr_assert_null(origin_field(app, 0, "Accept-Encoding"));
}

E2E(sub_filter, reads_files)
{
    file_write("site/index.html", "<title>old</title>");
    file_fill("site/large.html", 300000);
    subject_http("", "server { listen 127.0.0.1:@http@; root @dir@/site; index index.html;"
                     " types { text/html html; } sub_filter '<title>old' '<title>new'; }");
    assert_text(wire_get("http", "/")->body.p, "<title>new</title>");
    reply_t *r = wire_get("http", "/large.html");
    str_t whole = pattern(300000);
    cr_assert(r->body.n == whole.n && memcmp(r->body.p, whole.p, whole.n) == 0);
    assert_text(wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=7-9\r\n"
                                 "Connection: close\r\n\r\n")->body.p, "old");
}
