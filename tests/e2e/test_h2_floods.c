/* Clients of HTTP/2 that cost more than they should: it costs them the connection. */
#include <stdio.h>

#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"

static origin_t *start(origin_fn *serve, const char *server)
{
    origin_t *o = origin_start("origin", serve, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; http2 on; %s\n"
                          "location = / { return 200 hello; }\n"
                          "location /o { proxy_pass http://127.0.0.1:@origin@; } }",
                          server));
    return o;
}

/* Many equal frames in one piece; false when the server has ended the connection meanwhile. */
static bool flood(frames_t *f, unsigned n, str_t frame)
{
    enum { AT_ONCE = 200 };
    char *piece = pool_bytes(harness_pool, AT_ONCE * frame.n);
    for (size_t i = 0; i < AT_ONCE; i++) memcpy(piece + i * frame.n, frame.p, frame.n);
    for (unsigned sent = 0; sent < n; sent += AT_ONCE)
        if (!frames_bytes(f, str_make(piece, AT_ONCE * frame.n))) return false;
    return true;
}

typedef struct nuisance {
    const char *name; /* as the log has it */
    str_t frame;
} nuisance_t;

#define ON_STREAM_1 "\0\0\0\1"
#define ON_NONE "\0\0\0\0"

static const nuisance_t nuisances[] = {
    {"PING frames", STR_INIT("\0\0\10\6\0" ON_NONE "12345678")},
    {"SETTINGS frames", STR_INIT("\0\0\6\4\0" ON_NONE "\0\3\0\0\0\1")},
    {"priorities", STR_INIT("\0\0\5\2\0" ON_STREAM_1 "\0\0\0\0\0")},
    {"priorities", STR_INIT("\0\0\7\x10\0" ON_NONE "\0\0\0\1u=1")},
    {"empty DATA frames", STR_INIT("\0\0\0\0\0" ON_STREAM_1)},
    {"empty DATA frames", STR_INIT("\0\0\3\0\x8" ON_STREAM_1 "\2\0\0")},
    {"WINDOW_UPDATE frames", STR_INIT("\0\0\4\10\0" ON_NONE "\0\0\0\1")},
    {"WINDOW_UPDATE frames", STR_INIT("\0\0\4\10\0" ON_STREAM_1 "\0\0\0\1")},
};

E2E(h2_floods, frames_that_only_cost_end_the_connection)
{
    enum { FRAMES = 4000, N = sizeof(nuisances) / sizeof(nuisances[0]) };
    start(origin_echo, "");
    for (size_t i = 0; i < N; i++) {
        frames_t *f = frames_open("http");
        frames_head(f, 1, 0, HEAD("POST", "/o"));
        flood(f, FRAMES, nuisances[i].frame);
        cr_assert_eq(frames_goodbye(f), CODE_ENHANCE_YOUR_CALM, "%s", nuisances[i].name);
        subject_log_await(text("client sent too many %s, client: 127.0.0.1", nuisances[i].name));
        frames_close(f);
    }
    cr_assert_eq(subject_log_count("too many"), N);
}

/* A head that never ends. */
E2E(h2_floods, continuations_without_end_end_the_connection)
{
    start(origin_echo, "");
    frames_t *f = frames_open("http");
    frames_head(f, 1, FRAMES_OPEN_HEAD, ":method: GET\n");
    flood(f, 1000, STR("\0\0\0\11\0" ON_STREAM_1));
    cr_assert_eq(frames_goodbye(f), CODE_ENHANCE_YOUR_CALM);
    cr_assert(EVENTUALLY(subject_log_count("too many") == 1));
}

static str_t frame(unsigned type, unsigned flags, uint32_t stream, str_t payload)
{
    char head[9] = {0, 0, (char)payload.n, (char)type, (char)flags, (char)(stream >> 24),
                    (char)(stream >> 16), (char)(stream >> 8), (char)stream};
    return pool_concat(harness_pool, str_make(head, 9), payload);
}

/* Opened and reset in one breath (CVE-2023-44487): none of them gets as far as an origin. */
E2E(h2_floods, streams_reset_at_once_are_never_begun)
{
    enum { STREAMS = 400 };
    origin_t *o = start(origin_silent, "");
    frames_t *f = frames_open("http");
    str_t all = STR(""), block = frames_block(HEAD("GET", "/o"));
    for (uint32_t id = 1; id < 2 * STREAMS; id += 2) {
        all = pool_concat(harness_pool, all, frame(FRAME_HEADERS, 5, id, block));
        all = pool_concat(harness_pool, all, frame(FRAME_RST_STREAM, 0, id, STR("\0\0\0\10")));
    }
    frames_bytes(f, all);
    frames_sync(f);
    frames_assert_well(f, 2 * STREAMS + 1);
    /* A piece that was cut by the network may have let one begin; it has been cancelled. */
    cr_assert_leq(origin_connections(o), STREAMS / 20);
    cr_assert_eq(subject_log_count("too many"), 0);
}

static void reset_many(frames_t *f, unsigned n)
{
    str_t block = frames_block(HEAD("GET", "/o"));
    for (uint32_t id = 1; id < 2 * n; id += 2) {
        str_t pair = pool_concat(harness_pool, frame(FRAME_HEADERS, 5, id, block),
                                 frame(FRAME_RST_STREAM, 0, id, STR("\0\0\0\10")));
        if (!frames_bytes(f, pair)) return;
    }
}

E2E(h2_floods, too_many_resets_end_the_connection)
{
    start(origin_silent, "");
    frames_t *f = frames_open("http");
    reset_many(f, 5000);
    cr_assert_eq(frames_goodbye(f), CODE_ENHANCE_YOUR_CALM);
    cr_assert(EVENTUALLY(subject_log_count("client sent too many resets of streams") == 1));
    frames_assert_well(frames_open("http"), 1);
}

/* The same by way of errors: it is the server that resets (CVE-2025-8671). */
E2E(h2_floods, too_many_malformed_requests_end_the_connection)
{
    start(origin_silent, "");
    frames_t *f = frames_open("http");
    str_t block = frames_block(HEAD("GET", "/o") "connection: close\n");
    for (uint32_t id = 1; id < 4000; id += 2)
        if (!frames_send(f, FRAME_HEADERS, 5, id, block)) break;
    cr_assert_eq(frames_goodbye(f), CODE_ENHANCE_YOUR_CALM);
}

/* Cancelled requests count until they have unwound. */
E2E(h2_floods, cancelled_requests_count_until_they_have_ended)
{
    start(origin_silent, "http2_max_concurrent_streams 10;"
                         "location = /slow { limit_rate 1; return 200 0123456789; }");
    frames_t *f = frames_open("http");
    for (uint32_t id = 1; id < 21; id += 2)
        frames_head(f, id, FRAMES_END_STREAM, HEAD("GET", "/slow"));
    frames_sync(f);
    for (uint32_t id = 1; id < 21; id += 2) frames_number(f, FRAME_RST_STREAM, id, CODE_CANCEL);
    frames_head(f, 21, FRAMES_END_STREAM, GET);
    answer_t *a = frames_answer(f, 21);
    cr_assert(a->reset == CODE_REFUSED_STREAM || a->status == 200);
    for (uint32_t id = 23; a->status != 200; id += 2) { /* they do end */
        frames_head(f, id, FRAMES_END_STREAM, GET);
        a = frames_answer(f, id);
        pause_ms(20);
    }
}

/* --- memory --- */

static size_t resident_kib(pid_t pid)
{
    static char buffer[4096];
    FILE *status = fopen(text("/proc/%d/status", (int)pid), "re");
    cr_assert_not_null(status);
    size_t n = fread(buffer, 1, sizeof(buffer) - 1, status);
    fclose(status);
    buffer[n] = '\0';
    return strtoul(strstr(buffer, "VmRSS:") + 6, NULL, 10);
}

static void answer_large(visit_t *v)
{
    static char bytes[16384];
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
    for (int i = 0; i < 64 && visit_send_n(v, bytes, sizeof(bytes)); i++) continue;
}

/* Streams that take nothing: what they would have been sent waits at the origin. */
E2E(h2_floods, streams_that_take_nothing_cost_little_memory)
{
    enum { CONNECTIONS = 4, STREAMS = 100, MOST_KIB = 30 * CONNECTIONS * STREAMS };
    pid_t worker;
    frames_t *all[CONNECTIONS];
    origin_start("origin", answer_large, NULL);
    subject_start("events { worker_connections 4096; } http {"
                 "server { listen 127.0.0.1:@http@; http2 on; location = / { return 200 hello; }\n"
                 "location /o { proxy_pass http://127.0.0.1:@origin@; } } }");
    cr_assert(EVENTUALLY(subject_workers(&worker, 1) == 1));
    frames_assert_well(frames_open("http"), 1);
    size_t before = resident_kib(worker);
    for (int c = 0; c < CONNECTIONS; c++) {
        all[c] = frames_open("http");
        frames_hold(all[c]);
        frames_settings(all[c], 4, 0); /* every stream's window is shut from the start */
        for (uint32_t i = 0; i < STREAMS; i++)
            frames_head(all[c], 2 * i + 1, FRAMES_END_STREAM, HEAD("GET", "/o"));
    }
    for (int c = 0; c < CONNECTIONS; c++)
        for (uint32_t i = 0; i < STREAMS; i++)
            cr_assert_eq(frames_await(all[c], 2 * i + 1, 0)->status, 200);
    frames_assert_well(frames_open("http"), 1);
    size_t after = resident_kib(worker);
    cr_log_info("%zu KiB before, %zu KiB after", before, after);
    if (!strstr(subject_program(), "asan")) cr_assert_lt(after - before, (size_t)MOST_KIB);
}
