/* What runs out: connections, room for bodies. Those who idle make room; nothing is said to be the
   client's fault that is not. */
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

E2E(doubt, idle_connections_make_room_for_new_ones)
{
    enum { CLIENTS = 100 };
    wire_t *w[CLIENTS];
    subject_start("events { worker_connections 32; } error_log @dir@/error.log info;"
                  "http { access_log off; keepalive_timeout 1h; server { listen 127.0.0.1:@http@;"
                  "location / { return 200 ok; } } }");
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_assert_eq(wire_reply(w[i])->status, 200);
    }
    cr_assert(wire_closed(w[0]), "the longest idle goes first");
    wire_send(w[CLIENTS - 1], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply(w[CLIENTS - 1])->status, 200, "the latest stays");
    subject_log_await("32 worker_connections are not enough, reusing connections");
}

/* --- idle connections to origins --- */

enum { IDLE = 16 };

static void answer_together(visit_t *v)
{
    while (visit_request(v)) {
        visit_gate(v);
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

/* Leaves that many of them behind. */
static void leave_idle(origin_t *o, const char *path)
{
    wire_t *w[IDLE];
    for (int i = 0; i < IDLE; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], text("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path));
    }
    cr_assert(origin_await_connections(o, IDLE));
    origin_open_gate(o);
    for (int i = 0; i < IDLE; i++) cr_assert_eq(wire_reply(w[i])->status, 200);
    for (int i = 0; i < IDLE; i++) wire_close(w[i]);
}

/* Over HTTP/2, where a connection is for one stream at a time. */
static void answer_streams_together(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, str_make("\0\3\0\0\0\1", 6))) return;
    while ((id = visit_frames_await_head(v))) {
        visit_gate(v);
        visit_frames_fields(v, FRAMES_END_STREAM, id, ":status: 200\n");
    }
}

static void start_short(const char *main_level, unsigned connections)
{
    subject_start(text("%s events { worker_connections %u; } error_log @dir@/error.log info;"
                       "http { access_log off; keepalive_timeout 1h; server {"
                       "listen 127.0.0.1:@http@; location / { return 200 ok; }"
                       "location /origin { proxy_pass http://127.0.0.1:@origin@; }"
                       "location /origin/2 { proxy_pass http://127.0.0.1:@origin@;"
                       " proxy_http_version 2; } } }",
                       main_level, connections));
}

static void ask_on(wire_t *w, const char *path)
{
    wire_send(w, text("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path));
    cr_assert_eq(wire_reply(w)->status, 200);
}

static void assert_origins_make_room(origin_fn *serve, const char *path)
{
    enum { CLIENTS = 24 };
    wire_t *w[CLIENTS];
    origin_t *o = origin_start("origin", serve, NULL);
    start_short("", 40);
    leave_idle(o, path);
    for (int i = 0; i < CLIENTS; i++) ask_on(w[i] = wire_open("http"), "/");
    cr_assert(origin_await_left(o, 1));
    for (int i = 0; i < CLIENTS; i++) ask_on(w[i], "/");
    subject_log_await("40 worker_connections are not enough, reusing connections");
}

E2E(doubt, idle_connections_to_origins_make_room_before_clients)
{
    assert_origins_make_room(answer_together, "/origin");
}

E2E(doubt, idle_connections_of_http2_to_origins_make_room_before_clients)
{
    assert_origins_make_room(answer_streams_together, "/origin/2");
}

static void assert_origins_give_up_descriptors(origin_fn *serve, const char *path)
{
    enum { CLIENTS = 60 };
    wire_t *w[CLIENTS];
    origin_t *o = origin_start("origin", serve, NULL);
    start_short("worker_rlimit_nofile 64;", 1000);
    leave_idle(o, path);
    for (int i = 0; i < CLIENTS; i++) ask_on(w[i] = wire_open("http"), "/");
    cr_assert(origin_await_left(o, IDLE), "all were needed");
    subject_log_await("accept4() failed, reusing connections (24: Too many open files)");
    ask_on(w[CLIENTS - 1], path); /* which needs one itself */
}

E2E(doubt, idle_connections_give_up_their_descriptors)
{
    assert_origins_give_up_descriptors(answer_together, "/origin");
}

E2E(doubt, idle_connections_of_http2_give_up_their_descriptors)
{
    assert_origins_give_up_descriptors(answer_streams_together, "/origin/2");
}

/* A connection to another origin needs the place of one that idles. */
static void assert_one_origin_makes_room_for_another(origin_fn *serve, const char *path)
{
    origin_t *o = origin_start("origin", serve, NULL);
    origin_start("other", origin_say, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    subject_start(text("events { worker_connections %u; } error_log @dir@/error.log info;"
                       "http { access_log off; server { listen 127.0.0.1:@http@;"
                       "location / { proxy_pass http://127.0.0.1:@origin@; }"
                       "location /origin/2 { proxy_pass http://127.0.0.1:@origin@;"
                       " proxy_http_version 2; }"
                       "location /other { proxy_pass http://127.0.0.1:@other@; } } }", IDLE * 2));
    leave_idle(o, path);
    wire_t *w[IDLE * 2];
    for (int i = 0; i < IDLE - 1; i++) w[i] = wire_open("http");
    for (int i = 0; i < IDLE - 1; i++) ask_on(w[i], "/other");
    cr_assert(origin_await_left(o, 1));
}

E2E(doubt, idle_connections_make_room_for_another_origin)
{
    assert_one_origin_makes_room_for_another(answer_together, "/origin");
}

E2E(doubt, idle_connections_of_http2_make_room_for_another_origin)
{
    assert_one_origin_makes_room_for_another(answer_streams_together, "/origin/2");
}

E2E(doubt, a_body_without_a_place_is_our_fault)
{
    origin_start("origin", origin_echo, NULL);
    subject_tolerate("temporary file");
    subject_http("", "client_body_temp_path @dir@/bodies; client_body_buffer_size 4k;"
                     "server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    cr_assert_eq(remove(file_path("bodies")), 0);
    const char *body = text("%010000d", 0);
    reply_t *r = wire_ask("http",
                          text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n%s",
                                       body));
    cr_assert_eq(r->status, 500, "%s", r->head);
}

/* The location's time holds, not that of the address's default server. */
E2E(doubt, keepalive_timeout_is_that_of_the_request)
{
    subject_http("", "server { listen 127.0.0.1:@http@; keepalive_timeout 0; return 200 default; }"
                     "server { listen 127.0.0.1:@http@; server_name kept; keepalive_timeout 1h;"
                     "location / { return 200 kept; }"
                     "location /short { keepalive_timeout 50ms; return 200 short; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: kept\r\n\r\n");
    assert_text(wire_field(wire_reply(w), "Connection"), "keep-alive");
    cr_assert(!wire_readable(w, 100), "closed at once");
    wire_send(w, "GET /short HTTP/1.1\r\nHost: kept\r\n\r\n");
    assert_text(wire_field(wire_reply(w), "Connection"), "keep-alive");
    cr_assert(wire_closed(w));
}
