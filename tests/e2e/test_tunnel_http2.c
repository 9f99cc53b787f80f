/* WebSocket to origins over HTTP/2 (RFC 8441), and what is done where they do not take it. */
#include <signal.h>
#include <stdlib.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/frames.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

#define UPGRADE \
    "proxy_http_version 2; proxy_set_header Upgrade $http_upgrade;" \
    " proxy_set_header Connection \"upgrade\";"

/* The key and the answer to it are those of RFC 6455 1.3. */
#define ASK_FOR(PATH) \
    "GET " PATH " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Protocol: chat\r\n\r\n"
#define ASK ASK_FOR("/ws")

static void start(const char *location)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; http2 on; location / { " UPGRADE
                          " proxy_pass http://127.0.0.1:@node@; %s } }", location));
}

/* Echoes; /no is refused, /quit ends its side after the first piece. */
static const char *const node =
    "const s = require('http2').createServer({settings: {enableConnectProtocol: %s}});\n"
    "s.on('session', x => x.on('error', () => {}));\n"
    "s.on('stream', (t, h) => {\n"
    "  t.on('error', () => {});\n"
    "  if (h[':method'] != 'CONNECT') { t.respond({':status': 200}); return t.end('plain'); }\n"
    "  if (h[':path'] == '/no') { t.respond({':status': 403}); return t.end('no'); }\n"
    "  t.respond({':status': 200, 'sec-websocket-protocol': 'chat', 'x-head':\n"
    "             [h[':protocol'], h[':path'], h[':authority'], h['sec-websocket-version'],\n"
    "              h['sec-websocket-key'], h['upgrade']].join()});\n"
    "  if (h[':path'] == '/quit') return t.on('data', d => t.end('bye'));\n"
    "  t.pipe(t);\n"
    "});\n"
    "s.listen(@node@, '127.0.0.1');\n";

static void start_both(const char *location)
{
    peer_node("node", text(node, "true"));
    start(location);
}

static wire_t *open_tunnel(const char *request)
{
    wire_t *w = wire_open("http");
    wire_send(w, request);
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 101, "%s", r->head);
    return w;
}

E2E(tunnel_http2, from_a_client_of_http1)
{
    start_both("");
    wire_t *w = wire_open("http");
    wire_send(w, ASK "early");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 101);
    assert_text(wire_field(r, "Upgrade"), "websocket");
    assert_text(wire_field(r, "Connection"), "upgrade");
    assert_text(wire_field(r, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_text(wire_field(r, "Sec-WebSocket-Protocol"), "chat");
    cr_assert(str_starts(str_of(wire_field(r, "X-Head")), STR("websocket,/ws,127.0.0.1:")));
    cr_assert(str_ends(str_of(wire_field(r, "X-Head")), STR(",13,,")), "%s", r->head);
    assert_text(wire_bytes(w, 5).p, "early");
    wire_assert_echoes(w);
}

E2E(tunnel_http2, from_a_client_of_http2)
{
    start_both("");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, ":method: CONNECT\n:protocol: websocket\n:scheme: http\n:path: /ws\n"
                         ":authority: h\nsec-websocket-version: 13\n");
    frames_data(f, 1, 0, STR("hello"));
    answer_t *a = frames_await(f, 1, 5);
    cr_assert_eq(a->status, 200);
    assert_text(a->body.p, "hello");
    cr_assert(!frames_field(a->head, "sec-websocket-accept"));
    cr_assert(str_ends(str_of(frames_field(a->head, "x-head")), STR(",13,,")));
    frames_data(f, 1, FRAMES_END_STREAM, STR(" and bye"));
    a = frames_answer(f, 1);
    assert_text(a->body.p, "hello and bye");
    cr_assert(a->ended);
    frames_close(f);
}

/* Tunnels and requests share the connection. */
E2E(tunnel_http2, many_at_once)
{
    enum { ALL = 20 };
    wire_t *w[ALL];
    start_both("");
    for (int i = 0; i < ALL; i++) w[i] = open_tunnel(ASK);
    for (int i = 0; i < ALL; i++) wire_send(w[i], text("number %02d", i));
    assert_text(wire_get("http", "/")->body.p, "plain");
    for (int i = ALL; i-- > 0;) assert_text(wire_bytes(w[i], 9).p, text("number %02d", i));
}

/* More than windows and sockets hold, so that each side has to wait for the other. */
E2E(tunnel_http2, waits_for_slow_sides)
{
    start_both("");
    wire_t *w = open_tunnel(ASK);
    str_t data = pattern(2000000);
    for (size_t at = 0; at < data.n; at += 100000) {
        wire_send_n(w, str_sub(data, at, at + 100000));
        cr_assert(str_eq(wire_bytes(w, 100000), str_sub(data, at, at + 100000)));
    }
}

/* What was said before the end comes through, however much of it has to wait for a window. */
E2E(tunnel_http2, an_end_comes_after_what_was_said)
{
    start_both("");
    wire_t *w = open_tunnel(ASK);
    str_t data = pattern(300000);
    wire_send_n(w, data);
    wire_shut(w);
    cr_assert(str_eq(wire_rest(w), data));
}

E2E(tunnel_http2, an_origin_that_ends_its_side)
{
    start_both("");
    wire_t *w = open_tunnel(ASK_FOR("/quit"));
    wire_send(w, "x");
    assert_text(wire_bytes(w, 3).p, "bye");
    wire_shut(w);
    cr_assert(wire_closed(w));
}

#define TAKES_TUNNELS str_make("\0\x8\0\0\0\1", 6)

static void take_and_reset(visit_t *v)
{
    uint32_t id;
    visit_frame_t *f = malloc(sizeof(*f));
    if (visit_frames_preface(v, TAKES_TUNNELS) && (id = visit_frames_await_head(v))) {
        visit_frames_fields(v, 0, id, ":status: 200\n");
        if (visit_frames_await_frame(v, FRAME_DATA, f))
            visit_frames_number(v, FRAME_RST_STREAM, id, CODE_INTERNAL_ERROR);
        visit_await_left(v);
    }
    free(f);
}

E2E(tunnel_http2, an_origin_that_breaks_off)
{
    origin_start("node", take_and_reset, NULL);
    start("");
    wire_t *w = open_tunnel(ASK);
    wire_send(w, "x");
    cr_assert(wire_closed(w));
    subject_log_await("connection broke (104: Connection reset by peer) while proxying upgraded");
}

static void take_and_leave(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, TAKES_TUNNELS) || !(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, 0, id, ":status: 200\n");
    visit_gate(v);
}

E2E(tunnel_http2, a_connection_that_is_lost)
{
    origin_t *o = origin_start("node", take_and_leave, NULL);
    start("");
    wire_t *w = open_tunnel(ASK);
    origin_open_gate(o);
    cr_assert(wire_closed(w));
    subject_log_await("connection broke");
}

E2E(tunnel_http2, a_refusal_is_an_ordinary_answer)
{
    start_both("");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 2; i++) {
        wire_send(w, ASK_FOR("/no"));
        reply_t *r = wire_reply(w);
        cr_assert_eq(r->status, 403);
        assert_text(r->body.p, "no");
    }
}

E2E(tunnel_http2, ends_when_idle_for_too_long)
{
    start_both("proxy_read_timeout 1s;");
    wire_t *w = open_tunnel(ASK);
    wire_send(w, "x");
    wire_bytes(w, 1);
    cr_assert(wire_closed(w));
}

E2E(tunnel_http2, worker_shutdown_timeout_ends_it)
{
    peer_node("node", text(node, "true"));
    subject_http("worker_shutdown_timeout 200ms;",
                 "server { listen 127.0.0.1:@http@; location / { " UPGRADE
                 " proxy_pass http://127.0.0.1:@node@; } }");
    wire_t *w = open_tunnel(ASK);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert(wire_closed(w));
}

/* --- origins that do not take it --- */

/* A server of both versions is asked over HTTP/1.1. */
E2E(tunnel_http2, falls_back_to_http1)
{
    certify("leaf", NULL, " -addext subjectAltName=DNS:origin.test");
    peer_node("node",
              "const fs = require('fs');\n"
              "const s = require('http2').createSecureServer({allowHTTP1: true,\n"
              "  key: fs.readFileSync('@dir@/leaf.key'), cert: fs.readFileSync('@dir@/leaf.pem')});"
              "\n"
              "s.on('request', (q, r) => r.end('version ' + q.httpVersion));\n"
              "s.on('upgrade', (q, c) => { c.on('error', () => {});\n"
              "  c.write('HTTP/1.1 101 S\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n'\n"
              "          + 'X-Key: ' + q.headers['sec-websocket-key'] + '\\r\\n\\r\\n');\n"
              "  c.pipe(c); });\n"
              "s.listen(@node@, '127.0.0.1');\n");
    subject_http("", "server { listen 127.0.0.1:@http@; location / { " UPGRADE
                     " proxy_pass https://127.0.0.1:@node@; } }");
    assert_text(wire_get("http", "/")->body.p, "version 2.0");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 101, "%s", r->head);
    assert_text(wire_field(r, "X-Key"), "dGhlIHNhbXBsZSBub25jZQ==");
    wire_send(w, "hello");
    assert_text(wire_bytes(w, 5).p, "hello");
    assert_text(wire_get("http", "/")->body.p, "version 2.0");
    subject_log_await("upstream takes no WebSocket over HTTP/2, asking over HTTP/1.1");
}

/* One of HTTP/2 alone cannot serve it; others are served as before. */
E2E(tunnel_http2, nobody_takes_it)
{
    peer_node("node", text(node, "false"));
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 502);
    subject_log_await("upstream takes no WebSocket over HTTP/2, asking over HTTP/1.1");
    assert_text(wire_get("http", "/")->body.p, "plain");
}

/* The tunnel waits until the origin has said what it takes, and no longer than for a connection. */
static void settle_late(visit_t *v)
{
    uint32_t id;
    visit_gate(v);
    if (!visit_frames_preface(v, TAKES_TUNNELS)) return;
    if (!(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, 0, id, ":status: 200\n");
    visit_frames_put(v, FRAME_DATA, FRAMES_END_STREAM, id, STR("late"));
    visit_await_left(v);
}

E2E(tunnel_http2, waits_for_what_the_origin_takes)
{
    origin_t *o = origin_start("node", settle_late, NULL);
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert(origin_await_connections(o, 1));
    cr_assert(!wire_readable(w, 50));
    origin_open_gate(o);
    cr_assert_eq(wire_reply(w)->status, 101);
    assert_text(wire_bytes(w, 4).p, "late");
}

E2E(tunnel_http2, an_origin_that_never_says_what_it_takes)
{
    origin_start("node", settle_late, NULL);
    start("proxy_connect_timeout 300ms;");
    wire_t *w = wire_open("http");
    wire_send(w, ASK);
    cr_assert_eq(wire_reply(w)->status, 504);
}
