/* What RFC 9110 and 9112 ask of a gateway about fields, in both directions. */
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(origin_fn *serve, const char *answer, const char *location)
{
    origin_t *o = origin_start("origin", serve, answer);
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
    return o;
}

/* RFC 9110 7.6.1 */
E2E(gateway, hop_by_hop_fields_of_requests_stay_here)
{
    static const char *const gone[] = {"Connection-Named", "After",   "Keep-Alive",
                                       "Proxy-Connection", "Upgrade", "Before"};
    origin_t *o = start(origin_echo, NULL, "");
    wire_ask("http",
             "GET / HTTP/1.1\r\nHost: h\r\nBefore: x\r\nConnection: connection-named, before\r\n"
             "Connection-Named: x\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
             "TE: gzip, trailers\r\nUpgrade: foo\r\nConnection: AFTER , upgrade, te\r\nAfter: x\r\n"
             "Stays: yes\r\n\r\n");
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        cr_assert(!origin_field(o, 0, gone[i]), "%s was passed on:\n%s", gone[i],
                  origin_head(o, 0));
    assert_text(origin_field(o, 0, "Stays"), "yes");
    assert_lacks(origin_head(o, 0), "gzip");
}

/* Host cannot be taken away by naming it, nor can the framing. */
E2E(gateway, connection_cannot_take_what_the_request_needs)
{
    origin_t *o = start(origin_echo, NULL, "");
    wire_ask("http", "POST / HTTP/1.1\r\nHost: h\r\nConnection: host, content-length\r\n"
                     "Content-Length: 4\r\n\r\nbody");
    cr_assert(origin_field(o, 0, "Host"));
    assert_text(origin_body(o, 0).p, "body");
}

E2E(gateway, hop_by_hop_fields_of_responses_stay_here)
{
    static const char *const gone[] = {"Named", "Keep-Alive", "Proxy-Connection", "Upgrade",
                                       "Early"};
    start(origin_say,
          "HTTP/1.1 200 OK\r\nEarly: x\r\nConnection: named\r\nConnection: keep-alive, early\r\n"
          "Named: x\r\nKeep-Alive: timeout=1\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
          "Stays: yes\r\nContent-Length: 2\r\n\r\nok",
          "");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_reply(w);
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        cr_assert(!wire_field(r, gone[i]), "%s was passed on:\n%s", gone[i], r->head);
    assert_text(wire_field(r, "Stays"), "yes");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
}

/* RFC 9110 7.6.3 */
E2E(gateway, via_names_every_hop)
{
    origin_t *o = start(origin_echo, NULL, "");
    wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(origin_field(o, 0, "Via"), "no Via:\n%s", origin_head(o, 0));
    assert_has(origin_field(o, 0, "Via"), "1.1 ");
    wire_ask("http", "GET / HTTP/1.0\r\nHost: h\r\nVia: 1.1 first\r\nVia: 1.0 second (x)\r\n\r\n");
    const char *via = origin_field(o, 1, "Via");
    const char *head = strstr(origin_head(o, 1), "1.1 first");
    cr_assert(head && strstr(head, "1.0 second (x)"), "%s", origin_head(o, 1));
    cr_assert(strstr(strstr(head, "(x)"), "1.0 "), "ours comes last: %s", via);
}

/* RFC 9110 7.6.2 */
E2E(gateway, max_forwards_counts_for_trace_and_options)
{
    origin_t *o = start(origin_echo, NULL, "");
    wire_ask("http", "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n");
    assert_text(origin_field(o, 0, "Max-Forwards"), "2");
    wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n");
    assert_text(origin_field(o, 1, "Max-Forwards"), "3");
    reply_t *r = wire_ask("http", "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
    cr_assert_lt(r->status, 300);
    r = wire_ask("http", "TRACE / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
    cr_assert(r->status == 200 || r->status == 405, "%d", r->status);
    cr_assert_eq(origin_requests(o), 2);
}

E2E(gateway, interim_responses_are_passed_on)
{
    start(origin_say,
          "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nContent-Length: 100\r\n\r\n"
          "HTTP/1.1 102 Processing\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          "");
    reply_t *r = wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(r->status, 200);
    assert_has(r->interim, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n");
    assert_lacks(r->interim, "Content-Length");
    assert_text(r->body.p, "ok");
    r = wire_ask("http", "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    assert_text(r->interim, "");
    assert_text(r->body.p, "ok");
}

E2E(gateway, no_body_where_there_must_be_none)
{
    static const char *const answers[] = {
        "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\nETag: \"x\"\r\n\r\nbody",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    };
    const char *config = "";
    for (unsigned i = 0; i < 4; i++) {
        const char *name = text("origin%u", i);
        origin_start(name, origin_say, answers[i]);
        config = text("%slocation /%u { proxy_pass http://127.0.0.1:@%s@; }\n", config, i, name);
    }
    subject_http(
        "", text("server { listen 127.0.0.1:@http@; location /ok { return 200 ok; } %s }", config));
    for (unsigned i = 0; i < 4; i++) {
        wire_t *w = wire_open("http");
        for (int twice = 0; twice < 2; twice++) {
            wire_send(w, text("GET /%u HTTP/1.1\r\nHost: h\r\n\r\n", i));
            cr_assert_eq(wire_reply(w)->status, i % 3 ? (i == 1 ? 304 : 204) : (i ? 304 : 204));
        }
        wire_send(w, "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_text(wire_reply(w)->body.p, "ok");
    }
}

E2E(gateway, head_has_no_body_whatever_comes)
{
    start(origin_say, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 3; i++) {
        wire_send(w, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_text(wire_field(wire_reply_to(w, "HEAD"), "Content-Length"), "4");
    }
}

/* Trailers of an origin are dropped or passed on, but nothing of them gets into the head. */
E2E(gateway, trailers_of_origins)
{
    start(origin_say,
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
          "2\r\nok\r\n0\r\nX-T: later\r\n\r\n",
          "");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 2; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        reply_t *r = wire_reply(w);
        assert_text(r->body.p, "ok");
        cr_assert(!wire_field(r, "X-T"));
    }
}

/* RFC 9110 7.6.1: what Connection names is of this hop wherever it stands. */
E2E(gateway, connection_names_trailers_too)
{
    start(origin_say,
          "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nok\r\n0\r\nX-Hop: here\r\nX-Sum: 1\r\n\r\n",
          "");
    assert_text(wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n"
                                 "Connection: TE\r\n\r\n")->trailers,
                "X-Sum: 1\r\n");
}

E2E(gateway, hide_pass_and_ignore)
{
    start(origin_say,
          "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: o/1\r\n"
          "X-Pad: p\r\nX-Secret: s\r\nX-Accel-Expires: 0\r\nX-Accel-Redirect: /none\r\n"
          "Content-Length: 2\r\n\r\nok",
          "proxy_hide_header X-Secret; proxy_pass_header Server; proxy_pass_header X-Accel-Expires;"
          "proxy_ignore_headers X-Accel-Redirect Set-Cookie;");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 200);
    assert_text(wire_field(r, "Server"), "o/1");
    assert_text(wire_field(r, "X-Accel-Expires"), "0");
    cr_assert(!wire_field(r, "X-Secret"));
    cr_assert(!wire_field(r, "X-Pad"));
    cr_assert_str_neq(wire_field(r, "Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void say_location(visit_t *v)
{
    static const char *const locations[] = {
        "http://127.0.0.1:%s/base/x",  "http://other.test/base/y", "/relative",
        "https://third.test:8443/z/1", "http://h.test/q",
    };
    char answer[1024], place[128];
    while (visit_request(v)) {
        int which = visit_head(v)[strlen("GET /base/")] - '0';
        snprintf(place, sizeof(place), locations[which % 5], (const char *)visit_arg(v));
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 302 Found\r\nLocation: %s\r\nRefresh: 5; url=%s\r\n"
                 "Set-Cookie: a=1; Domain=origin.test; Path=/base/sub; HttpOnly\r\n"
                 "Set-Cookie: b=2; path=/; domain=.x.test\r\nContent-Length: 0\r\n\r\n",
                 place, place);
        visit_send(v, answer);
    }
}

static reply_t *ask_location(const char *prefix, int which)
{
    return wire_ask("http", text("GET %s%d HTTP/1.1\r\nHost: site.test\r\n\r\n", prefix, which));
}

static const char *location_of(const char *prefix, int which)
{
    return wire_field(ask_location(prefix, which), "Location");
}

/* One that begins with "/" may have been made absolute for the client. */
static void assert_ends(const char *location, const char *path)
{
    const char *here = text("http://site.test:%u%s", harness_port("http"), path);
    cr_assert(strcmp(location, path) == 0 || strcmp(location, here) == 0, "%s", location);
}

E2E(gateway, redirects_and_cookies_are_rewritten)
{
    static char port[8];
    origin_start("origin", say_location, port);
    snprintf(port, sizeof(port), "%u", harness_port("origin"));
    subject_http(
        "", "server { listen 127.0.0.1:@http@;"
            "location /app/ { proxy_pass http://127.0.0.1:@origin@/base/;"
            " proxy_redirect default; proxy_redirect http://other.test/ /o/;"
            " proxy_redirect ~^https://(?<n>[a-z]+)\\.test:8443/(.*)$ https://$n.example/$2;"
            " proxy_cookie_domain origin.test site.test; proxy_cookie_domain ~\\.x\\.test$ y.test;"
            " proxy_cookie_path /base/ /app/; proxy_cookie_path / /root/; }"
            "location /raw/ { proxy_pass http://127.0.0.1:@origin@/base/; proxy_redirect off;"
            " proxy_cookie_path off; proxy_cookie_domain off; } }");
    assert_ends(location_of("/app/", 0), "/app/x");
    assert_ends(location_of("/app/", 1), "/o/base/y");
    assert_text(location_of("/app/", 2), "/relative");
    assert_text(location_of("/app/", 3), "https://third.example/z/1");
    reply_t *r = ask_location("/app/", 1);
    assert_text(wire_field(r, "Refresh"), "5; url=/o/base/y");
    assert_has(wire_field(r, "Set-Cookie"), "a=1; Domain=site.test; Path=/app/sub; HttpOnly");
    assert_has(wire_field(r, "Set-Cookie"), "b=2; path=/root/; domain=y.test");
    r = ask_location("/raw/", 0);
    assert_text(wire_field(r, "Location"), text("http://127.0.0.1:%s/base/x", port));
    assert_has(wire_field(r, "Set-Cookie"), "a=1; Domain=origin.test; Path=/base/sub; HttpOnly");
}
