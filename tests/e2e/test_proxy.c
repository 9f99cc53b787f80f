/* What an origin is asked: the request that proxy_pass and its directives make of the client's. */
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(const char *server)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; %s }", server));
    return o;
}

static const char *target(origin_t *o, unsigned i)
{
    const char *head = origin_head(o, i), *space = strchr(head, ' ') + 1;
    return text("%.*s", (int)strcspn(space, " "), space);
}

static const char *line(origin_t *o, unsigned i)
{
    const char *head = origin_head(o, i);
    return text("%.*s", (int)strcspn(head, "\r"), head);
}

E2E(proxy, replaces_the_part_of_the_path_that_the_location_matched)
{
    static const char *const cases[][2] = {
        {"/keep/a%20b?x=%20y", "/keep/a%20b?x=%20y"},
        {"/keep//a/../b", "/keep//a/../b"},
        {"/cut/a?x", "/a?x"},
        {"/cut/a%3fb", "/a%3Fb"},
        {"/sub/a/b", "/base/a/b"},
        {"/exact", "/other"},
        {"/exact?a=b", "/other?a=b"},
        {"/re/1/z", "/re/1/z"},
        {"/var/abc?d", "/v?u=/var/abc"},
        {"/broken/a", "/re?written&/a"},
        {"/keep/;a=b,c@d:e", "/keep/;a=b,c@d:e"},
    };
    origin_t *o = start("set $o 127.0.0.1:@origin@;"
                        "location /keep/ { proxy_pass http://127.0.0.1:@origin@; }"
                        "location /cut/ { proxy_pass http://127.0.0.1:@origin@/; }"
                        "location /sub/ { proxy_pass http://127.0.0.1:@origin@/base/; }"
                        "location = /exact { proxy_pass http://127.0.0.1:@origin@/other; }"
                        "location ~ ^/re/ { proxy_pass http://127.0.0.1:@origin@; }"
                        "location /var/ { proxy_pass http://$o/v?u=$uri; }"
                        "location /broken { rewrite ^/broken(.*) /re?written&$1? break;"
                        " proxy_pass http://127.0.0.1:@origin@; }");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(wire_get("http", cases[i][0])->status, 200);
        const char *got = target(o, i);
        cr_assert_str_eq(got, cases[i][1], "%s became %s, not %s", cases[i][0], got, cases[i][1]);
    }
}

E2E(proxy, reaches_unix_sockets_and_groups)
{
    origin_t *u = origin_start_unix("unix", origin_echo, NULL);
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "upstream group { server 127.0.0.1:@origin@; }"
                     "upstream sockets { server unix:@unix@; }"
                     "server { listen 127.0.0.1:@http@; set $g group;"
                     "location /group/ { proxy_pass http://group; }"
                     "location /var/ { proxy_pass http://$g/x; }"
                     "location /sock/ { proxy_pass http://unix:@unix@:/y/; }"
                     "location /plain/ { proxy_pass http://unix:@unix@; }"
                     "location /socks/ { proxy_pass http://sockets; } }");
    cr_assert_eq(wire_get("http", "/group/1")->status, 200);
    cr_assert_eq(wire_get("http", "/var/1")->status, 200);
    assert_text(origin_field(o, 0, "Host"), "group");
    assert_text(target(o, 1), "/x");
    cr_assert_eq(wire_get("http", "/sock/1")->status, 200);
    cr_assert_eq(wire_get("http", "/plain/1")->status, 200);
    cr_assert_eq(wire_get("http", "/socks/1")->status, 200);
    assert_text(target(u, 0), "/y/1");
    assert_text(origin_field(u, 0, "Host"), "localhost");
    assert_text(origin_field(u, 2, "Host"), "sockets");
}

E2E(proxy, sends_http_1_1_on_kept_connections)
{
    origin_t *o =
        start("location / { proxy_pass http://127.0.0.1:@origin@; }"
              "location /old { proxy_http_version 1.0; proxy_pass http://127.0.0.1:@origin@; }");
    for (int i = 0; i < 5; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_connections(o), 1);
    assert_text(line(o, 0), "GET / HTTP/1.1");
    assert_text(origin_field(o, 0, "Host"), text("127.0.0.1:%u", harness_port("origin")));
    wire_get("http", "/old");
    assert_text(line(o, 5), "GET /old HTTP/1.0");
    assert_text(origin_field(o, 5, "Connection"), "close");
}

E2E(proxy, set_header_adds_replaces_removes_and_inherits)
{
    origin_t *o = start("proxy_set_header X-Server s; proxy_set_header Host $host;"
                        "location / { proxy_pass http://127.0.0.1:@origin@; }"
                        "location /own { proxy_set_header X-Real-IP $remote_addr;"
                        " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
                        " proxy_set_header X-Empty $arg_none; proxy_set_header Accept \"\";"
                        " proxy_set_header X-Mixed \"<$request_method $uri>\";"
                        " proxy_pass http://127.0.0.1:@origin@; }");
    wire_ask("http",
             "GET / HTTP/1.1\r\nHost: Site.Test:81\r\nX-Server: client\r\nAccept: a\r\n\r\n");
    assert_text(origin_field(o, 0, "Host"), "site.test");
    assert_text(origin_field(o, 0, "X-Server"), "s");
    assert_text(origin_field(o, 0, "Accept"), "a");
    wire_ask("http", "GET /own HTTP/1.1\r\nHost: site.test\r\nAccept: a\r\n"
                     "X-Empty: e\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
    assert_text(origin_field(o, 1, "X-Real-IP"), "127.0.0.1");
    assert_text(origin_field(o, 1, "X-Forwarded-For"), "192.0.2.1, 127.0.0.1");
    assert_text(origin_field(o, 1, "X-Mixed"), "<GET /own>");
    cr_assert(!origin_field(o, 1, "Accept"));
    cr_assert(!origin_field(o, 1, "X-Empty"));
    cr_assert(!origin_field(o, 1, "X-Server"), "one of its own means none inherited");
    assert_text(origin_field(o, 1, "Host"), text("127.0.0.1:%u", harness_port("origin")));
}

E2E(proxy, method_body_and_what_is_held_back)
{
    origin_t *o =
        start("location /m { proxy_method PUT; proxy_pass http://127.0.0.1:@origin@; }"
              "location /b { proxy_set_body \"<$arg_a>\"; proxy_pass http://127.0.0.1:@origin@; }"
              "location /nob { proxy_pass_request_body off; proxy_set_header Content-Length \"\";"
              " proxy_pass http://127.0.0.1:@origin@; }"
              "location /noh { proxy_pass_request_headers off;"
              " proxy_set_header X-Own yes; proxy_pass http://127.0.0.1:@origin@; }");
    static const char *const paths[] = {"/m", "/b?a=new%20body", "/nob", "/noh"};
    for (int i = 0; i < 4; i++) {
        const char *request = text(
            "POST %s HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody", paths[i]);
        cr_assert_eq(wire_ask("http", request)->status, 200, "%s", paths[i]);
    }
    assert_text(line(o, 0), "PUT /m HTTP/1.1");
    assert_text(origin_body(o, 0).p, "body");
    assert_text(origin_body(o, 1).p, "<new%20body>");
    assert_text(origin_field(o, 1, "Content-Length"), "12");
    cr_assert_eq(origin_body(o, 2).n, 0);
    cr_assert(!origin_field(o, 3, "X-A"));
    assert_text(origin_field(o, 3, "X-Own"), "yes");
    assert_text(origin_body(o, 3).p, "body");
}

static void say_peer(visit_t *v)
{
    char peer[64], answer[192];
    visit_peer(v, peer, sizeof(peer));
    while (visit_request(v)) {
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(peer), peer);
        visit_send(v, answer);
    }
}

E2E(proxy, binds_to_an_address)
{
    origin_start("origin", say_peer, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     "location /a { proxy_bind 127.0.0.7; proxy_pass http://127.0.0.1:@origin@; }"
                     "location /v { proxy_bind $arg_from; proxy_pass http://127.0.0.1:@origin@; }"
                     "location /off { proxy_bind off; proxy_pass http://127.0.0.1:@origin@; } }");
    assert_text(wire_get("http", "/a")->body.p, "127.0.0.7");
    assert_text(wire_get("http", "/v?from=127.0.0.8")->body.p, "127.0.0.8");
    assert_text(wire_get("http", "/off")->body.p, "127.0.0.1");
}

/* Arrives while the client is still sending. */
static void say_when_body_begins(visit_t *v)
{
    char some[16];
    if (!visit_read_head(v) || !visit_read(v, some, sizeof(some))) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
    visit_await_left(v);
}

E2E(proxy, request_buffering_off_sends_what_is_there)
{
    origin_start("origin", say_when_body_begins, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; location / {"
                     " proxy_request_buffering off; proxy_http_version 1.1;"
                     " proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    assert_text(wire_reply(w)->body.p, "early");
}

E2E(proxy, request_buffering_on_waits_for_the_whole_body)
{
    origin_t *o = start("location / { proxy_request_buffering on;"
                        " proxy_pass http://127.0.0.1:@origin@; }");
    wire_t *w = wire_open("http");
    wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    wire_get("http", "/other");
    cr_assert_eq(origin_connections(o), 1);
    wire_send(w, "4\r\nrest\r\n0\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 200);
    assert_text(origin_body(o, 1).p, "halfrest");
}

/* --- trailers --- */

#define CHUNKED(HEAD, TRAILERS) \
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" HEAD "\r\n" \
    "3\r\nabc\r\n2\r\nde\r\n0\r\n" TRAILERS "\r\n"

static void assert_trailers(const char *location, const char *request, const char *trailers)
{
    origin_t *o = start(text("location / { proxy_pass http://127.0.0.1:@origin@; %s }", location));
    cr_assert_eq(wire_ask("http", request)->status, 200);
    assert_text(origin_body(o, 0).p, "abcde");
    assert_text(origin_trailers(o, 0), trailers);
    cr_assert(!!origin_field(o, 0, "Transfer-Encoding") != !!origin_field(o, 0, "Content-Length"));
    cr_assert_eq(subject_stop(SIGQUIT), 0);
}

E2E(proxy, trailers_of_a_request_reach_the_origin)
{
    static const char *const buffering[] = {
        "proxy_request_buffering off;", "", "client_body_buffer_size 1; client_body_temp_path b;"};
    for (size_t i = 0; i < sizeof(buffering) / sizeof(buffering[0]); i++)
        assert_trailers(buffering[i], CHUNKED("", "X-Sum: 1\r\nX-Time: 2\r\n"),
                        "X-Sum: 1\r\nX-Time: 2\r\n");
}

/* What decodes, routes or asks is none of a trailer's (RFC 9110 6.5.1); nor what is set here. */
E2E(proxy, some_trailers_end_here)
{
    static const char *const buffering[] = {"proxy_request_buffering off;", ""};
    for (size_t i = 0; i < 2; i++)
        assert_trailers(text("%s proxy_set_header X-Real-IP $remote_addr;", buffering[i]),
                        CHUNKED("Connection: X-Hop\r\n",
                                "X-Real-IP: 1.2.3.4\r\nX-Hop: 1\r\nHost: x\r\nTE: gzip\r\n"
                                "Content-Length: 9\r\nTransfer-Encoding: chunked\r\nCookie: a\r\n"
                                "Authorization: x\r\nContent-Encoding: gzip\r\nX-Sum: 1\r\n"),
                        "X-Sum: 1\r\n");
}

E2E(proxy, trailers_are_announced_where_they_can_come)
{
    origin_t *o = start("location / { proxy_pass http://127.0.0.1:@origin@; }"
                        "location /old { proxy_pass http://127.0.0.1:@origin@;"
                        " proxy_http_version 1.0; }");
    wire_ask("http", CHUNKED("Trailer: X-Sum\r\n", "X-Sum: 1\r\n"));
    assert_text(origin_field(o, 0, "Trailer"), "X-Sum");
    wire_ask("http", CHUNKED("Trailer: X-Sum\r\n", ""));
    cr_assert(!origin_field(o, 1, "Trailer"), "none came");
    assert_text(origin_field(o, 1, "Content-Length"), "5");
    wire_ask("http", "POST /old HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    assert_text(origin_field(o, 2, "Content-Length"), "3");
    cr_assert(!origin_field(o, 2, "Transfer-Encoding"));
}

E2E(proxy, trailers_go_to_the_next_origin_too)
{
    origin_start("first", origin_say_once, "nonsense");
    origin_t *second = origin_start("second", origin_echo, NULL);
    subject_http("", "upstream u { server 127.0.0.1:@first@; server 127.0.0.1:@second@ backup; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                     " proxy_next_upstream invalid_header non_idempotent; } }");
    cr_assert_eq(wire_ask("http", CHUNKED("", "X-Sum: 1\r\n"))->status, 200);
    assert_text(origin_body(second, 0).p, "abcde");
    assert_text(origin_trailers(second, 0), "X-Sum: 1\r\n");
}

/* Of a body without a byte. */
E2E(proxy, trailers_alone)
{
    origin_t *o = start("location / { proxy_pass http://127.0.0.1:@origin@; }");
    wire_ask("http", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "0\r\nX-Sum: 1\r\n\r\n");
    assert_text(origin_trailers(o, 0), "X-Sum: 1\r\n");
}

/* --- real servers --- */

E2E(proxy, python_serves_files)
{
    file_fill("files/big.bin", 3000000);
    file_write("files/a b.txt", "spaced");
    peer_python("python", "files");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass http://127.0.0.1:@python@; } }");
    reply_t *r = wire_get("http", "/big.bin");
    cr_assert(str_eq(r->body, pattern(3000000)));
    assert_text(wire_get("http", "/a%20b.txt")->body.p, "spaced");
    cr_assert_eq(wire_get("http", "/none")->status, 404);
    assert_has(wire_get("http", "/")->body.p, "big.bin");
}

E2E(proxy, node_streams_and_takes_bodies)
{
    peer_node("node",
              "require('http').createServer((q, r) => {\n"
              "  let n = 0; q.on('data', d => n += d.length);\n"
              "  q.on('end', () => { for (let i = 0; i < 200; i++) r.write('part ' + i + '\\n');\n"
              "    r.addTrailers({'X-End': 'yes'}); r.end(q.method + ' ' + n); });\n"
              "}).listen(@node@, '127.0.0.1')");
    subject_http("", "server { listen 127.0.0.1:@http@; client_max_body_size 10m;"
                     " location / { proxy_pass http://127.0.0.1:@node@; } }");
    wire_t *w = wire_open("http");
    for (int i = 0; i < 3; i++) {
        wire_send(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
        wire_send_n(w, pattern(500000));
        reply_t *r = wire_reply(w);
        assert_has(r->body.p, "part 199\nPOST 500000");
        cr_assert(r->chunked);
    }
}

E2E(proxy, nginx_answers_ranges_and_conditions)
{
    file_fill("www/f", 100000);
    peer_nginx("nginx", "server { listen 127.0.0.1:@nginx@; root @dir@/www; }");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass http://127.0.0.1:@nginx@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /f HTTP/1.1\r\nHost: h\r\nRange: bytes=10-19\r\n\r\n");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 206);
    cr_assert(str_eq(r->body, str_sub(pattern(100000), 10, 20)));
    wire_send(
        w, text("GET /f HTTP/1.1\r\nHost: h\r\nIf-None-Match: %s\r\n\r\n", wire_field(r, "ETag")));
    cr_assert_eq(wire_reply(w)->status, 304);
    wire_send(w, "HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n");
    r = wire_reply_to(w, "HEAD");
    assert_text(wire_field(r, "Content-Length"), "100000");
}

E2E(proxy, tells_about_the_exchange_in_variables)
{
    origin_start("origin", origin_say,
                 "HTTP/1.1 201 Made\r\nContent-Length: 2\r\nX-O: v\r\n"
                 "Set-Cookie: a=b; Path=/\r\n\r\nhi");
    subject_http("", "log_format u '$upstream_addr|$upstream_status|$upstream_http_x_o|"
                     "$upstream_cookie_a|$upstream_response_length|$upstream_response_time|"
                     "$upstream_connect_time|$upstream_header_time|$upstream_bytes_received|"
                     "$proxy_host|$proxy_port|$status';\n"
                     "server { listen 127.0.0.1:@http@; access_log @dir@/u.log u;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_get("http", "/");
    cr_assert(EVENTUALLY(strchr(file_read("u.log"), '\n')));
    const char *log = file_read("u.log"), *port = text("%u", harness_port("origin"));
    const char *start_of = text("127.0.0.1:%s|201|v|b|2|0.", port);
    cr_assert(strncmp(log, start_of, strlen(start_of)) == 0, "%s", log);
    assert_has(log, text("|127.0.0.1:%s|%s|201\n", port, port));
}
