/* What runs out: connections, room for bodies. Those who idle make room; nothing is said to be the
   client's fault that is not. */
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
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

E2E(doubt, a_body_without_a_place_is_our_fault)
{
    origin_start("origin", origin_echo, NULL);
    subject_tolerate("temporary file");
    subject_http("", "client_body_temp_path @dir@/bodies; client_body_buffer_size 4k;"
                     "server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    cr_assert_eq(remove(file_path("bodies")), 0);
    const char *body = text("%010000d", 0);
    reply_t *r = wire_ask("http", text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n%s",
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
