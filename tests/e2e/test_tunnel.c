/* Upgrade: connections that become something else (RFC 9110 7.8, RFC 6455). */
#include <signal.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define UPGRADE \
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;" \
    " proxy_set_header Connection \"upgrade\";"

#define ASK \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

static void switch_and_echo(visit_t *v)
{
    char bytes[4096];
    size_t n;
    if (!visit_request(v)) return;
    visit_send(v,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello");
    while ((n = visit_read(v, bytes, sizeof(bytes))) && visit_send_n(v, bytes, n)) continue;
}

static origin_t *start(origin_fn *serve, const char *location)
{
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }",
                          location));
    return o;
}

E2E(tunnel, passes_bytes_both_ways)
{
    origin_t *o = start(switch_and_echo, UPGRADE);
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 101);
    assert_text(wire_field(r, "Upgrade"), "websocket");
    assert_text(wire_field(r, "Connection"), "upgrade");
    assert_text(wire_field(r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_text(wire_bytes(w, 5).p, "hello");
    assert_text(origin_field(o, 0, "Upgrade"), "websocket");
    wire_assert_echoes(w);
    cr_assert(origin_await_left(o, 1));
}

/* As applications hand it out (Chatwoot): the empty line of the two is the one that is not sent. */
E2E(tunnel, a_connection_line_given_twice)
{
    start(switch_and_echo, UPGRADE " proxy_set_header Connection \"\";");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 101);
    assert_text(wire_bytes(w, 5).p, "hello");
}

/* More than sockets hold, so that each side has to wait for the other. */
E2E(tunnel, waits_for_slow_sides)
{
    start(switch_and_echo, UPGRADE);
    wire_t *w = wire_open("http");
    str_t data = pattern(1000000);
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 101);
    wire_bytes(w, 5);
    for (size_t at = 0; at < data.n; at += 100000) {
        wire_send_n(w, str_sub(data, at, at + 100000));
        cr_assert(str_eq(wire_bytes(w, 100000), str_sub(data, at, at + 100000)));
    }
}

/* Bytes that come right behind the request belong to the new protocol. */
E2E(tunnel, passes_what_came_with_the_head)
{
    start(switch_and_echo, UPGRADE);
    wire_t *w = wire_open("http");
    wire_send(w, ASK "early");
    cr_assert_eq(wire_reply(w)->status, 101);
    assert_text(wire_bytes(w, 10).p, "helloearly");
}

E2E(tunnel, ends_when_idle_for_too_long)
{
    start(switch_and_echo, UPGRADE "proxy_read_timeout 1s;");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 101);
    wire_bytes(w, 5);
    cr_assert(wire_closed(w));
}

static void refuse_upgrade(visit_t *v)
{
    while (visit_request(v)) visit_send(v, "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
}

E2E(tunnel, a_refused_upgrade_is_an_ordinary_answer)
{
    start(refuse_upgrade, UPGRADE);
    wire_t *w = wire_open("http");
    for (int i = 0; i < 2; i++) {
        wire_send(w, ASK);
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 400);
        assert_text(r->body.p, "no");
    }
}

static void switch_unasked(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_send(
        v,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nx");
    visit_await_left(v);
}

E2E(tunnel, an_unasked_for_switch_is_a_502)
{
    start(switch_unasked, UPGRADE);
    cr_assert_eq(wire_get("http", "/")->status, 502);
}

E2E(tunnel, is_not_offered_without_configuration)
{
    origin_t *o = start(origin_echo, "");
    cr_assert_eq(wire_ask("http", ASK)->status, 200);
    cr_assert(!origin_field(o, 0, "Upgrade"));
}

E2E(tunnel, h2c_is_not_carried_on)
{
    origin_t *o = start(origin_echo, UPGRADE);
    reply_t *r =
        wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n"
                         "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    cr_assert_eq(r->status, 200);
    cr_assert(!origin_field(o, 0, "Upgrade"), "%s", origin_head(o, 0));
    cr_assert(!origin_field(o, 0, "HTTP2-Settings"));
}

E2E(tunnel, to_node)
{
    peer_node("node",
              "const c = require('crypto');\n"
              "const s = require('http').createServer();\n"
              "s.on('upgrade', (q, sock) => {\n"
              "  const a = c.createHash('sha1').update(q.headers['sec-websocket-key'] +\n"
              "    '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');\n"
              "  sock.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n' +\n"
              "    'Connection: Upgrade\\r\\nSec-WebSocket-Accept: ' + a + '\\r\\n\\r\\n');\n"
              "  sock.on('data', d => sock.write(d)); sock.on('end', () => sock.end());\n"
              "});\n"
              "s.listen(@node@, '127.0.0.1');");
    subject_http("", "server { listen 127.0.0.1:@http@; location / { " UPGRADE
                     " proxy_pass http://127.0.0.1:@node@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 101);
    assert_text(wire_field(r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    wire_send(w, "frame");
    assert_text(wire_bytes(w, 5).p, "frame");
}

/* Those that stay open do not hold up a worker that is told to stop longer than it may take. */
E2E(tunnel, worker_shutdown_timeout_ends_it)
{
    origin_start("origin", switch_and_echo, NULL);
    subject_http("worker_shutdown_timeout 300ms;",
                 "server { listen 127.0.0.1:@http@; location / { " UPGRADE
                 " proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 101);
    wire_bytes(w, 5);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert(wire_closed(w));
}
