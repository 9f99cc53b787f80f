/* Origins over TLS: nginx, openssl s_server, and one of our own that misbehaves. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/keeper.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_tls.h"
#include "tests/e2e/wire.h"

static const char origin_name[] = " -addext subjectAltName=DNS:origin.test";

static void certify_origin(void)
{
    certify("ca", NULL, "");
    certify("leaf", "ca", origin_name);
}

/* --- both sides --- */

/* nginx with TLS: says whom it was asked for, whether the session was resumed, and so on. */
static void start_nginx(const char *more)
{
    peer_nginx("tls", text("server { listen 127.0.0.1:@tls@ ssl; ssl_protocols TLSv1.2 TLSv1.3;"
                           " ssl_certificate @dir@/leaf.pem;"
                           " ssl_certificate_key @dir@/leaf.key; %s\n"
                           " location / { return 200 \"name=$ssl_server_name;$ssl_session_reused;"
                           "$connection_requests;$ssl_protocol;$ssl_client_s_dn\"; }\n"
                           " location /file { root @dir@; } }", more));
}

static void start(const char *http_level, const char *location)
{
    subject_http("", text("%s\nserver { listen 127.0.0.1:@http@; location / { %s } }", http_level,
                          location));
}

#define VERIFIED \
    "proxy_ssl_verify on; proxy_ssl_trusted_certificate @dir@/ca.pem; " \
    "proxy_ssl_name origin.test; proxy_ssl_server_name on; "
#define PASS "proxy_pass https://127.0.0.1:@tls@; "

static void says(const char *path, const char *expected)
{
    reply_t *r = wire_get("http", path);
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, expected);
}

static void refused_with(const char *logged)
{
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await(logged);
}

/* --- a healthy origin --- */

E2E(proxy_ssl, a_verified_origin_and_its_connection_kept)
{
    certify_origin();
    start_nginx("");
    start("", PASS VERIFIED);
    says("/", "name=origin.test;.;1;TLSv1.3;");
    says("/", "name=origin.test;.;2;TLSv1.3;");
    says("/", "name=origin.test;.;3;TLSv1.3;");
    cr_assert_eq(subject_log_count("[warn]"), 0);
}

E2E(proxy_ssl, names_are_sent_when_told_to)
{
    certify_origin();
    start_nginx("");
    subject_http("", "server { listen 127.0.0.1:@http@; location / { " PASS " }"
                     " location /on { " PASS " proxy_ssl_server_name on;"
                     " proxy_ssl_name $arg_n; } }");
    says("/", "name=;.;1;TLSv1.3;");
    says("/on?n=a.test", "name=a.test;.;1;TLSv1.3;");
    says("/on?n=b.test:99", "name=b.test;.;1;TLSv1.3;");
    says("/on?n=127.0.0.1", "name=;.;1;TLSv1.3;");
    says("/on?n=b.test", "name=b.test;.;2;TLSv1.3;");
    says("/on?n=a.test", "name=a.test;.;2;TLSv1.3;");
    says("/", "name=;.;2;TLSv1.3;");
}

E2E(proxy_ssl, sessions_are_resumed)
{
    certify_origin();
    start_nginx("");
    subject_http("", "proxy_http_version 1.0; server { listen 127.0.0.1:@http@;"
                     " location / { " PASS VERIFIED " }"
                     " location /twelve { " PASS VERIFIED " proxy_ssl_protocols TLSv1.2; }"
                     " location /off { " PASS VERIFIED " proxy_ssl_session_reuse off; } }");
    says("/", "name=origin.test;.;1;TLSv1.3;");
    says("/", "name=origin.test;r;1;TLSv1.3;");
    says("/", "name=origin.test;r;1;TLSv1.3;");
    says("/twelve", "name=origin.test;.;1;TLSv1.2;");
    says("/twelve", "name=origin.test;r;1;TLSv1.2;");
    says("/off", "name=origin.test;.;1;TLSv1.3;");
    says("/off", "name=origin.test;.;1;TLSv1.3;");
}

E2E(proxy_ssl, groups_and_variables_name_https_origins)
{
    certify_origin();
    start_nginx("");
    subject_http("", "upstream origin.test { server 127.0.0.1:@tls@; }"
                     "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;"
                     "proxy_ssl_server_name on; server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass https://origin.test; }"
                     " location /var { proxy_pass https://$arg_to; }"
                     " location /whole { proxy_pass $arg_to; } }");
    says("/", "name=origin.test;.;1;TLSv1.3;");
    says("/var?to=origin.test", "name=origin.test;.;2;TLSv1.3;");
    says("/whole?to=https://origin.test", "name=origin.test;.;3;TLSv1.3;");
}

E2E(proxy_ssl, large_bodies_pass_both_ways)
{
    origin_start("echo", origin_echo, NULL);
    certify_origin();
    start_nginx("client_max_body_size 20m; proxy_request_buffering off; proxy_buffering off;"
                "location /echo { proxy_pass http://127.0.0.1:@echo@; }");
    file_fill("file", 5000000);
    subject_http("", "client_max_body_size 20m; server { listen 127.0.0.1:@http@;"
                     " location / { " PASS VERIFIED " }"
                     " location /echo/streamed { " PASS VERIFIED
                     " proxy_request_buffering off; } }");
    str_t body = pattern(5000000);
    reply_t *r = wire_get("http", "/file");
    cr_assert(r->status == 200 && str_eq(r->body, body));
    const char *paths[] = {"/echo/streamed", "/echo"};
    for (int i = 0; i < 2; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, text("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n",
                          paths[i]));
        wire_send_n(w, body);
        r = wire_reply_to(w, "POST");
        cr_assert_eq(r->status, 200);
        cr_assert(str_ends(r->body, body), "%s", paths[i]);
    }
}

E2E(proxy_ssl, a_client_certificate_is_shown)
{
    certify_origin();
    certify("me", "ca", "");
    certify_openssl("ec -in @dir@/me.key -out @dir@/locked.key -aes128 -passout pass:open-sesame");
    file_write("passwords", "wrong\nopen-sesame\n");
    start_nginx("ssl_verify_client on; ssl_client_certificate @dir@/ca.pem;");
    subject_http("", "server { listen 127.0.0.1:@http@; location / { " PASS VERIFIED
                     " proxy_ssl_certificate me.pem; proxy_ssl_certificate_key locked.key;"
                     " proxy_ssl_password_file passwords; }"
                     " location /without { " PASS VERIFIED " } }");
    says("/", "name=origin.test;.;1;TLSv1.3;CN=me");
    cr_assert_eq(wire_get("http", "/without")->status, 400);
}

/* A connection shows whom it was opened for: another's request must not go over it. */
E2E(proxy_ssl, each_request_chooses_its_certificate)
{
    certify_origin();
    certify("me", "ca", "");
    certify("you", "ca", "");
    certify_openssl("ec -in @dir@/you.key -out @dir@/locked.key -aes128 -passout pass:open-sesame");
    file_write("passwords", "wrong\nopen-sesame\n");
    cr_assert_eq(chmod(file_path("me.key"), 0644), 0); /* workers read them */
    cr_assert_eq(chmod(file_path("locked.key"), 0644), 0);
    start_nginx("ssl_verify_client optional; ssl_client_certificate @dir@/ca.pem;");
    subject_http("", "map $arg_who $key { me me.key; you @dir@/locked.key; default none.key; }"
                     "map $arg_who $cert { '' ''; default $arg_who.pem; }"
                     "server { listen 127.0.0.1:@http@; location / { " PASS VERIFIED
                     " proxy_ssl_certificate $cert; proxy_ssl_certificate_key $key;"
                     " proxy_ssl_password_file passwords; } }");
    for (int i = 1; i <= 3; i++) {
        says("/?who=me", text("name=origin.test;.;%d;TLSv1.3;CN=me", i));
        says("/?who=you", text("name=origin.test;.;%d;TLSv1.3;CN=you", i));
        says("/", text("name=origin.test;.;%d;TLSv1.3;", i));
    }
    cr_assert_eq(wire_get("http", "/?who=nobody")->status, 500);
    subject_log_await(text("cannot show certificate \"%s/nobody.pem\" (SSL: error:",
                           harness_dir()));
    subject_log_await("while SSL handshaking to upstream");
}

E2E(proxy_ssl, protocols_and_commands)
{
    certify_origin();
    start_nginx("");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location / { " PASS " proxy_ssl_conf_command MaxProtocol TLSv1.2; }"
                     " location /none { " PASS " proxy_ssl_protocols TLSv1.2;"
                     " proxy_ssl_ciphers AES128-SHA; } }");
    says("/", "name=;.;1;TLSv1.2;");
    cr_assert_eq(wire_get("http", "/none")->status, 502);
    subject_log_await("SSL_do_handshake() failed (SSL: error:");
}

E2E(proxy_ssl, openssl_s_server_is_understood)
{
    certify_origin();
    const char *argv[] = {"openssl", "s_server", "-www", "-quiet", "-accept",
                          text("127.0.0.1:%u", harness_port("tls")), "-cert",
                          file_path("leaf.pem"), "-key", file_path("leaf.key"), NULL};
    keeper_run(argv, harness_dir(), file_path("s_server.txt"));
    start("", PASS VERIFIED);
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200));
    assert_has(wire_get("http", "/")->body.p, "TLSv1.3");
}

/* --- certificates that do not convince --- */

E2E(proxy_ssl, a_wrong_name)
{
    certify_origin();
    start_nginx("");
    start("", PASS "proxy_ssl_verify on; proxy_ssl_trusted_certificate @dir@/ca.pem;"
                   "proxy_ssl_name other.test;");
    refused_with("upstream SSL certificate does not match \"other.test\" while SSL handshaking to "
                 "upstream, client: 127.0.0.1, server: , request: \"GET / HTTP/1.1\", upstream: "
                 "\"https://127.0.0.1:");
}

E2E(proxy_ssl, an_unknown_authority)
{
    certify_origin();
    certify("stranger", NULL, "");
    start_nginx("");
    start("", PASS "proxy_ssl_verify on; proxy_ssl_trusted_certificate @dir@/stranger.pem;"
                   "proxy_ssl_name origin.test;");
    refused_with("upstream SSL certificate verify error: (20:unable to get local issuer "
                 "certificate) while SSL handshaking to upstream");
}

E2E(proxy_ssl, an_expired_certificate)
{
    certify("ca", NULL, "");
    certify_openssl(text("req -newkey rsa:2048 -nodes -batch -keyout @dir@/leaf.key "
                         "-out @dir@/leaf.csr "
                 "-subj /CN=leaf%s", origin_name));
    certify_authority("-batch -notext -in @dir@/leaf.csr -out @dir@/leaf.pem "
              "-startdate 20200101000000Z -enddate 20200201000000Z");
    start_nginx("");
    start("", PASS VERIFIED);
    refused_with("upstream SSL certificate verify error: (10:certificate has expired) while SSL "
                 "handshaking to upstream");
}

E2E(proxy_ssl, a_revoked_certificate)
{
    certify_origin();
    certify_authority("-gencrl -out @dir@/good.crl");
    certify_authority("-revoke @dir@/leaf.pem");
    certify_authority("-gencrl -out @dir@/bad.crl");
    start_nginx("");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location / { " PASS VERIFIED " proxy_ssl_crl bad.crl; }"
                     " location /good { " PASS VERIFIED " proxy_ssl_crl good.crl; } }");
    refused_with("upstream SSL certificate verify error: (23:certificate revoked)");
    cr_assert_eq(wire_get("http", "/good")->status, 200);
}

/* --- an origin of our own --- */

/* The request's path tells how the answer is framed and whether its end is said. */
static void framed(visit_t *v)
{
    visit_tls_t s;
    char request[4096];
    bool ok = visit_tls_begin(&s, v) && visit_tls_read(&s, request, sizeof(request));
    bool goodbye = ok && strstr(request, "goodbye");
    if (ok && strstr(request, "/close"))
        visit_tls_send(&s, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
    else if (ok && strstr(request, "/chunked"))
        visit_tls_send(&s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                         "Connection: close\r\n\r\n9\r\nall of it\r\n0\r\n\r\n");
    else if (ok && strstr(request, "/length"))
        visit_tls_send(&s, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
                         "all of it");
    else if (ok && strstr(request, "/half"))
        visit_tls_send(&s, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall");
    visit_tls_end(&s, goodbye);
}

static reply_t *get(const char *path)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path));
    return wire_try_reply(w, "GET");
}

E2E(proxy_ssl, a_body_cut_off_is_not_passed_off_as_whole)
{
    certify_origin();
    origin_start("tls", framed, harness_dir());
    start("", PASS VERIFIED);
    const char *whole[] = {"/length", "/chunked", "/close/goodbye", "/length/goodbye"};
    for (int i = 0; i < 4; i++) {
        reply_t *r = get(whole[i]);
        cr_assert(r->status == 200 && !r->broken, "%s: %s", whole[i], r->broken);
        assert_text(r->body.p, "all of it");
    }
    const char *cut[] = {"/close", "/half", "/half/goodbye"};
    for (int i = 0; i < 3; i++) {
        reply_t *r = get(cut[i]);
        cr_assert(r->status == 200 && r->broken, "%s was taken for whole", cut[i]);
    }
    cr_assert_eq(subject_log_count("upstream prematurely closed connection while reading upstream"),
                 3);
    cr_assert_eq(get("/none")->status, 502);
    subject_log_await("upstream prematurely closed connection while reading response header from "
                      "upstream");
}

/* A session's ticket comes while the connection is idle, and another answer after it. */
static void late_ticket(visit_t *v)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    visit_tls_t s;
    char bytes[4096];
    if (visit_tls_begin(&s, v) && visit_tls_read(&s, bytes, sizeof(bytes))) {
        visit_tls_send(&s, ok);
        visit_gate(v);
        SSL_new_session_ticket(s.ssl);
        SSL_do_handshake(s.ssl);
        visit_tls_push(&s);
        if (visit_tls_read(&s, bytes, sizeof(bytes))) visit_tls_send(&s, ok);
    }
    visit_tls_end(&s, true);
}

E2E(proxy_ssl, a_ticket_does_not_end_an_idle_connection)
{
    certify_origin();
    origin_t *o = origin_start("tls", late_ticket, harness_dir());
    start("", PASS VERIFIED);
    says("/", "ok");
    origin_open_gate(o);
    pause_ms(200); /* either way is right; only with the ticket there first is it a test */
    says("/", "ok");
    cr_assert_eq(origin_connections(o), 1);
}

static void change_protocols(visit_t *v)
{
    visit_tls_t s;
    char bytes[4096];
    if (visit_tls_begin(&s, v) && visit_tls_read(&s, bytes, sizeof(bytes)))
        visit_tls_send(&s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: words\r\n"
                         "Connection: upgrade\r\n\r\nwelcome;");
    while (visit_tls_read(&s, bytes, sizeof(bytes))) visit_tls_send(&s, bytes);
    visit_tls_end(&s, true);
}

E2E(proxy_ssl, a_tunnel_over_tls)
{
    certify_origin();
    origin_start("tls", change_protocols, harness_dir());
    start("", PASS VERIFIED "proxy_set_header Upgrade $http_upgrade;"
                            "proxy_set_header Connection upgrade;");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: words\r\n\r\n");
    cr_assert_eq(wire_reply(w)->status, 101);
    cr_assert(str_eq(wire_bytes(w, 8), STR("welcome;")));
    wire_send(w, "to and fro");
    cr_assert(str_eq(wire_bytes(w, 10), STR("to and fro")));
    wire_shut(w);
    cr_assert(wire_closed(w));
}

/* --- no TLS at all --- */

static void hang_up(visit_t *v)
{
    char bytes[4096];
    visit_read(v, bytes, sizeof(bytes));
}

static void keep_silent(visit_t *v)
{
    visit_await_left(v);
}

E2E(proxy_ssl, a_plain_origin)
{
    peer_nginx("nginx", "server { listen 127.0.0.1:@nginx@; }");
    start("", "proxy_pass https://127.0.0.1:@nginx@;");
    refused_with("SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version "
                 "number) while SSL handshaking to upstream");
}

E2E(proxy_ssl, an_origin_that_hangs_up)
{
    origin_start("tls", hang_up, NULL);
    start("", PASS);
    refused_with("peer closed connection in SSL handshake while SSL handshaking to upstream");
}

E2E(proxy_ssl, a_silent_origin_is_a_504)
{
    origin_start("tls", keep_silent, NULL);
    start("", PASS "proxy_connect_timeout 300ms;");
    cr_assert_eq(wire_get("http", "/")->status, 504);
    subject_log_await("upstream timed out (110: Connection timed out) while SSL handshaking to "
                      "upstream");
}

E2E(proxy_ssl, another_origin_is_asked_when_a_handshake_fails)
{
    certify_origin();
    origin_start("bad", hang_up, NULL);
    start_nginx("");
    start("upstream u { server 127.0.0.1:@bad@; server 127.0.0.1:@tls@; }",
          "proxy_pass https://u; " VERIFIED);
    for (int i = 0; i < 3; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    subject_log_await("peer closed connection in SSL handshake");
}

/* --- the configuration --- */

static ran_t check(const char *location)
{
    file_write("try.conf", text("events {} http { server { listen 127.0.0.1:@http@; location / {"
                                " proxy_pass https://127.0.0.1:@tls@; %s } } }", location));
    return subject_run("-t -p @dir@/ -c @dir@/try.conf -e @dir@/error.log");
}

E2E(proxy_ssl, mistakes_are_told)
{
    static const struct {
        const char *location, *message;
    } cases[] = {
        {"proxy_ssl_verify on;", "no proxy_ssl_trusted_certificate for proxy_ssl_verify"},
        {"proxy_ssl_verify on; proxy_ssl_trusted_certificate none.pem;",
         "cannot load trusted certificates \"@dir@/none.pem\" (SSL: error:"},
        {"proxy_ssl_certificate leaf.pem;", "no \"proxy_ssl_certificate_key\" is defined"},
        {"proxy_ssl_certificate leaf.pem; proxy_ssl_certificate_key ca.key;",
         "key values mismatch"},
        {"proxy_ssl_certificate leaf.key; proxy_ssl_certificate_key leaf.key;",
         "cannot load certificate \""},
        {"proxy_ssl_protocols SSLv3;", "names no protocol"},
        {"proxy_ssl_protocols TLSv9;", "TLSv9"},
        {"proxy_ssl_ciphers nonsense;", "no cipher match"},
        {"proxy_ssl_conf_command Nonsense 1;", "proxy_ssl_conf_command failed"},
    };
    certify_origin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ran_t r = check(cases[i].location);
        cr_assert_eq(r.status, 1, "%s", cases[i].location);
        assert_has(r.output, harness_expand(cases[i].message));
    }
}

E2E(proxy_ssl, an_origin_that_is_not_verified_is_warned_of)
{
    certify_origin();
    ran_t r = check("");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_has(r.output, "try.conf:1:");
    assert_has(r.output, "the certificate of the https origin is not verified");
    r = check("proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_lacks(r.output, "not verified");
}
