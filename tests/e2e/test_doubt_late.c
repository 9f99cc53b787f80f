/* What comes late, in drops or never, and what has run out by then. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

E2E(doubt, a_body_that_stops_coming_gets_the_page_of_408)
{
    origin_start("origin", origin_echo, NULL);
    subject_http("", "client_body_timeout 50ms; server { listen 127.0.0.1:@http@;"
                     "error_page 408 /late; location = /late { return 200 late; }"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 408, "%s", r->head);
    assert_text(r->body.p, "late");
    cr_assert(wire_closed(w), "what follows would be the rest of the body");
}

static void hint_then_wait(visit_t *v)
{
    visit_request(v);
    visit_send(v, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
    visit_gate(v);
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    visit_await_left(v);
}

E2E(doubt, a_client_that_leaves_after_a_hint_ends_its_exchange_alone)
{
    origin_start("origin", hint_then_wait, NULL);
    subject_http("", "access_log @dir@/access.log; server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; }"
                     "location /own { return 200 own; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_has(wire_bytes(w, 30).p, "HTTP/1.1 103 Early Hints\r\n");
    wire_reset(w);
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "\" 499 ")));
    assert_text(wire_get("http", "/own")->body.p, "own");
}

/* --- trailers without end --- */

static void trail(visit_t *v)
{
    visit_request(v);
    visit_send(v, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n");
    for (int i = 0; i < 100000; i++)
        if (!visit_send_n(v, "X-Trailer: value\r\n", 18)) return;
    visit_send(v, "\r\n");
}

E2E(doubt, trailers_without_end_break_the_answer_off)
{
    origin_start("origin", trail, NULL);
    subject_tolerate("upstream");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_try_reply(w, "GET");
    cr_assert_not_null(r->broken, "as whole: %s", r->head);
}

static pid_t worker(void)
{
    pid_t pid;
    cr_assert(EVENTUALLY(subject_workers(&pid, 1) == 1));
    return pid;
}

/* Memory of a worker, in kilobytes. */
static long worker_memory(void)
{
    long pages = 0;
    FILE *f = fopen(text("/proc/%d/statm", (int)worker()), "r");
    cr_assert_not_null(f);
    cr_assert_eq(fscanf(f, "%*s %ld", &pages), 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A client's trailers byte by byte: each is looked at again from the start, and none costs
   memory. */
E2E(doubt, trailers_in_drops_cost_no_memory)
{
    origin_start("origin", origin_echo, NULL);
    subject_http("worker_processes 1;", "server { listen 127.0.0.1:@http@;"
                                        "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w,
              "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n");
    pause_ms(50);
    long before = worker_memory();
    for (int i = 0; i < 200; i++) {
        wire_send(w, "X-T: 123456789012345\r\n");
        if (i % 20 == 0) pause_ms(1);
    }
    pause_ms(20);
    long grown = worker_memory() - before;
    cr_expect_lt(grown, 2048, "%ld kB", grown);
    wire_send(w, "\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
}

/* --- no descriptor for the temporary file of a body --- */

/* Requests whose bodies are waited for hold one descriptor each, and idle not at all: none can be
   taken from them. */
E2E(doubt, a_body_without_a_descriptor_is_our_fault_and_nobody_elses)
{
    enum { LIMIT = 64 };
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_tolerate("Too many open files");
    subject_http(text("worker_processes 1; worker_rlimit_nofile %d;", LIMIT),
                 "client_body_buffer_size 4k; server { listen 127.0.0.1:@http@;"
                 "location / { proxy_pass http://127.0.0.1:@origin@; }"
                 "location /own { return 200 own; } }");
    wire_t *held[LIMIT];
    unsigned n = 0;
    pid_t pid = worker();
    do {
        held[n] = wire_open("http");
        wire_send(held[n], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n"
                           "Expect: 100-continue\r\n\r\n");
        assert_text(wire_bytes(held[n++], 25).p, "HTTP/1.1 100 Continue\r\n\r\n");
    } while (n < LIMIT && subject_descriptors(pid, NULL) < LIMIT);
    wire_send(held[0], text("%010000d", 0));
    cr_assert_eq(wire_reply(held[0])->status, 500);
    subject_log_await("open() of a temporary file in");
    cr_assert_eq(origin_connections(o), 0);
    for (unsigned i = 0; i < n; i++) wire_close(held[i]);
    cr_assert(EVENTUALLY(wire_get("http", "/own")->status == 200));
}
