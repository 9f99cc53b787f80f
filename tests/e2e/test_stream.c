/* Answers that are told as they go reach the client as they come, without being told to. */
#include <stdatomic.h>
#include <stdio.h>

#include "tests/e2e/coding.h"
#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* --- an origin that says one thing at a time, when it is told --- */

static _Atomic int told;

typedef struct script {
    const char *head;
    bool chunked;
} script_t;

static bool is_told(int n)
{
    for (int64_t until = now_ms() + PATIENCE_MS; told < n && now_ms() < until;) pause_ms(2);
    return told >= n;
}

static void say_event(visit_t *v, bool chunked, int n)
{
    char event[64], out[96];
    int size = snprintf(event, sizeof(event), "data: %d\n\n", n);
    snprintf(out, sizeof(out), "%x\r\n%s\r\n", (unsigned)size, event);
    visit_send(v, chunked ? out : event);
}

enum { EVENTS = 3 };

static void tell(visit_t *v)
{
    if (!visit_request(v)) return;
    script_t s = *(const script_t *)visit_arg(v); /* the test's, which does not wait for the end */
    visit_send(v, s.head);
    for (int i = 1; i <= EVENTS && is_told(i); i++) say_event(v, s.chunked, i);
    if (s.chunked) visit_send(v, "0\r\n\r\n");
}

/* --- a client that looks what has come --- */

static void start(const char *location)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; location / { %s"
                          " proxy_pass http://127.0.0.1:@origin@; } }", location));
}

/* The head comes before the first event, and each event before the next is said. */
static void assert_streams(const script_t *s)
{
    told = 0;
    origin_start("origin", tell, s);
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *head = wire_through(w, "\r\n\r\n");
    assert_has(head, "HTTP/1.1 200");
    for (int i = 1; i <= EVENTS; i++) {
        cr_assert(!wire_readable(w, 20));
        told = i;
        wire_through(w, text("data: %d\n\n", i));
        if (strstr(head, "chunked")) wire_through(w, "\r\n");
    }
}

E2E(stream, events)
{
    assert_streams(&(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n", true});
}

E2E(stream, events_until_the_connection_ends)
{
    assert_streams(&(script_t){"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream;x=y\r\n\r\n",
                               false});
}

E2E(stream, events_of_a_length_known_before)
{
    assert_streams(&(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Content-Length: 27\r\n\r\n", false});
}

E2E(stream, whatever_comes_in_chunks)
{
    assert_streams(&(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n", true});
}

E2E(stream, what_is_slow)
{
    assert_streams(&(script_t){"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n", false});
}

E2E(stream, to_an_old_client)
{
    origin_t *o = origin_start("origin", tell,
                               &(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                           "Transfer-Encoding: chunked\r\n\r\n", true});
    told = 0;
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.0\r\n\r\n");
    origin_head(o, 0);
    wire_through(w, "\r\n\r\n");
    for (told = 1; told <= EVENTS; told++) wire_through(w, text("data: %d\n\n", told));
    cr_assert(wire_closed(w));
}

/* Reads frames of the stream up to one of this type. */
static str_t frame_of(frames_t *f, unsigned type)
{
    frame_t frame;
    do cr_assert(frames_next(f, &frame));
    while (frame.stream != 1 || frame.type != type);
    return frame.payload;
}

E2E(stream, events_over_http2)
{
    origin_start("origin", tell,
                 &(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n", true});
    told = 0;
    subject_http("", "server { listen 127.0.0.1:@http@; http2 on; location / {"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, GET);
    frame_of(f, FRAME_HEADERS);
    for (int i = 1; i <= EVENTS; i++) {
        told = i;
        assert_text(pool_cstr(harness_pool, frame_of(f, FRAME_DATA)), text("data: %d\n\n", i));
    }
}

/* --- compressed --- */

static void assert_streams_compressed(const script_t *s)
{
    str_t packed = STR("");
    told = 0;
    origin_start("origin", tell, s);
    start("gzip on; gzip_types *; gzip_min_length 0;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_has(wire_through(w, "\r\n\r\n"), "Content-Encoding: gzip\r\n");
    for (int i = 1; i <= EVENTS; i++) {
        told = i;
        coding_await(w, "gzip", &packed, text("data: %d\n\n", i));
    }
}

E2E(stream, events_through_gzip)
{
    assert_streams_compressed(&(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n", true});
}

E2E(stream, unbuffered_through_gzip)
{
    assert_streams_compressed(&(script_t){"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                          "X-Accel-Buffering: no\r\nContent-Length: 27\r\n\r\n",
                                          false});
}

/* --- a real one --- */

static const char node_script[] =
    "const http = require('http'); let clients = [], n = 0;"
    "http.createServer((q, s) => {"
    "  if (q.url == '/next') { n++; for (const c of clients) c.write(`data: ${n}\\n\\n`);"
    "    return s.end(String(clients.length)); }"
    "  s.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache'});"
    "  s.flushHeaders(); clients.push(s);"
    "}).listen(@node@, '127.0.0.1');";

E2E(stream, events_of_node)
{
    enum { CLIENTS = 4 };
    wire_t *w[CLIENTS];
    peer_node("node", node_script);
    subject_http("worker_processes 2;",
                 "server { listen 127.0.0.1:@http@;"
                 "location / { proxy_pass http://127.0.0.1:@node@; } }");
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_has(wire_through(w[i], "\r\n\r\n"), "text/event-stream");
    }
    for (int n = 1; n <= 3; n++) {
        assert_text(wire_get("http", "/next")->body.p, text("%d", CLIENTS));
        for (int i = 0; i < CLIENTS; i++) wire_through(w[i], text("data: %d\n\n", n));
    }
}
