/* Origins over HTTP/2 that break off, or refuse: who hears of it, and when another is asked. */
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

static void start(const char *location)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; location / {"
                          " proxy_pass http://127.0.0.1:@origin@; proxy_http_version 2; %s } }",
                          location));
}

/* --- ends --- */

static void reset_after_head(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) {
        visit_frames_fields(v, 0, id, ":status: 200\n");
        visit_frames_put(v, FRAME_DATA, 0, id, STR("some"));
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_INTERNAL_ERROR);
    }
}

/* An end, and no reset for what was not read. */
static void end(visit_t *v)
{
    visit_shut(v);
    visit_await_left(v);
}

static void close_after_head(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, 0, id, ":status: 200\n");
    visit_frames_put(v, FRAME_DATA, 0, id, STR("some"));
    end(v);
}

static void broken_reply(void)
{
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const reply_t *r = wire_try_reply(w, "GET");
    cr_assert(r->broken);
    assert_text(text("%.*s", (int)r->body.n, r->body.p), "some");
    wire_close(w);
}

E2E(proxy_http2_ends, a_stream_that_is_reset_after_its_head)
{
    origin_t *o = origin_start("origin", reset_after_head, NULL);
    start("");
    for (int i = 0; i < 3; i++) broken_reply();
    cr_assert_eq(origin_connections(o), 1);
}

E2E(proxy_http2_ends, a_connection_that_is_lost_after_a_head)
{
    origin_start("origin", close_after_head, NULL);
    start("");
    broken_reply();
    subject_log_await("upstream prematurely closed connection while reading upstream");
}

static void close_before_head(visit_t *v)
{
    if (visit_frames_preface(v, STR("")) && visit_frames_await_head(v)) end(v);
}

static void reset_before_head(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v)))
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_INTERNAL_ERROR);
}

E2E(proxy_http2_ends, no_answer_at_all_is_a_failure_of_the_kind_it_is)
{
    origin_start("origin", close_before_head, NULL);
    origin_start("other", reset_before_head, NULL);
    start("location /other { proxy_pass http://127.0.0.1:@other@; proxy_http_version 2; }");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("upstream prematurely closed connection while reading response header");
    cr_assert_eq(wire_get("http", "/other")->status, 502);
    subject_log_await("recv() failed (104: Connection reset by peer) while reading response");
}

/* --- another try --- */

static void refuse(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v)))
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_REFUSED_STREAM);
}

static void go_away(visit_t *v)
{
    if (!visit_frames_preface(v, STR("")) || !visit_frames_await_head(v)) return;
    visit_frames_goaway(v, 0, CODE_NO_ERROR);
    visit_await_left(v);
}

static void serve(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v))) visit_frames_well(v, id);
}

static void start_group(const char *location)
{
    subject_http("", text("upstream g { server 127.0.0.1:@origin@;"
                          " server 127.0.0.1:@other@ backup; }"
                          "server { listen 127.0.0.1:@http@; location / { proxy_pass http://g;"
                          " proxy_http_version 2; %s } }", location));
}

/* A POST that an origin has not begun to serve may go to another. */
static const char post[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";

E2E(proxy_http2_ends, a_refused_stream_is_tried_elsewhere_whatever_its_method)
{
    origin_start("origin", refuse, NULL);
    origin_start("other", serve, NULL);
    start_group("");
    assert_text(wire_ask("http", post)->body.p, "well");
}

E2E(proxy_http2_ends, a_stream_that_goaway_leaves_out_is_tried_elsewhere)
{
    origin_start("origin", go_away, NULL);
    origin_start("other", serve, NULL);
    start_group("");
    assert_text(wire_ask("http", post)->body.p, "well");
}

E2E(proxy_http2_ends, what_may_have_been_served_is_not_sent_twice)
{
    origin_start("origin", reset_before_head, NULL);
    origin_start("other", serve, NULL);
    start_group("");
    cr_assert_eq(wire_ask("http", post)->status, 502);
}

/* Serves one request and then breaks the rules, so that the connection goes. */
static void serve_one(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_well(v, id);
    visit_frames_number(v, FRAME_PING, 0, 0); /* 4 bytes too short */
    visit_await_left(v);
}

E2E(proxy_http2_ends, a_connection_that_went_is_replaced_unseen)
{
    origin_t *o = origin_start("origin", serve_one, NULL);
    start("");
    for (unsigned i = 0; i < 5; i++) {
        assert_text(wire_ask("http", post)->body.p, "well");
        cr_assert(origin_await_left(o, i + 1));
    }
    cr_assert_eq(origin_connections(o), 5);
}
