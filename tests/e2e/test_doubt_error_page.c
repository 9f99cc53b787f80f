/* error_page in all its forms; what is expected here is what nginx 1.22 answers. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char configuration[] =
    "large_client_header_buffers 2 1k; client_max_body_size 100;"
    "server { listen 127.0.0.1:@http@; error_page 400 413 414 431 /early;"
    "location /early { return 200 \"$request_method $status\"; }"
    "location /fb { return 203 fb; }"
    "location /q { return 200 \"$uri|$args|$request_method\"; }"
    "location @ok { proxy_pass http://127.0.0.1:@origin@; }"
    "location @moved { return 302 http://x.test/; }"
    "location @denied { return 403; }"
    "location /keep { error_page 404 /fb; return 404; }"
    "location /set { error_page 404 =201 /fb; return 404; }"
    "location /own { error_page 404 = /fb; return 404; }"
    "location /named { error_page 404 @ok; return 404; }"
    "location /named_own { error_page 404 = @ok; return 404; }"
    "location /named_moved { error_page 404 @moved; return 404; }"
    "location /named_denied { error_page 404 @denied; return 404; }"
    "location /url { error_page 404 http://x.test/; return 404; }"
    "location /url_301 { error_page 404 =301 http://x.test/; return 404; }"
    "location /args { error_page 404 =200 /q?a=$uri; return 404; }"
    "location /once { error_page 404 /second; return 404; }"
    "location /second { error_page 403 =200 /fb; return 403; }"
    "location /again { recursive_error_pages on; error_page 404 /third; return 404; }"
    "location /third { recursive_error_pages on; error_page 403 /fb; return 403; }"
    "location /cycle { recursive_error_pages on; error_page 404 /cycle; return 404; }"
    "location /first { error_page 404 =201 /fb; error_page 404 =202 /fb; return 404; }"
    "location /down { error_page 502 =200 @ok; proxy_pass http://127.0.0.1:@dead@; }"
    "location /catch { error_page 418 = @ok; return 418; } }";

static void start(void)
{
    origin_start("origin", origin_echo, NULL);
    subject_http("", configuration);
}

E2E(doubt, error_pages_answer_as_in_nginx)
{
    static const struct {
        const char *path;
        int status;
        const char *body; /* NULL: whatever */
    } rows[] = {
        {"/keep", 404, "fb"}, {"/set", 201, "fb"}, {"/own", 203, "fb"}, {"/named", 404, NULL},
        {"/named_own", 200, NULL}, {"/named_moved", 302, NULL}, {"/named_denied", 403, NULL},
        {"/url", 302, NULL}, {"/url_301", 301, NULL}, {"/args", 200, "/q|a=/args|GET"},
        {"/once", 403, NULL}, {"/again", 403, "fb"}, {"/cycle", 500, NULL}, {"/first", 201, "fb"},
        {"/down", 200, NULL}, {"/catch", 200, NULL},
    };
    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reply_t *r = wire_get("http", rows[i].path);
        cr_expect_eq(r->status, rows[i].status, "%s: %s", rows[i].path, r->head);
        if (rows[i].body) cr_expect_str_eq(r->body.p, rows[i].body, "%s", rows[i].path);
    }
}

E2E(doubt, a_status_of_error_page_has_its_own_phrase)
{
    start();
    assert_has(wire_get("http", "/named")->head, "HTTP/1.1 404 Not Found\r\n");
}

E2E(doubt, the_method_becomes_get_for_pages_and_stays_for_named_locations)
{
    start();
    reply_t *page = wire_ask("http",
                             "POST /args HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert_text(page->body.p, "/q|a=/args|GET");
    reply_t *named = wire_ask("http",
                              "POST /down HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert_has(named->body.p, "POST /down HTTP/1.1\r\n");
    assert_has(named->body.p, "\r\n\r\nabc");
    wire_t *w = wire_open("http");
    wire_send(w, "HEAD /keep HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply_to(w, "HEAD")->status, 404);
}

E2E(doubt, requests_that_could_not_be_parsed_have_pages_too)
{
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET /\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", 413},
    };
    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reply_t *r = wire_ask("http", rows[i].request);
        cr_expect_eq(r->status, rows[i].status, "%s: %s", rows[i].request, r->head);
        cr_expect_str_eq(r->body.p, text("GET %d", rows[i].status));
    }
    const char *fill = text("%01200d", 0);
    cr_expect_str_eq(wire_get("http", text("/%s%s%s", fill, fill, fill))->body.p, "GET 414");
    reply_t *r = wire_ask("http", text("GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n", fill));
    cr_expect_str_eq(r->body.p, "GET 431");
}

/* What of a refused head reaches an origin is a request of ours. */
E2E(doubt, the_page_of_a_refused_request_may_come_from_an_origin)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; error_page 400 @page;"
                     "proxy_set_header Host $http_host;"
                     "location @page { proxy_pass http://127.0.0.1:@origin@; } }");
    static const char *const requests[] = {
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET /x y HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n",
        "nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        reply_t *r = wire_ask("http", requests[i]);
        cr_expect_eq(r->status, 400, "%s: %s", requests[i], r->head);
        cr_expect_str_eq(wire_field(r, "Connection"), "close");
        cr_expect(strncmp(origin_head(o, (unsigned)i), "GET /", 5) == 0, "%s",
                  origin_head(o, (unsigned)i));
    }
}

E2E(doubt, a_pattern_that_took_too_long_has_an_error_page)
{
    subject_tolerate("took too long");
    subject_http("", "server { listen 127.0.0.1:@http@; error_page 500 /sorry;"
                     "location = /sorry { return 200 sorry; }"
                     "location ~ \"^/(([a-z])+.)+[A-Z]([a-z])+$\" { return 200 found; } }");
    char many[180];
    memset(many, 'a', sizeof(many));
    reply_t *r = wire_get("http", text("/%.*s", (int)sizeof(many), many));
    cr_assert_eq(r->status, 500);
    assert_text(r->body.p, "sorry");
}
