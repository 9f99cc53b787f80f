/* The PROXY protocol, in and out. The peers are nginx and curl. */
#include <stdio.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TELL \
    "return 200 '$remote_addr $proxy_protocol_addr $proxy_protocol_port " \
    "$proxy_protocol_server_addr $proxy_protocol_server_port';"
#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static void start(const char *http)
{
    subject_http("", http);
}

static void start_telling(const char *more)
{
    start(text("server { listen 127.0.0.1:@http@ proxy_protocol; %s location / { " TELL " } }",
               more));
}

static const char *told_bytes(str_t bytes)
{
    wire_t *w = wire_open("http");
    wire_send_n(w, bytes);
    const char *told = wire_reply(w)->body.p;
    wire_close(w);
    return told;
}

E2E(proxy_protocol, is_read_in_both_versions)
{
    start_telling("");
    assert_text(told_bytes(STR("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" GET)),
                "127.0.0.1 192.0.2.1 4711 192.0.2.2 80");
    assert_text(told_bytes(STR("PROXY TCP6 2001:db8::1 ::1 1 2\r\n" GET)),
                "127.0.0.1 2001:db8::1 1 ::1 2");
    assert_text(told_bytes(STR("PROXY UNKNOWN\r\n" GET)), "127.0.0.1    ");
    assert_text(told_bytes(STR(SIGNATURE "\x20\0\0\0" GET)), "127.0.0.1    ");
    assert_text(told_bytes(STR(SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\0\x50\1\xbb" GET)),
                "127.0.0.1 1.2.3.4 80 5.6.7.8 443");
}

E2E(proxy_protocol, may_come_in_drops_and_long_before_the_request)
{
    start_telling("");
    wire_t *w = wire_open("http");
    for (const char *p = "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"; *p; p++) {
        wire_send_n(w, str_make(p, 1));
        pause_ms(1);
    }
    cr_assert_not(wire_readable(w, 100));
    for (int i = 0; i < 3; i++) { /* once for all requests */
        wire_send(w, GET);
        assert_text(wire_reply(w)->body.p, "127.0.0.1 192.0.2.1 4711 192.0.2.2 80");
    }
}

static void assert_refused(str_t bytes)
{
    wire_t *w = wire_open("http");
    wire_send_n(w, bytes);
    cr_assert(wire_closed(w));
    cr_assert_eq(wire_rest(w).n, 0);
    wire_close(w);
}

E2E(proxy_protocol, is_demanded)
{
    start_telling("client_header_timeout 300ms; lingering_close off;");
    assert_refused(STR(GET));
    subject_log_await("broken header: \"GET / HTTP/1.1\\x0d\\x0aHost: h\\x0d\\x0a\\x0d\\x0a\" "
                      "while reading PROXY protocol, client: 127.0.0.1, server: 127.0.0.1:");
    assert_refused(STR("PROXY TCP4 192.0.2.1\r\n" GET));
    assert_refused(STR(SIGNATURE "\x21\x11\xff\xff" GET));
    assert_refused(STR("PROXY TCP4 192."));
    subject_log_await("broken header: \"PROXY TCP4 192.\" while reading PROXY protocol");
    assert_refused(STR(""));
}

E2E(proxy_protocol, is_not_read_where_it_is_not_asked_for)
{
    start("server { listen 127.0.0.1:@http@; location / { " TELL " } }");
    assert_text(wire_get("http", "/")->body.p, "127.0.0.1    ");
    cr_assert_eq(wire_ask("http", "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n" GET)->status, 400);
}

E2E(proxy_protocol, comes_from_curl)
{
    start_telling("");
    CURL *c = fetch_new("http://127.0.0.1:@http@/");
    curl_easy_setopt(c, CURLOPT_HAPROXYPROTOCOL, 1L);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->status, 200);
    assert_has(f->body.p, "127.0.0.1 127.0.0.1 ");
    assert_has(f->body.p, text(" 127.0.0.1 %u", harness_port("http")));
}

/* --- out --- */

/* What nginx understands, of both versions. */
E2E(proxy_protocol, is_sent_to_origins)
{
    peer_nginx("origin", "server { listen 127.0.0.1:@origin@ proxy_protocol; location / { "
                         "return 200 '$proxy_protocol_addr $proxy_protocol_port "
                         "$proxy_protocol_server_addr $proxy_protocol_server_port $uri'; } }");
    start("server { listen 127.0.0.1:@http@; set_real_ip_from 127.0.0.1;"
          "  location / { proxy_protocol on; proxy_pass http://127.0.0.1:@origin@; }"
          "  location /2 { proxy_protocol v2; proxy_pass http://127.0.0.1:@origin@; }"
          "  location /0 { proxy_pass http://127.0.0.1:@origin@; } }");
    const char *port = text("%u", harness_port("http"));
    for (int i = 0; i < 2; i++) {
        const char *path = i ? "/2" : "/1";
        reply_t *r = wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\nX-Real-IP: 192.0.2.1:4711"
                                           "\r\n\r\n", path));
        assert_text(r->body.p, text("192.0.2.1 4711 127.0.0.1 %s %s", port, path));
        r = wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\nX-Real-IP: [2001:db8::1]:7\r\n"
                                  "\r\n", path));
        assert_text(r->body.p, text("2001:db8::1 7 ::ffff:127.0.0.1 %s %s", port, path));
    }
    cr_assert_eq(wire_get("http", "/0")->status, 502);
}

static void tell_start(visit_t *v)
{
    char in[512], out[600];
    size_t n = visit_read(v, in, sizeof(in) - 1);
    in[n] = '\0';
    in[strcspn(in, "\r")] = '\0';
    snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(in), in);
    visit_send(v, out);
    visit_await_left(v);
}

/* A connection that was announced for one client serves no other. */
E2E(proxy_protocol, connections_are_not_shared)
{
    origin_t *o = origin_start("origin", tell_start, NULL);
    start("upstream u { server 127.0.0.1:@origin@; keepalive 8; }"
          "server { listen 127.0.0.1:@http@; set_real_ip_from 127.0.0.1;"
          "  location / { proxy_protocol on; proxy_pass http://u; } }");
    for (int i = 1; i <= 3; i++) {
        reply_t *r = wire_ask("http", text("GET / HTTP/1.1\r\nHost: h\r\n"
                                           "X-Real-IP: 192.0.2.%d:9\r\n\r\n", i));
        assert_text(r->body.p,
                    text("PROXY TCP4 192.0.2.%d 127.0.0.1 9 %u", i, harness_port("http")));
    }
    cr_assert_eq(origin_connections(o), 3);
    cr_assert(origin_await_left(o, 3));
}
