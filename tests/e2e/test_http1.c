/* The server's side of HTTP/1.x (RFC 9110, 9112): connections, framing, interim responses. */
#include <signal.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *server)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; %s\n"
                          "location / { return 200 $request_method:$request_uri; } }",
                          server));
}

/* With an origin that answers with what it got. */
static origin_t *start_echo(const char *server)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; %s\n"
                          "location / { proxy_pass http://127.0.0.1:@origin@; } }",
                          server));
    return o;
}

static void assert_open(wire_t *w)
{
    wire_send(w, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "GET:/still");
}

E2E(http1, keeps_connections_as_versions_and_fields_say)
{
    static const struct {
        const char *request;
        bool open;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };
    start("");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wire_t *w = wire_open("http");
        wire_send(w, cases[i].request);
        reply_t *r = wire_reply(w);
        assert_text(r->body.p, "GET:/");
        const char *connection = wire_field(r, "Connection");
        cr_assert_eq(strcmp(connection ? connection : "keep-alive", "keep-alive") == 0,
                     cases[i].open, "%s", cases[i].request);
        if (cases[i].open)
            assert_open(w);
        else
            cr_assert(wire_closed(w), "%s", cases[i].request);
        wire_close(w);
    }
}

E2E(http1, answers_pipelined_requests_in_order)
{
    enum { REQUESTS = 200 };
    wire_t *w;
    start("");
    w = wire_open("http");
    const char *all = "";
    for (int i = 0; i < REQUESTS; i++)
        all = text("%s%s /%d HTTP/1.1\r\nHost: h\r\n%s\r\n", all, i % 3 ? "GET" : "HEAD", i,
                   i % 5 ? "" : "X-Long: some more bytes that make heads end in other places\r\n");
    wire_send(w, all);
    for (int i = 0; i < REQUESTS; i++) {
        reply_t *r = wire_reply_to(w, i % 3 ? "GET" : "HEAD");
        if (i % 3) assert_text(r->body.p, text("GET:/%d", i));
    }
    assert_open(w);
}

E2E(http1, answers_pipelined_requests_with_bodies)
{
    origin_t *o = start_echo("");
    wire_t *w = wire_open("http");
    wire_send(
        w, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
           "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
           "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    for (int i = 1; i <= 3; i++) assert_has(wire_reply(w)->body.p, text(" /%d HTTP/1.", i));
    cr_assert(wire_closed(w));
    assert_text(origin_body(o, 0).p, "one");
    assert_text(origin_body(o, 1).p, "two");
}

E2E(http1, takes_heads_that_come_byte_by_byte)
{
    start("");
    wire_t *w = wire_open("http");
    const char *request = "\r\nGET /slow HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    for (const char *p = request; *p; p++) wire_send_n(w, str_make(p, 1));
    assert_text(wire_reply(w)->body.p, "GET:/slow");
}

E2E(http1, an_unread_body_does_not_become_a_request)
{
    start("");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 41\r\n\r\n"
                 "GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_text(wire_reply(w)->body.p, "POST:/");
    if (!wire_readable(w, 0) || !wire_closed(w)) assert_open(w);
}

E2E(http1, decodes_chunked_requests_and_their_extensions)
{
    origin_t *o = start_echo("");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    wire_send(w, "5;a=b;c=\"d;\\\"e\"\r\nhello\r\n");
    wire_send(w, "0000000006;x\r\n world\r\n");
    wire_send(w, "0\r\nX-Trailer: t\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
    assert_text(origin_body(o, 0).p, "hello world");
    cr_assert(!origin_field(o, 0, "X-Trailer"), "a trailer must not become a field");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
}

E2E(http1, large_bodies_arrive_whole)
{
    origin_t *o = start_echo("client_max_body_size 0; client_body_buffer_size 16k;");
    str_t body = pattern(3000000);
    wire_t *w = wire_open("http");
    wire_send(w, text("PUT /len HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body.n));
    wire_send_n(w, body);
    cr_assert_eq(wire_reply(w)->status, 200);
    cr_assert(str_eq(origin_body(o, 0), body));
    wire_send(w, "PUT /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, n = 1; at < body.n; at += n, n = n * 3 % 99991) {
        if (n > body.n - at) n = body.n - at;
        wire_send(w, text("%zx\r\n", n));
        wire_send_n(w, str_sub(body, at, at + n));
        wire_send(w, "\r\n");
    }
    wire_send(w, "0\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
    cr_assert(str_eq(origin_body(o, 1), body));
}

E2E(http1, says_continue_only_when_the_body_is_wanted)
{
    origin_t *o = start_echo("client_max_body_size 1k; location /no { return 403; }");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_text(wire_bytes(w, 25).p, "HTTP/1.1 100 Continue\r\n\r\n");
    wire_send(w, "body");
    cr_assert_eq(wire_reply(w)->status, 200);
    assert_text(origin_body(o, 0).p, "body");

    wire_send(
        w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nhere");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 200, "a body that is on its way already needs no word");
    assert_text(origin_body(o, 1).p, "here");

    w = wire_open("http");
    wire_send(w,
              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4096\r\nExpect: 100-continue\r\n\r\n");
    r = wire_reply(w);
    cr_assert_eq(r->status, 413);
    assert_text(r->interim, "");
    w = wire_open("http");
    wire_send(w,
              "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    r = wire_reply(w);
    cr_assert_eq(r->status, 403);
}

E2E(http1, curl_posts_with_expect)
{
    origin_t *o = start_echo("client_max_body_size 10m;");
    CURL *c = fetch_new("http://127.0.0.1:@http@/");
    str_t body = pattern(2000000);
    struct curl_slist *fields = curl_slist_append(NULL, "Expect: 100-continue");
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(c, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n);
    fetched_t *f = fetch(c);
    curl_slist_free_all(fields);
    cr_assert_eq(f->status, 200);
    assert_has(f->head, "HTTP/1.1 100 Continue\r\n");
    cr_assert(str_eq(origin_body(o, 0), body));
}

E2E(http1, head_has_the_fields_of_get_and_no_body)
{
    start("location /page { default_type text/html; return 200 0123456789; }");
    wire_t *w = wire_open("http");
    wire_send(w, "HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *head = wire_reply_to(w, "HEAD");
    cr_assert_eq(head->status, 200);
    assert_text(wire_field(head, "Content-Length"), "10");
    assert_text(wire_field(head, "Content-Type"), "text/html");
    wire_send(w, "HEAD /none HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply_to(w, "HEAD")->status, 200);
    assert_open(w);
}

E2E(http1, statuses_without_a_body_have_none)
{
    start("location /204 { return 204; } location /304 { return 304; }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /204 HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 204);
    cr_assert(!wire_field(r, "Content-Length") && !wire_field(r, "Transfer-Encoding"));
    wire_send(w, "GET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 304);
    assert_open(w);
}

E2E(http1, old_clients_get_no_chunks)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    origin_start("origin", origin_say, answer);
    subject_http("",
                 "server { listen 127.0.0.1:@http@;"
                 " location / { proxy_http_version 1.1; proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = wire_ask("http", "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
    assert_text(r->body.p, "abcdef");
    cr_assert(!r->chunked);
    r = wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_text(r->body.p, "abcdef");
    cr_assert(r->chunked);
}

E2E(http1, chunked_transfer_encoding_off_ends_with_the_connection)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\n0\r\n\r\n";
    origin_start("origin", origin_say, answer);
    subject_http("",
                 "server { listen 127.0.0.1:@http@; chunked_transfer_encoding off;"
                 " location / { proxy_http_version 1.1; proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_text(r->body.p, "abc");
    cr_assert(r->until_close);
}

E2E(http1, keepalive_requests_limits_a_connection)
{
    start("keepalive_requests 3;");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 3; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        const char *connection = wire_field(wire_reply(w), "Connection");
        cr_assert_eq(connection && strcmp(connection, "close") == 0, i == 2);
    }
    cr_assert(wire_closed(w));
}

E2E(http1, keepalive_timeout_closes_idle_connections_and_tells)
{
    start("keepalive_timeout 300ms 7s;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    reply_t *r = wire_reply(w);
    assert_text(wire_field(r, "Keep-Alive"), "timeout=7");
    cr_assert(wire_closed(w));
    cr_assert(!wire_was_reset(w));
}

E2E(http1, keepalive_timeout_0_switches_it_off)
{
    start("keepalive_timeout 0;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_text(wire_field(wire_reply(w), "Connection"), "close");
    cr_assert(wire_closed(w));
}

E2E(http1, keepalive_time_bounds_the_life_of_a_connection)
{
    start("keepalive_time 1ms;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *said = wire_field(wire_reply(w), "Connection");
    if (strcmp(said, "close") != 0) { /* quicker than that */
        pause_ms(10);
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        said = wire_field(wire_reply(w), "Connection");
    }
    assert_text(said, "close");
    cr_assert(wire_closed(w));
}

/* A client that is still sending its body gets to see the answer before the connection goes. */
E2E(http1, lingers_until_the_answer_has_been_read)
{
    start("client_max_body_size 10; lingering_timeout 20s; lingering_time 60s;");
    wire_t *w = wire_open("http");
    str_t body = pattern(400000);
    wire_send(w, text("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body.n));
    cr_assert(wire_readable(w, PATIENCE_MS));
    wire_try_send(w, body);
    cr_assert_eq(wire_reply(w)->status, 413);
    cr_assert(wire_closed(w));
    cr_assert(!wire_was_reset(w));
}

E2E(http1, lingering_close_off_does_not_wait)
{
    start("client_max_body_size 10; lingering_close off;");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 413);
    cr_assert(wire_closed(w));
}

E2E(http1, listens_on_ipv6_and_unix_sockets)
{
    subject_http("", "server { listen 127.0.0.1:@http@ default_server backlog=64 rcvbuf=64k"
                     " sndbuf=64k so_keepalive=60s:10s:3 deferred;\n"
                     " listen [::1]:@http@ ipv6only=on fastopen=16;\n"
                     " listen unix:@dir@/http.sock;\n"
                     " location / { return 200 $server_addr:$server_port:$remote_addr; } }");
    wire_t *w = wire_open6("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_text(wire_reply(w)->body.p, text("::1:%u:::1", harness_port("http")));
    w = wire_open(file_path("http.sock"));
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_has(wire_reply(w)->body.p, "unix:");
    assert_text(wire_get("http", "/")->body.p,
                text("127.0.0.1:%u:127.0.0.1", harness_port("http")));
}

E2E(http1, reuseport_and_wildcards)
{
    subject_http("worker_processes 2;",
                 "server { listen @http@ reuseport; location / { return 200 ok; } }\n"
                 "server { listen 127.0.0.1:@other@ reuseport; location / { return 200 other; } }");
    for (int i = 0; i < 20; i++) {
        assert_text(wire_get("http", "/")->body.p, "ok");
        assert_text(wire_get("other", "/")->body.p, "other");
    }
}

E2E(http1, answers_carry_date_and_server)
{
    start("");
    reply_t *r = wire_get("http", "/");
    cr_assert(wire_field(r, "Date") && strlen(wire_field(r, "Date")) == 29);
    cr_assert(strchr(wire_field(r, "Server"), '/'));
    cr_assert_eq(subject_stop(SIGQUIT), 0);
}

E2E(http1, server_tokens_off_hides_the_version)
{
    start("server_tokens off; location /e { return 404; }");
    reply_t *r = wire_get("http", "/e");
    cr_assert(!strchr(wire_field(r, "Server"), '/'));
}
