/* Asking another URI whether a client may come in: auth_request and what is learnt by it. */
#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* Judges by the cookie: "in" may come in, "out" must not, "odd" makes no sense. */
static void serve_gate(visit_t *v)
{
    while (visit_request(v)) {
        const char *head = visit_head(v);
        if (strstr(head, "Cookie: in"))
            visit_send(v, "HTTP/1.1 200 OK\r\nX-User: ann\r\nContent-Type: text/token\r\n"
                          "Set-Cookie: renewed=1\r\n"
                          "Content-Length: 4\r\n\r\nbody");
        else if (strstr(head, "Cookie: out"))
            visit_send(v, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        else if (strstr(head, "Cookie: odd"))
            visit_send(v, "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
        else
            visit_send(v, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=a\r\n"
                          "Content-Length: 2\r\n\r\nno");
    }
}

static origin_t *gate, *app;

static void start(const char *locations)
{
    gate = origin_start("gate", serve_gate, NULL);
    app = origin_start("app", origin_echo, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@;"
                          " location = /verify { internal; proxy_pass http://127.0.0.1:@gate@/v;"
                          "  proxy_set_header X-Target $request_uri;"
                          "  proxy_set_header X-Verb $request_method; } %s }", locations));
}

static reply_t *ask(const char *path, const char *cookie)
{
    return wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\nCookie: %s\r\nConnection: close\r\n"
                                 "\r\n", path, cookie));
}

E2E(auth_request, lets_in_and_keeps_out)
{
    start("location / { auth_request /verify; proxy_pass http://127.0.0.1:@app@; }");
    cr_assert_eq(ask("/a", "in")->status, 200);
    cr_assert_eq(ask("/a", "out")->status, 403);
    reply_t *r = ask("/a", "none");
    cr_assert_eq(r->status, 401);
    assert_text(wire_field(r, "WWW-Authenticate"), "Bearer realm=a");
    cr_assert_eq(origin_requests(app), 1);
    cr_assert_eq(ask("/a", "odd")->status, 500);
    subject_log_await("auth request unexpected status: 302");
}

E2E(auth_request, asks_with_the_clients_fields_and_no_body)
{
    start("location / { auth_request /verify; proxy_pass http://127.0.0.1:@app@; }");
    reply_t *r = wire_ask("http", "POST /up?x=1 HTTP/1.1\r\nHost: h\r\nCookie: in\r\n"
                                  "Content-Length: 5\r\nIf-None-Match: \"e\"\r\n"
                                  "Connection: close\r\n\r\nhello");
    cr_assert_eq(r->status, 200);
    cr_assert(strncmp(origin_head(gate, 0), "GET /v HTTP/1.1\r\n", 17) == 0);
    assert_text(origin_field(gate, 0, "X-Target"), "/up?x=1");
    assert_text(origin_field(gate, 0, "X-Verb"), "POST");
    cr_assert_null(origin_field(gate, 0, "Content-Length"));
    cr_assert_null(origin_field(gate, 0, "If-None-Match"));
    cr_assert_eq(origin_body(gate, 0).n, 0);
    cr_assert(strncmp(origin_head(app, 0), "POST /up?x=1 HTTP/1.1\r\n", 23) == 0);
    assert_text(origin_body(app, 0).p, "hello");
}

E2E(auth_request, sets_variables)
{
    start("location / { auth_request /verify; auth_request_set $user $upstream_http_x_user;"
          " auth_request_set $cookie $upstream_http_set_cookie;"
          " auth_request_set $code $upstream_status; add_header Set-Cookie $cookie;"
          " add_header X-Code $code always; add_header X-Origins $upstream_addr;"
          " proxy_set_header X-Remote-User $user; proxy_pass http://127.0.0.1:@app@; }");
    reply_t *r = ask("/", "in");
    cr_assert_eq(r->status, 200);
    assert_text(origin_field(app, 0, "X-Remote-User"), "ann");
    assert_text(wire_field(r, "Set-Cookie"), "renewed=1");
    assert_text(wire_field(r, "X-Code"), "200");
    cr_assert_null(strchr(wire_field(r, "X-Origins"), ','), "the gate is no origin of the answer");
    assert_text(wire_field(ask("/", "none"), "X-Code"), "401");
}

E2E(auth_request, error_page_sends_to_sign_in)
{
    start("location / { auth_request /verify; error_page 401 = @sign_in;"
          "  proxy_pass http://127.0.0.1:@app@; }"
          " location @sign_in { return 302 /login?back=$request_uri; }"
          " location /open { auth_request off; proxy_pass http://127.0.0.1:@app@; }");
    reply_t *r = ask("/deep", "none");
    cr_assert_eq(r->status, 302);
    cr_assert_not_null(strstr(wire_field(r, "Location"), "/login?back=/deep"));
    cr_assert_eq(ask("/open", "none")->status, 200);
}

E2E(auth_request, counts_for_satisfy)
{
    start("location /any { satisfy any; deny all; auth_request /verify; return 204; }"
          " location /in { satisfy any; allow 127.0.0.1; deny all; auth_request /verify;"
          "  proxy_pass http://127.0.0.1:@app@; }"
          " location /dead { auth_request /gone; root @dir@; }"
          " location /gone { proxy_pass http://127.0.0.1:@dead@; }"
          " location /here { auth_request /yes; root @dir@; }"
          " location /yes { return 204; }"
          " location /not { auth_request /no; root @dir@; }"
          " location /no { return 403; }"
          " location /file { satisfy any; deny all; auth_request /verify; root @dir@; }");
    file_write("here", "here");
    file_write("file", "file");
    cr_assert_eq(ask("/in", "none")->status, 200);
    cr_assert_eq(origin_requests(gate), 0);
    cr_assert_eq(ask("/file", "in")->status, 200);
    cr_assert_eq(ask("/file", "none")->status, 401);
    cr_assert_eq(ask("/here", "none")->status, 200);
    cr_assert_eq(ask("/not", "none")->status, 403);
    cr_assert_eq(ask("/dead", "none")->status, 500);
    subject_log_await("auth request unexpected status: 502");
}

static void serve_never(visit_t *v)
{
    visit_request(v);
    visit_await_left(v);
}

E2E(auth_request, a_client_that_leaves_ends_the_wait)
{
    origin_t *slow = origin_start("slow", serve_never, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@; access_log @dir@/access.log;"
                     " location / { auth_request /verify; return 200 in; root @dir@; }"
                     " location /verify { proxy_pass http://127.0.0.1:@slow@;"
                     " proxy_read_timeout 1s; }"
                     " location /wait { auth_request /verify; root @dir@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_not_null(origin_head(slow, 0));
    wire_close(w);
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), " 499 ")));
    cr_assert_eq(wire_ask("http",
                          "GET /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")->status,
                 500);
    subject_log_await("auth request unexpected status: 504");
}

static void serve_tunnel(visit_t *v)
{
    char bytes[4];
    if (!visit_read_head(v)) return;
    visit_send(v, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    size_t n = visit_read(v, bytes, sizeof(bytes));
    visit_send_n(v, bytes, n);
}

/* The question is no handshake, whatever its location says, and an answer of 101 is none. */
E2E(auth_request, asks_before_an_upgrade)
{
    origin_t *tunnel = origin_start("tunnel", serve_tunnel, NULL);
    start("proxy_set_header Connection upgrade; proxy_set_header Upgrade x;"
          " location = /v { proxy_pass http://127.0.0.1:@gate@; }"
          " location = /bad { proxy_pass http://127.0.0.1:@tunnel@; }"
          " location / { auth_request /v; proxy_pass http://127.0.0.1:@tunnel@; }"
          " location /no { auth_request /bad; proxy_pass http://127.0.0.1:@tunnel@; }");
    const char *request = "GET %s HTTP/1.1\r\nHost: h\r\nCookie: in\r\nConnection: upgrade\r\n"
                          "Upgrade: x\r\n\r\n";
    wire_t *w = wire_open("http");
    wire_send(w, text(request, "/"));
    cr_assert_not_null(origin_head(gate, 0));
    cr_assert_null(origin_field(gate, 0, "Upgrade"));
    cr_assert_not_null(strstr(wire_bytes(w, 32).p, "101 Switching"));
    wire_close(w);
    w = wire_open("http");
    wire_send(w, text(request, "/no"));
    cr_assert_eq(wire_reply(w)->status, 500);
    subject_log_await("auth request unexpected status: 502");
    cr_assert_eq(origin_connections(tunnel), 2);
}

E2E(auth_request, is_checked)
{
    file_write("proxyd.conf", "events {} http { server { auth_request verify; } }");
    ran_t r = subject_run("-t -c @dir@/proxyd.conf");
    cr_assert_neq(r.status, 0);
    cr_assert_not_null(strstr(r.output, "proxyd.conf:1:40: \"verify\" does not begin with \"/\""),
                       "%s",
                       r.output);
}

/* As token introspection is written for nginx: what one token is answered stands for all its
   uses. */
E2E(auth_request, the_answer_may_be_cached)
{
    gate = origin_start("gate", serve_gate, NULL);
    app = origin_start("app", origin_echo, NULL);
    subject_http("", "proxy_cache_path @dir@/c keys_zone=tokens:1m;"
                     "server { listen 127.0.0.1:@http@;"
                     " location = /verify { internal; proxy_pass http://127.0.0.1:@gate@;"
                     "  proxy_method POST; proxy_set_body token=$http_cookie;"
                     "  proxy_ignore_headers Set-Cookie; proxy_cache tokens;"
                     "  proxy_cache_key $http_cookie; proxy_cache_valid 200 403 1m; }"
                     " location / { auth_request /verify;"
                     " auth_request_set $u $upstream_http_x_user;"
                     "  auth_request_set $t $upstream_http_content_type;"
                     "  add_header X-User $u; add_header X-Type $t;"
                     " proxy_pass http://127.0.0.1:@app@; } }");
    for (int i = 0; i < 3; i++) {
        reply_t *r = ask(text("/%d", i), "in");
        cr_assert_eq(r->status, 200);
        assert_text(wire_field(r, "X-User"), "ann");
        assert_text(wire_field(r, "X-Type"), "text/token");
        cr_assert_eq(ask("/a", "out")->status, 403);
    }
    cr_assert_eq(origin_requests(app), 3);
    cr_assert_eq(origin_requests(gate), 2);
    cr_assert_eq(ask("/a", "none")->status, 401);
    cr_assert_eq(ask("/a", "none")->status, 401);
    cr_assert_eq(origin_requests(gate), 4, "a 401 is not kept");
}
