/* Heads that we write: whatever a client sends, no byte of it begins a field of its own. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

E2E(doubt, decoded_line_breaks_split_no_reply)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    static const char *const paths[] = {"header", "type", "redirect", "rewritten",
                                        "page", "proxied", "location"};
    (void)o;
    subject_http("", "map $uri $type { default \"text/html; v=$uri\"; }"
                     "server { listen 127.0.0.1:@http@;"
                     "location /header { add_header X-Uri \"<$uri>\" always; return 200 ok; }"
                     "location /type { add_header Content-Type $type; return 200 ok; }"
                     "location /redirect { return 302 http://h$uri; }"
                     "location /rewritten { rewrite ^([^?]*)$ http://h$1 permanent; }"
                     "location /page { error_page 404 http://h$uri; return 404; }"
                     "location /proxied { proxy_redirect ~. http://h$uri;"
                     " proxy_pass http://127.0.0.1:@origin@; }"
                     "location /location { error_page 404 =301 $uri/; return 404; } }");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        reply_t *r = wire_get("http", text("/%s/%%0d%%0aX-Split:%%20yes%%0d%%0a%%0d%%0abody",
                                           paths[i]));
        cr_assert(r->status != 500, "%s: %s", paths[i], r->head);
        cr_assert(!wire_field(r, "X-Split"), "split by %s:\n%s", paths[i], r->head);
    }
}

E2E(doubt, a_host_that_differs_from_the_target_goes_nowhere)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; proxy_set_header Host $http_host;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_ask("http", "GET http://right.test:81/ HTTP/1.1\r\nHost: wrong.test\r\n\r\n");
    assert_text(origin_field(o, 0, "Host"), "right.test:81");
}

E2E(doubt, a_rewritten_target_has_no_mark_without_arguments)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; location / { rewrite ^/a(.*) /b$1 break;"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    wire_get("http", "/a/1");
    wire_get("http", "/a/1?x");
    assert_has(origin_head(o, 0), "GET /b/1 HTTP/1.1\r\n");
    assert_has(origin_head(o, 1), "GET /b/1?x HTTP/1.1\r\n");
}

/* What the origin was asked decides whether its answer has a body, not what the client asked. */
static void by_method(visit_t *v)
{
    while (visit_request(v)) {
        bool head = visit_head(v)[0] == 'H';
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        pause_ms(20);
        if (!head) visit_send(v, "hello");
    }
}

E2E(doubt, proxy_method_decides_what_follows_a_head)
{
    origin_t *o = origin_start("origin", by_method, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     "location /get { proxy_method GET; proxy_pass http://127.0.0.1:@origin@; }"
                     "location /head { proxy_method HEAD; proxy_pass http://127.0.0.1:@origin@; }"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    for (int i = 0; i < 10; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, "HEAD /get HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_assert_eq(wire_reply_to(w, "HEAD")->status, 200);
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 200, "a body was taken for the next head");
        cr_assert(str_eq(r->body, STR("hello")));
        wire_close(w);
    }
    wire_t *w = wire_open("http");
    wire_send(w, "GET /head HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_try_reply(w, "GET");
    cr_assert(r->broken, "no body came, which the client must see");
    assert_has(origin_head(o, origin_requests(o) - 1), "HEAD /head");
}

E2E(doubt, a_value_over_several_lines_is_one)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location / {"
                     "add_header Content-Security-Policy \"default-src 'self';\n  img-src $host\";"
                     "return 200; } }");
    reply_t *r = wire_get("http", "/");
    assert_text(wire_field(r, "Content-Security-Policy"),
                "default-src 'self';   img-src localhost");
}
