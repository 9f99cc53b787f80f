/* Connections of HTTP/2: how long they live, how they end, and that they end well. */
#include <signal.h>

#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"

static const char *server(const char *directives)
{
    return text("server { listen 127.0.0.1:@http@; http2 on; %s\n"
                "location = / { return 200 hello; }\n"
                "location /o { proxy_pass http://127.0.0.1:@origin@; } }", directives);
}

static void answer_when_let(visit_t *v)
{
    while (visit_request(v)) {
        visit_gate(v);
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

static origin_t *start(origin_fn *serve, const char *directives)
{
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("", server(directives));
    return o;
}

E2E(h2_life, an_idle_connection_ends_with_goaway)
{
    start(origin_echo, "keepalive_timeout 1s;");
    frames_t *f = frames_open("http");
    frames_assert_well(f, 1);
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
    cr_assert_eq(frames_last_stream(f), 1);
}

E2E(h2_life, a_connection_that_asks_for_nothing_ends)
{
    start(origin_echo, "client_header_timeout 200ms;");
    frames_t *f = frames_open("http");
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
}

E2E(h2_life, a_head_that_does_not_come_whole_ends_the_connection)
{
    start(origin_echo, "client_header_timeout 1s;");
    frames_t *f = frames_open("http");
    frames_assert_well(f, 1);
    frames_head(f, 3, FRAMES_OPEN_HEAD, ":method: GET\n");
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
}

E2E(h2_life, a_worn_connection_serves_what_is_on_its_way)
{
    start(origin_echo, "keepalive_requests 3;");
    frames_t *f = frames_open("http");
    frame_t frame;
    for (uint32_t id = 1; id < 7; id += 2) frames_assert_well(f, id);
    while (frames_goaway(f) == CODE_NONE) cr_assert(frames_next(f, &frame));
    cr_assert_eq(frames_last_stream(f), 0x7fffffff); /* announced: this one was sent before */
    frames_assert_well(f, 7);
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
    cr_assert_eq(frames_last_stream(f), 7);
}

/* RFC 9113 6.8: in two steps, so that nothing is lost. */
E2E(h2_life, quit_finishes_what_has_begun_and_what_is_on_its_way)
{
    origin_t *o = start(answer_when_let, "");
    frames_t *f = frames_open("http"), *idle = frames_open("http");
    frame_t frame;
    frames_assert_well(idle, 1);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    origin_head(o, 0);
    subject_signal(SIGQUIT);
    while (frames_goaway(f) == CODE_NONE) cr_assert(frames_next(f, &frame));
    cr_assert_eq(frames_last_stream(f), 0x7fffffff);
    frames_assert_well(f, 3);
    origin_open_gate(o);
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
    cr_assert_eq(frames_goodbye(idle), CODE_NO_ERROR);
    cr_assert_eq(subject_wait(), 0);
}

/* RFC 9113 6.8: what is opened behind the last stream is not served, and may be tried elsewhere. */
E2E(h2_life, what_comes_behind_the_last_goaway_is_ignored)
{
    origin_t *o = start(answer_when_let, "");
    frames_t *f = frames_open("http");
    frame_t frame;
    frames_head(f, 1, 0, HEAD("POST", "/o"));
    frames_sync(f);
    subject_signal(SIGQUIT);
    while (frames_goaway(f) == CODE_NONE || frames_last_stream(f) > 1)
        cr_assert(frames_next(f, &frame));
    frames_head(f, 3, FRAMES_END_STREAM, HEAD("GET", "/o"));
    frames_head(f, 5, 0, HEAD("POST", "/o"));
    for (int i = 0; i < 4; i++) frames_data(f, 5, 0, pattern(15000));
    frames_data(f, 1, FRAMES_END_STREAM, STR("body"));
    origin_head(o, 0);
    origin_open_gate(o);
    cr_assert_eq(frames_answer(f, 1)->status, 200);
    cr_assert_eq(frames_goodbye(f), CODE_NO_ERROR);
    cr_assert_eq(frames_last_stream(f), 1);
    cr_assert_eq(frames_sofar(f, 3)->status, 0);
    cr_assert_eq(origin_requests(o), 1);
    cr_assert_eq(subject_wait(), 0);
}

E2E(h2_life, streams_end_with_the_time_to_shut_down)
{
    origin_t *o = origin_start("origin", answer_when_let, NULL);
    subject_http("worker_shutdown_timeout 200ms;", server(""));
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    origin_head(o, 0);
    subject_signal(SIGQUIT);
    frames_goodbye(f);
    cr_assert_not(frames_sofar(f, 1)->ended);
    cr_assert_eq(subject_wait(), 0);
}

E2E(h2_life, a_client_that_leaves_ends_its_requests)
{
    enum { STREAMS = 10 };
    origin_t *o = start(origin_silent, "");
    frames_t *f = frames_open("http");
    for (uint32_t i = 0; i < STREAMS; i++)
        frames_head(f, 2 * i + 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    cr_assert(origin_await_connections(o, STREAMS));
    for (unsigned i = 0; i < STREAMS; i++) origin_head(o, i);
    frames_close(f);
    cr_assert(origin_await_left(o, STREAMS));
    frames_assert_well(frames_open("http"), 1);
}

/* --- reload --- */

enum { CLIENTS = 4, AT_ONCE = 8 };

typedef struct asker {
    frames_t *f;
    uint32_t next;
} asker_t;

/* As a client does: no new stream on a connection that is about to end. */
static void ask(asker_t *a)
{
    if (!a->f || frames_goaway(a->f) != CODE_NONE || a->next > 2000) {
        if (a->f) frames_close(a->f);
        *a = (asker_t){.f = frames_open("http"), .next = 1};
    }
    for (int i = 0; i < AT_ONCE; i++, a->next += 2)
        frames_head(a->f, a->next, FRAMES_END_STREAM, i % 2 ? GET : HEAD("GET", "/o"));
}

static unsigned collect(asker_t *a)
{
    for (uint32_t id = a->next - 2 * AT_ONCE; id < a->next; id += 2) {
        answer_t *got = frames_answer(a->f, id);
        cr_assert(got->ended && got->status == 200,
                  "stream %u: status %d, reset %d, goaway %d, last %u", id, got->status, got->reset,
                  frames_goaway(a->f), frames_last_stream(a->f));
    }
    return AT_ONCE;
}

E2E(h2_life, reload_loses_no_request)
{
    enum { RELOADS = 5, ROUNDS = 30 };
    asker_t askers[CLIENTS] = {{.f = NULL}};
    unsigned answers = 0;
    start(origin_echo, "");
    for (int reload = 0; reload < RELOADS; reload++) {
        subject_signal(SIGHUP);
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < CLIENTS; i++) ask(&askers[i]);
            for (int i = 0; i < CLIENTS; i++) answers += collect(&askers[i]);
        }
        cr_assert(EVENTUALLY(subject_log_count("serving, configuration") >= (unsigned)reload + 2));
    }
    cr_assert_eq(answers, RELOADS * ROUNDS * CLIENTS * AT_ONCE);
}
