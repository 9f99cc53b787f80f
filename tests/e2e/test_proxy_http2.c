/* Origins over HTTP/2: nghttpd and node. What misbehaves is in test_proxy_http2_bad.c. */
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

static void start_with(const char *http_level, const char *location)
{
    subject_http("", text("%s server { listen 127.0.0.1:@http@; proxy_http_version 2;"
                          " client_max_body_size 0; location / { %s } }", http_level, location));
}

static void start(const char *location)
{
    start_with("", text("proxy_pass http://127.0.0.1:@node@; %s", location));
}

/* A server with this as the function of a request and its stream. */
static void node(const char *function)
{
    peer_node("node", text("const http2 = require('http2');\n"
                           "let sessions = 0, open = 0; const seen = new Set();\n"
                           "const s = http2.createServer({settings:{maxConcurrentStreams:100}});\n"
                           "s.on('session', x => x.on('error', () => {}));\n"
                           "s.on('stream', (t, h) => {\n"
                           "  t.on('error', () => {});\n"
                           "  seen.add(t.session); sessions = seen.size;\n"
                           "  open++; t.on('close', () => open--);\n"
                           "  (%s)(t, h);\n"
                           "});\n"
                           "s.listen(@node@, '127.0.0.1');\n", function));
}

#define ECHO_HEAD "(t, h) => { t.respond({':status': 200}); t.end(JSON.stringify(h)); }"

/* --- the request --- */

E2E(proxy_http2, a_request_has_pseudo_fields_and_nothing_of_a_connection)
{
    node(ECHO_HEAD);
    start("proxy_set_header Host origin.test; proxy_set_header X-More $request_method;");
    const reply_t *r = wire_ask("http", "GET /a?b=c HTTP/1.1\r\nHost: h\r\nTE: trailers, gzip\r\n"
                                        "Connection: close, X-Hop, TE\r\nX-Hop: 1\r\n"
                                        "Keep-Alive: timeout=1\r\nAccept: */*\r\n\r\n");
    assert_text(r->body.p,
                "{\":method\":\"GET\",\":scheme\":\"http\",\":authority\":\"origin.test\","
                "\":path\":\"/a?b=c\",\"te\":\"trailers\",\"x-more\":\"GET\",\"accept\":\"*/*\","
                "\"via\":\"1.1 proxyd\"}");
}

E2E(proxy_http2, bodies_of_every_kind_and_size_come_through)
{
    static const size_t sizes[] = {0, 1, 16384, 65535, 65536, 3000000};
    node("(t, h) => { t.respond({':status': 200}); t.pipe(t); }");
    start_with("", "proxy_pass http://127.0.0.1:@node@;"
                   " location /stream { proxy_pass http://127.0.0.1:@node@;"
                   " proxy_request_buffering off; }"
                   " location /set { proxy_pass http://127.0.0.1:@node@; proxy_set_body over; }");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int streamed = 0; streamed < 2; streamed++) {
            CURL *c = fetch_new(streamed ? "http://127.0.0.1:@http@/stream"
                                         : "http://127.0.0.1:@http@/");
            str_t body = pattern(sizes[i]);
            curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n);
            const fetched_t *f = fetch(c);
            cr_assert_eq(f->status, 200);
            cr_assert(str_eq(f->body, body), "%zu bytes, streamed %d", sizes[i], streamed);
        }
    }
    assert_text(wire_get("http", "/set")->body.p, "over");
}

/* A client that says more only when it has read an answer to what it said before. */
E2E(proxy_http2, both_ways_at_once)
{
    node("(t, h) => { t.respond({':status': 200}); t.on('data', d => t.write('<' + d + '>'));"
         " t.on('end', () => t.end()); }");
    start("proxy_request_buffering off;");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    for (int i = 0; i < 3; i++) {
        char want[8];
        snprintf(want, sizeof(want), "<%c>", 'a' + i);
        str_t got = {"", 0};
        while (got.n < 3 || !str_ends(got, STR(">")) ) {
            str_t more = wire_bytes(w, 1);
            const char *all = text("%.*s%.*s", (int)got.n, got.p, (int)more.n, more.p);
            got = str_make(all, got.n + more.n);
        }
        cr_assert(str_ends(got, str_of(want)), "%.*s", (int)got.n, got.p);
        if (i < 2) wire_send(w, text("1\r\n%c\r\n", 'b' + i));
    }
    wire_send(w, "0\r\n\r\n");
    wire_bytes(w, 2 + 5); /* the line's end of the last chunk, and the end */
    wire_close(w);
}

/* In chunks from one client, behind DATA from another; what routes or frames is no trailer. */
E2E(proxy_http2, trailers_of_a_request_reach_the_origin)
{
    static const char *const locations[] = {"proxy_request_buffering off;", ""};
    node("(t, h) => { let said = {}; t.on('trailers', x => said = x); t.resume();"
         " t.on('end', () => { t.respond({':status': 200}); t.end(JSON.stringify(said)); }); }");
    for (size_t i = 0; i < 2; i++) {
        subject_http("", text("server { listen 127.0.0.1:@http@; http2 on; location / {"
                              " proxy_pass http://127.0.0.1:@node@; proxy_http_version 2; %s } }",
                              locations[i]));
        const reply_t *r = wire_ask("http", "POST / HTTP/1.1\r\nHost: h\r\n"
                                            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                                            "X-Sum: 1\r\nAuthorization: x\r\n\r\n");
        assert_text(r->body.p, "{\"x-sum\":\"1\"}");
        frames_t *f = frames_open("http");
        frames_head(f, 1, 0, HEAD("POST", "/"));
        frames_data(f, 1, 0, STR("abc"));
        frames_head(f, 1, FRAMES_END_STREAM, "x-sum: 2\nauthorization: x\n");
        assert_text(frames_answer(f, 1)->body.p, "{\"x-sum\":\"2\"}");
        frames_close(f);
        subject_stop(SIGQUIT);
    }
}

/* --- the response --- */

E2E(proxy_http2, trailers_and_interim_responses_reach_the_client)
{
    node("(t, h) => { t.additionalHeaders({':status': 103, 'link': '</a>; rel=preload'});"
         " t.respond({':status': 201, 'x-a': ['1', '2']}, {waitForTrailers: true});"
         " t.on('wantTrailers', () => t.sendTrailers({'x-sum': 'abc'})); t.end('body'); }");
    start("");
    const reply_t *r = wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n");
    cr_assert_eq(r->status, 201);
    assert_text(r->body.p, "body");
    assert_has(r->interim, "103");
    assert_has(r->interim, "link: </a>; rel=preload");
    assert_text(r->trailers, "x-sum: abc\r\n");
    assert_text(wire_field(r, "X-A"), "1, 2");
}

E2E(proxy_http2, heads_without_bodies)
{
    node("(t, h) => { const s = +h[':path'].slice(1);"
         " t.respond({':status': s, 'content-length': s == 200 ? 77 : undefined},"
         " {endStream: true}); }");
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n");
    const reply_t *r = wire_reply_to(w, "HEAD");
    cr_assert_eq(r->status, 200);
    assert_text(wire_field(r, "Content-Length"), "77");
    cr_assert_eq(wire_get("http", "/204")->status, 204);
    cr_assert_eq(wire_get("http", "/304")->status, 304);
    r = wire_get("http", "/404");
    cr_assert_eq(r->status, 404);
    assert_text(wire_field(r, "Content-Length"), "0");
}

E2E(proxy_http2, over_tls_with_alpn)
{
    certify("ca", NULL, "");
    certify("leaf", "ca", " -addext subjectAltName=DNS:origin.test");
    peer_node("node", "const fs = require('fs');\n"
                      "require('http2').createSecureServer({key: fs.readFileSync('@dir@/leaf.key'),"
                      " cert: fs.readFileSync('@dir@/leaf.pem'), allowHTTP1: false})"
                      ".on('stream', (t, h) => { t.respond({':status': 200});"
                      " t.end(h[':scheme'] + ' ' + t.session.alpnProtocol); })"
                      ".listen(@node@, '127.0.0.1')");
    start_with("proxy_ssl_verify on; proxy_ssl_trusted_certificate @dir@/ca.pem;"
               " proxy_ssl_name origin.test;", "proxy_pass https://127.0.0.1:@node@;");
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/")->body.p, "https h2");
}

E2E(proxy_http2, an_https_origin_that_speaks_another_protocol_is_said_so)
{
    certify("leaf", NULL, "");
    peer_node("node", "const fs = require('fs');\n"
                      "require('https').createServer({key: fs.readFileSync('@dir@/leaf.key'),"
                      " cert: fs.readFileSync('@dir@/leaf.pem'), ALPNProtocols: []},"
                      " (q, r) => r.end('no')).listen(@node@, '127.0.0.1')");
    start_with("", "proxy_pass https://127.0.0.1:@node@;");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("upstream does not speak HTTP/2");
}

E2E(proxy_http2, nghttpd)
{
    peer_nghttpd("node", ".");
    file_fill("big", 5000000);
    start("proxy_request_buffering off;");
    CURL *c = fetch_new("http://127.0.0.1:@http@/big");
    for (int i = 0; i < 3; i++) cr_assert(str_eq(fetch(c)->body, pattern(5000000)));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, pattern(2000000).p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 2000000L);
    cr_assert(str_eq(fetch(c)->body, pattern(2000000)));
}

E2E(proxy_http2, a_second_origin_is_asked_when_the_first_takes_long)
{
    node("(t, h) => {}");
    peer_node("other", "require('http2').createServer().on('stream', t => {"
                       " t.respond({':status': 200}); t.end('other'); })"
                       ".listen(@other@, '127.0.0.1')");
    start_with("upstream g { server 127.0.0.1:@node@; server 127.0.0.1:@other@; }",
               "proxy_pass http://g; proxy_hedge_after 50ms;");
    for (int i = 0; i < 4; i++) assert_text(wire_get("http", "/")->body.p, "other");
}

/* Reads the header before all, which tells whose connection it is; counts its requests. */
static void serve_announced(visit_t *v)
{
    char c, said[128];
    size_t n = 0;
    uint32_t id;
    while (n < sizeof(said) - 1 && visit_read(v, &c, 1) && c != '\n') said[n++] = c;
    said[n] = '\0';
    if (strncmp(said, "PROXY TCP4 127.0.0.1 ", 21) || !visit_frames_preface(v, STR(""))) return;
    for (unsigned i = 1; (id = visit_frames_await_head(v)); i++) {
        char body = (char)('0' + i);
        visit_frames_fields(v, 0, id, ":status: 200\n");
        visit_frames_put(v, FRAME_DATA, FRAMES_END_STREAM, id, str_make(&body, 1));
    }
}

E2E(proxy_http2, with_the_proxy_protocol_a_connection_is_for_one_request)
{
    origin_t *o = origin_start("node", serve_announced, NULL);
    start("proxy_protocol on;");
    for (int i = 0; i < 3; i++) assert_text(wire_get("http", "/")->body.p, "1");
    cr_assert(origin_await_left(o, 3));
}

/* --- sharing --- */

/* n requests that are all under way before one is answered. */
static void all_at_once(unsigned n, const char *expected)
{
    wire_t *w[40];
    for (unsigned i = 0; i < n; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (unsigned i = 0; i < n; i++) assert_text(wire_reply(w[i])->body.p, expected);
}

#define GATHER \
    "(t, h) => { globalThis.held = globalThis.held || []; held.push(t);" \
    " t.respond({':status': 200});" \
    " if (held.length == %u) { for (const x of held) x.end('%s' + sessions); held.length = 0; } }"

E2E(proxy_http2, requests_share_one_connection)
{
    node(text(GATHER, 20, "sessions "));
    start("");
    all_at_once(20, "sessions 1");
    all_at_once(20, "sessions 1");
}

E2E(proxy_http2, an_origin_that_allows_few_streams_gets_another_connection)
{
    peer_node("node", "const s = require('http2')"
                      ".createServer({settings:{maxConcurrentStreams:4}});\n"
                      "const held = [], seen = new Set();\n"
                      "s.on('stream', (t, h) => { held.push(t); seen.add(t.session);\n"
                      " t.respond({':status': 200});\n"
                      " if (held.length == 10)\n"
                      "  for (const x of held) x.end('sessions ' + seen.size);\n"
                      "});\n"
                      "s.listen(@node@, '127.0.0.1');");
    start("");
    all_at_once(10, "sessions 3");
}

E2E(proxy_http2, a_client_that_does_not_read_stalls_its_own_stream_alone)
{
    node("(t, h) => { t.respond({':status': 200}); if (h[':path'] != '/big') return t.end('small');"
         " let n = 0; const more = () => { while (n < 400) { n++;"
         " if (!t.write(Buffer.alloc(65536))) return t.once('drain', more); }"
         " t.end(); }; more(); }");
    start("");
    wire_t *slow = wire_open("http");
    wire_send(slow, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    wire_bytes(slow, 1000);
    for (int i = 0; i < 20; i++) assert_text(wire_get("http", "/")->body.p, "small");
    for (size_t n = 1000; n < 400 * 65536;) n += wire_bytes(slow, 65536).n; /* or more: framing */
    wire_close(slow);
}

E2E(proxy_http2, a_client_that_leaves_resets_its_stream_alone)
{
    node("(t, h) => { t.respond({':status': 200}); if (h[':path'] == '/count')"
         " return t.end(sessions + ' ' + open + ' ' + globalThis.code);"
         " t.on('close', () => globalThis.code = t.rstCode); t.write('begun'); }");
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /hang HTTP/1.1\r\nHost: h\r\n\r\n");
    wire_bytes(w, 100);
    wire_close(w);
    cr_assert(EVENTUALLY(strcmp(wire_get("http", "/count")->body.p, "1 1 8") == 0));
}

E2E(proxy_http2, an_idle_connection_closes_and_keepalive_bounds_requests)
{
    node("(t, h) => { t.respond({':status': 200}); t.end('' + sessions); }");
    start_with("upstream o { server 127.0.0.1:@node@; keepalive 4; keepalive_requests 2; }"
               "upstream short { server 127.0.0.1:@node@; keepalive_timeout 50ms; }",
               "proxy_pass http://o; } location /short { proxy_pass http://short;");
    assert_text(wire_get("http", "/")->body.p, "1");
    assert_text(wire_get("http", "/")->body.p, "1");
    assert_text(wire_get("http", "/")->body.p, "2");
    assert_text(wire_get("http", "/short")->body.p, "3");
    cr_assert(EVENTUALLY((pause_ms(100), atoi(wire_get("http", "/short")->body.p) > 3)));
}

E2E(proxy_http2, an_upload_that_waits_for_the_window_and_a_reload_meanwhile)
{
    node("(t, h) => { let n = 0; t.on('data', d => n += d.length);"
         " t.on('end', () => { t.respond({':status': 200}); t.end('' + n); }); }");
    start("proxy_request_buffering off;");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                 "Content-Length: 1000000\r\n\r\n");
    assert_text(wire_bytes(w, 25).p, "HTTP/1.1 100 Continue\r\n\r\n"); /* somebody has it */
    wire_send_n(w, pattern(500000));
    subject_reload(subject_configuration("", "server { listen 127.0.0.1:@http@; return 204; }"));
    wire_send_n(w, pattern(500000));
    assert_text(wire_reply(w)->body.p, "1000000");
}
