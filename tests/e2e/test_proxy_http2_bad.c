/* Origins over HTTP/2 that break the rules or do not answer. */
#include <unistd.h>

#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

static void start(const char *location)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; location / {"
                          " proxy_pass http://127.0.0.1:@origin@; proxy_http_version 2; %s } }",
                          location));
}

/* --- heads --- */

/* Every head twice: as what it is, and to see that others on the connection do not suffer. */
static const char *volatile fields;

static void answer_fields(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) {
        if (fields) visit_frames_fields(v, 0, id, fields);
        else visit_frames_well(v, id);
    }
}

static void refused_with(const char *logged)
{
    unsigned before = subject_log_count(logged);
    cr_assert_eq(wire_get("http", "/")->status, 502, "%s", fields);
    cr_assert(EVENTUALLY(subject_log_count(logged) > before), "%s: no \"%s\" in\n%s", fields,
              logged, subject_log());
}

E2E(proxy_http2_bad, heads_that_break_the_rules_are_refused_alone)
{
    static const char *const heads[] = {
        "x-a: b\n",                                    /* no status */
        ":status: 20\n",
        ":status: 2000\n",
        ":status: abc\n",
        ":status: 200\n:status: 200\n",
        "x-a: b\n:status: 200\n",
        ":status: 200\n:path: /\n",
        ":status: 200\n:new: 1\n",
        ":status: 101\n",
        ":status: 200\nconnection: close\n",
        ":status: 200\nkeep-alive: timeout=1\n",
        ":status: 200\nproxy-connection: close\n",
        ":status: 200\ntransfer-encoding: chunked\n",
        ":status: 200\nupgrade: websocket\n",
        ":status: 200\nte: gzip\n",
        ":status: 200\nX-Upper: a\n",
        ":status: 200\nx a: b\n",
        ":status: 200\nx-a: b\rc\n",
        ":status: 200\nx-a: b\001c\n",
        ":status: 200\nx-a:  b\n",
        ":status: 200\ncontent-length: abc\n",
        ":status: 200\ncontent-length: -1\n",
        ":status: 200\ncontent-length: 1\ncontent-length: 2\n",
        ":status: 200\ncontent-length: 99999999999999999999\n",
    };
    origin_t *o = origin_start("origin", answer_fields, NULL);
    start("");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        fields = heads[i];
        refused_with("upstream sent invalid HTTP/2");
        fields = NULL;
        assert_text(wire_get("http", "/")->body.p, "well");
    }
    cr_assert_eq(origin_connections(o), 1);
}

static void answer_large_head(visit_t *v)
{
    uint32_t id;
    char value[12100] = ":status: 200\n", *at = value + strlen(value);
    if (!visit_frames_preface(v, STR(""))) return;
    while (at < value + 12000) at = stpcpy(at, "x-field-of-many: 012345678901234567890123456\n");
    while ((id = visit_frames_await_head(v))) visit_frames_fields(v, FRAMES_END_STREAM, id, value);
}

E2E(proxy_http2_bad, a_head_larger_than_allowed)
{
    origin_start("origin", answer_large_head, NULL);
    start("proxy_max_header_size 8k; location /more { proxy_pass http://127.0.0.1:@origin@;"
          " proxy_max_header_size 64k; proxy_http_version 2; }");
    refused_with("upstream sent too big header");
    cr_assert_eq(wire_get("http", "/more")->status, 200);
}

/* A field of the dynamic table named over and over: a few bytes that become megabytes. */
static void answer_bomb(visit_t *v)
{
    char block[16000] = {(char)0x88, 0x40, 1, 'x', 0x7f, (char)(0x80 | ((3000 - 127) & 127)),
                         (3000 - 127) >> 7};
    memset(block + 7, 'a', 3000);
    memset(block + 3007, 0xbe, sizeof(block) - 3007);
    if (!visit_frames_preface(v, STR(""))) return;
    uint32_t id;
    while ((id = visit_frames_await_head(v)))
        visit_frames_put(v, FRAME_HEADERS, FRAMES_END_HEADERS | FRAMES_END_STREAM, id,
                  str_make(block, sizeof(block)));
}

E2E(proxy_http2_bad, a_compressed_bomb)
{
    origin_start("origin", answer_bomb, NULL);
    start("");
    refused_with("upstream sent too big header");
}

static void answer_continuations(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, FRAMES_OPEN_HEAD, id, ":status: 200\n");
    for (int i = 0; i < 100000; i++)
        if (!visit_frames_put(v, FRAME_CONTINUATION, 0, id, STR(""))) return;
    visit_await_left(v);
}

E2E(proxy_http2_bad, continuations_without_end)
{
    origin_start("origin", answer_continuations, NULL);
    start("");
    refused_with("upstream sent invalid HTTP/2");
}

static void answer_interims(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) {
        for (int i = 0; i < 1000; i++)
            if (!visit_frames_fields(v, 0, id, ":status: 103\n")) return;
        visit_frames_well(v, id);
    }
}

E2E(proxy_http2_bad, interim_responses_without_end)
{
    origin_start("origin", answer_interims, NULL);
    start("");
    refused_with("upstream sent invalid HTTP/2");
}

/* --- bodies --- */

typedef struct body_case {
    const char *head;
    const char *data;
    bool end;
} body_case_t;

static const body_case_t *volatile body_case;

static void answer_body(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) {
        const body_case_t *c = body_case;
        if (c->head) visit_frames_fields(v, 0, id, c->head);
        visit_frames_put(v, FRAME_DATA, c->end ? FRAMES_END_STREAM : 0, id, str_of(c->data));
        if (!c->end) visit_frames_fields(v, 0, id, ":status: 200\n"); /* these are no trailers */
    }
}

E2E(proxy_http2_bad, bodies_that_break_the_rules_are_seen_to_be_broken)
{
    static const body_case_t cases[] = {
        {":status: 200\ncontent-length: 10\n", "four", true},
        {":status: 200\ncontent-length: 2\n", "four", true},
        {":status: 200\n", "four", false},
    };
    static const body_case_t headless = {NULL, "four", true};
    body_case = &cases[0];
    origin_start("origin", answer_body, NULL);
    start("");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        body_case = &cases[i];
        wire_t *w = wire_open("http");
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        const reply_t *r = wire_try_reply(w, "GET");
        cr_assert(r->broken || r->status == 502, "case %zu: %d", i, r->status);
        wire_close(w);
    }
    body_case = &headless;
    cr_assert_eq(wire_get("http", "/")->status, 502);
}

/* What the window does not allow. */
static void answer_too_much(visit_t *v)
{
    static const char zeros[16384];
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, 0, id, ":status: 200\n");
    for (int i = 0; i < 2000; i++)
        if (!visit_frames_put(v, FRAME_DATA, 0, id, str_make(zeros, sizeof(zeros)))) return;
    while (visit_frames_await_head(v)) continue;
}

E2E(proxy_http2_bad, data_beyond_the_window)
{
    origin_start("origin", answer_too_much, NULL);
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    subject_log_await("upstream sent invalid HTTP/2"); /* though nobody reads */
    cr_assert(wire_try_reply(w, "GET")->broken);
    wire_close(w);
}

/* --- floods --- */

static void flood(visit_t *v)
{
    static const char eight[8];
    unsigned type = *(const unsigned *)visit_arg(v);
    str_t payload = type == FRAME_PING ? str_make(eight, 8) : STR("");
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    if (type == FRAME_DATA) visit_frames_fields(v, 0, id, ":status: 200\n");
    for (int i = 0; i < 200000; i++)
        if (!visit_frames_put(v, type, 0, type == FRAME_DATA ? id : 0, payload)) break;
    visit_await_left(v);
}

static void survives_flood(unsigned type)
{
    static unsigned types[2];
    types[0] = type;
    origin_t *o = origin_start("origin", flood, &types[0]);
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const reply_t *r = wire_try_reply(w, "GET");
    cr_assert(r->status == 502 || r->broken);
    cr_assert(origin_await_left(o, 1));
    subject_log_await("upstream sent invalid HTTP/2");
    wire_close(w);
}

E2E(proxy_http2_bad, a_flood_of_settings)
{
    survives_flood(FRAME_SETTINGS);
}

E2E(proxy_http2_bad, a_flood_of_pings)
{
    survives_flood(FRAME_PING);
}

E2E(proxy_http2_bad, a_flood_of_empty_data)
{
    survives_flood(FRAME_DATA);
}

/* --- what is no HTTP/2 --- */

static void answer_text(visit_t *v)
{
    visit_send(v, visit_arg(v));
    visit_await_left(v);
}

E2E(proxy_http2_bad, an_origin_that_speaks_something_else)
{
    origin_start("origin", answer_text, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    start("");
    refused_with("upstream sent invalid HTTP/2");
}

static void push(visit_t *v)
{
    static const char promise[] = {0, 0, 0, 2, (char)0x82, (char)0x84, (char)0x86};
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_put(v, FRAME_PUSH_PROMISE, FRAMES_END_HEADERS, id,
                     str_make(promise, sizeof(promise)));
    visit_await_left(v);
}

E2E(proxy_http2_bad, a_push_that_was_forbidden)
{
    origin_start("origin", push, NULL);
    start("");
    refused_with("upstream sent invalid HTTP/2");
}

/* --- silence --- */

static void no_window(visit_t *v)
{
    static const char settings[] = {0, 4, 0, 0, 0, 0}; /* SETTINGS_INITIAL_WINDOW_SIZE 0 */
    visit_frame_t f;
    if (!visit_frames_preface(v, str_make(settings, 6))) return;
    while (visit_frames_next(v, &f)) continue;
}

E2E(proxy_http2_bad, an_origin_that_takes_no_body)
{
    origin_start("origin", no_window, NULL);
    start("proxy_send_timeout 200ms;");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    wire_send_n(w, pattern(100000));
    cr_assert_eq(wire_reply(w)->status, 504);
}

static void never_answer(visit_t *v)
{
    visit_frame_t f;
    if (!visit_frames_preface(v, STR(""))) return;
    while (visit_frames_next(v, &f)) continue; /* PING, too, goes unanswered */
}

E2E(proxy_http2_bad, a_read_timeout_ends_its_stream)
{
    origin_t *o = origin_start("origin", never_answer, NULL);
    start("proxy_read_timeout 500ms;");
    cr_assert_eq(wire_get("http", "/")->status, 504);
    cr_assert_eq(wire_get("http", "/")->status, 504);
    cr_assert_eq(origin_connections(o), 1);
}

E2E(proxy_http2_bad, an_origin_without_a_sign_of_life_is_lost)
{
    origin_t *o = origin_start("origin", never_answer, NULL);
    start("proxy_http2_ping 100ms;");
    cr_assert_eq(wire_get("http", "/")->status, 504);
    cr_assert(origin_await_left(o, 1));
}

static void answer_pings(visit_t *v)
{
    visit_frame_t f;
    uint32_t id = 0;
    int pings = 0;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    while (pings < 4 && visit_frames_await_frame(v, FRAME_PING, &f)) {
        visit_frames_put(v, FRAME_PING, FRAMES_ACK, 0, str_make(f.payload, f.n));
        pings++;
    }
    visit_frames_well(v, id);
    visit_await_left(v);
}

E2E(proxy_http2_bad, an_origin_that_answers_pings_is_waited_for)
{
    origin_start("origin", answer_pings, NULL);
    start("proxy_http2_ping 300ms;");
    assert_text(wire_get("http", "/")->body.p, "well");
}
