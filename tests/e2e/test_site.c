/* What modules/site adds to replies and tells: fields, trailers, expiry, rate, status. */
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *http)
{
    subject_http("", text("%s", http));
}

static reply_t *ask(const char *path, const char *fields)
{
    return wire_ask(
        "http", text("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path, fields));
}

E2E(headers, are_added)
{
    start("add_header X-Http http;"
          "server { listen 127.0.0.1:@http@;"
          "  location /inherits { return 200; }"
          "  location /own { add_header X-A $arg_a; add_header X-A two; return 200; }"
          "  location /error { add_header X-A usual; add_header X-B always always; return 404; }"
          "  location /error200 { add_header X-A usual; return 201; }"
          "  location /server { add_header Server mine; add_header Content-Type x/y; return 200 x; "
          "} }");
    wire_assert_field(ask("/inherits", ""), "X-Http", "http");
    reply_t *r = ask("/own?a=one", "");
    wire_assert_field(r, "X-A", "one, two");
    wire_assert_field(r, "X-Http", NULL);
    wire_assert_field(ask("/own", ""), "X-A", "two");
    r = ask("/error", "");
    wire_assert_field(r, "X-A", NULL);
    wire_assert_field(r, "X-B", "always");
    wire_assert_field(ask("/error200", ""), "X-A", "usual");
    r = ask("/server", "");
    wire_assert_field(r, "Server", "mine");
    wire_assert_field(r, "Content-Type", "x/y");
}

/* $uri is decoded: what was %0d%0a in the request must not end a line of the reply. */
E2E(headers, cannot_be_broken_by_what_clients_send)
{
    start("server { listen 127.0.0.1:@http@;"
          "  location / { add_header X-Uri $uri; add_header X-B b; return 200; } }");
    reply_t *r = ask("/a%0d%0aX-Evil:%20yes", "");
    cr_assert_eq(r->status, 200);
    wire_assert_field(r, "X-Evil", NULL);
    wire_assert_field(r, "X-Uri", NULL);
    wire_assert_field(r, "X-B", "b");
    subject_log_await("the value of \"X-Uri\" is not one of a header field, left out");
}

E2E(headers, that_frame_the_message_are_refused)
{
    static const char *const names[] = {"Content-Length", "transfer-encoding", "Connection", "X:"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        file_write("bad.conf", text("events { } http { add_header %s 1; }", names[i]));
        ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
        cr_assert_eq(ran.status, 1, "%s", names[i]);
        assert_has(ran.output, "bad.conf:1");
    }
}

E2E(trailers, follow_the_body)
{
    start("server { listen 127.0.0.1:@http@;"
          "  location / { add_trailer X-Sum $request_completion-1; return 200 body; }"
          "  location /none { add_trailer X-Sum 1; return 404; } }");
    reply_t *r = ask("/", "TE: trailers\r\n");
    cr_assert(r->chunked);
    assert_text(r->body.p, "body");
    wire_assert_field(r, "Trailer", "X-Sum");
    assert_has(r->trailers, "X-Sum: -1");
    r = ask("/", "");
    cr_assert(!r->chunked);
    assert_text(r->trailers ? r->trailers : "", "");
}

E2E(expires, sets_both_fields)
{
    start("map $arg_e $kind { default off; long max; }"
          "server { listen 127.0.0.1:@http@; root www;"
          "  location /hour { expires 1h; return 200; }"
          "  location /past { expires -1; return 200; }"
          "  location /epoch { expires epoch; return 200; }"
          "  location /max { expires max; return 200; }"
          "  location /var { expires $kind; return 200; }"
          "  location /daily { expires @15h30m; return 200; }"
          "  location /modified { expires modified +1h; add_header Last-Modified"
          "      \"Sun, 06 Nov 1994 08:49:37 GMT\"; return 200; }"
          "  location /error { expires 1h; return 404; } }");
    wire_assert_field(ask("/hour", ""), "Cache-Control", "max-age=3600");
    wire_assert_field(ask("/past", ""), "Cache-Control", "no-cache");
    reply_t *r = ask("/epoch", "");
    wire_assert_field(r, "Expires", "Thu, 01 Jan 1970 00:00:01 GMT");
    wire_assert_field(r, "Cache-Control", "no-cache");
    r = ask("/max", "");
    wire_assert_field(r, "Expires", "Thu, 31 Dec 2037 23:55:55 GMT");
    wire_assert_field(r, "Cache-Control", "max-age=315360000");
    wire_assert_field(ask("/var", ""), "Expires", NULL);
    wire_assert_field(ask("/var?e=long", ""), "Expires", "Thu, 31 Dec 2037 23:55:55 GMT");
    assert_has(wire_field(ask("/daily", ""), "Cache-Control"), "max-age=");
    wire_assert_field(ask("/error", ""), "Expires", NULL);
}

E2E(expires, counts_from_the_file)
{
    start("server { listen 127.0.0.1:@http@; root @dir@; expires modified 10y; }");
    file_write("f", "x");
    reply_t *r = ask("/f", "");
    cr_assert_eq(r->status, 200);
    const char *expires = wire_field(r, "Expires"), *age = wire_field(r, "Cache-Control");
    cr_assert(expires && age && atol(age + strlen("max-age=")) <= 315360000, "%s", r->head);
}

/* Bounds from below only, since a busy machine can be late. */
static void assert_takes(const char *path, size_t n, int64_t least_ms)
{
    int64_t before = now_ms();
    reply_t *r = ask(path, "");
    cr_assert_eq(r->body.n, n, "%zu", r->body.n);
    cr_assert_geq(now_ms() - before, least_ms, "%s", path);
}

E2E(rate, is_held)
{
    origin_start(
        "origin", origin_say_once,
        "HTTP/1.1 200 OK\r\nX-Accel-Limit-Rate: 10\r\nContent-Length: 10\r\n\r\n0123456789");
    start("server { listen 127.0.0.1:@http@; root @dir@;"
          "  location /slow/ { alias @dir@/; limit_rate 40k; }"
          "  location /after/ { alias @dir@/; limit_rate 20k; limit_rate_after 20k; }"
          "  location /var/ { alias @dir@/; limit_rate 1; set $limit_rate 40k; }"
          "  location /copied/ { alias @dir@/; limit_rate 40k; sendfile off; }"
          "  location /said { limit_rate 1k; limit_rate_after $arg_after; return 200 $limit_rate; }"
          "  location /origin { proxy_pass http://127.0.0.1:@origin@; } }");
    file_fill("f", 40 * 1024);
    assert_takes("/slow/f", 40 * 1024, 700);
    assert_takes("/copied/f", 40 * 1024, 700);
    assert_takes("/after/f", 40 * 1024, 700);
    assert_takes("/var/f", 40 * 1024, 700);
    assert_takes("/origin", 10, 700);
    assert_text(ask("/said", "")->body.p, "1024");
}

E2E(status, counts)
{
    start(
        "server { listen 127.0.0.1:@http@;"
        "  location / { return 200 $connections_active:$connections_reading:$connections_writing; }"
        "  location /status { stub_status; location /status/not { return 200 no; } } }");
    wire_t *idle = wire_open("http");
    wire_send(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_text(wire_reply(idle)->body.p, "1:0:1");
    reply_t *r = ask("/status", "");
    wire_assert_field(r, "Content-Type", "text/plain");
    int accepted = 0, requests = 0;
    cr_assert_eq(
        sscanf(strstr(r->body.p, "requests\n"), "requests\n %d %*d %d", &accepted, &requests), 2);
    cr_assert(accepted >= 2, "%d", accepted); /* who waited for it to serve has connected, too */
    assert_text(r->body.p, text("Active connections: 2 \n"
                                "server accepts handled requests\n"
                                " %d %d 2 \n"
                                "Reading: 0 Writing: 1 Waiting: 1 \n",
                                accepted, accepted));
    cr_assert_eq(wire_ask("http", "POST /status HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n")->status, 405);
}
