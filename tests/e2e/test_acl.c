/* Who is let in: addresses, passwords, methods, and who the client is behind proxies. */
#include "tests/e2e/fetch.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* ann's password is "myPassword" (the hash of Apache's manual), bob's "secret", cyd's "slow". */
static const char users[] = "# users\nann:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n"
                            "bob:{PLAIN}secret:a comment\n"
                            "cyd:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";

static void start(const char *http)
{
    file_write("users", users);
    subject_http("", http);
}

static reply_t *ask(const char *path, const char *fields)
{
    return wire_ask(
        "http", text("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path, fields));
}

static int status_of(const char *method, const char *path)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", method, path));
    return wire_reply_to(w, method)->status;
}

static long status_as(const char *path, const char *credentials)
{
    CURL *c = fetch_new(text("http://127.0.0.1:@http@%s", path));
    curl_easy_setopt(c, CURLOPT_USERPWD, credentials);
    return fetch(c)->status;
}

/* --- addresses --- */

E2E(acl, keeps_addresses_out)
{
    file_write("a/in.txt", "in");
    start("server { listen 127.0.0.1:@http@; root @dir@/a;"
          "  location / { allow 127.0.0.0/8; deny all; }"
          "  location /out { deny 127.0.0.1; allow all; }"
          "  location /page { deny all; error_page 403 =200 /in.txt; } }");
    cr_assert_eq(wire_get("http", "/in.txt")->status, 200);
    cr_assert_eq(wire_get("http", "/out")->status, 403);
    subject_log_await(" [error] ");
    subject_log_await("access forbidden by rule, client: 127.0.0.1, server: , request: \"GET /out "
                      "HTTP/1.1\", host: \"");
    assert_text(wire_get("http", "/page")->body.p, "in");
}

E2E(acl, knows_unix_sockets)
{
    start("server { listen unix:@dir@/s; location / { allow unix:; deny all; return 204; }"
          "  location /f { allow unix:; deny all; } location /g { deny unix:; } }");
    cr_assert_eq(wire_get(file_path("s"), "/f")->status, 404);
    cr_assert_eq(wire_get(file_path("s"), "/g")->status, 403);
}

E2E(acl, limits_methods)
{
    peer_nginx("origin", "server { listen 127.0.0.1:@origin@; location / { return 200 ok; } }");
    start("server { listen 127.0.0.1:@http@;"
          "  location / { proxy_pass http://127.0.0.1:@origin@; limit_except GET { deny all; } }"
          "  location /own { proxy_pass http://127.0.0.1:@dead@;"
          "    limit_except GET { proxy_pass http://127.0.0.1:@origin@; } } }");
    cr_assert_eq(status_of("GET", "/"), 200);
    cr_assert_eq(status_of("HEAD", "/"), 200);
    cr_assert_eq(status_of("DELETE", "/"), 403);
    cr_assert_eq(status_of("FETCH", "/"), 403);
    cr_assert_eq(status_of("DELETE", "/own"), 200);
    cr_assert_eq(status_of("GET", "/own"), 502);
}

/* --- passwords --- */

E2E(acl, asks_for_a_password)
{
    start("server { listen 127.0.0.1:@http@; auth_basic 'the \"inner\" \\\\ place';"
          " auth_basic_user_file @dir@/users; error_page 401 /page;"
          " location / { proxy_pass http://127.0.0.1:@dead@; }"
          " location /page { auth_basic off; return 200 page; }"
          " location /missing { auth_basic_user_file @dir@/none; }"
          " location /var { auth_basic $arg_realm; auth_basic_user_file @dir@/$arg_file; } }");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 401);
    assert_text(wire_field(r, "WWW-Authenticate"),
                "Basic realm=\"the \\\"inner\\\" \\\\ place\"");
    assert_text(r->body.p, "page");
    subject_log_await("no user/password was provided for basic authentication, client: 127.0.0.1");
    cr_assert_eq(status_as("/", "ann:myPassword"), 502);
    cr_assert_eq(status_as("/", "bob:secret"), 502);
    cr_assert_eq(status_as("/", "cyd:myPassword"), 502);
    cr_assert_eq(status_as("/", "ann:mypassword"), 401);
    subject_log_await("user \"ann\": password mismatch, client: 127.0.0.1, server: , request: "
                      "\"GET / HTTP/1.1\", host: \"");
    cr_assert_eq(status_as("/", "dan:secret"), 401);
    subject_log_await(text("user \"dan\" was not found in \"%s\", client: ", file_path("users")));
    cr_assert_eq(status_as("/missing", "ann:myPassword"), 403);
    cr_assert_eq(status_as("/var?realm=x&file=users", "bob:secret"), 404);
    cr_assert_eq(status_as("/var?realm=off", "bob:wrong"), 404);
}

E2E(acl, names_in_the_log_cannot_be_forged)
{
    start("server { listen 127.0.0.1:@http@; auth_basic x; auth_basic_user_file @dir@/users; }");
    cr_assert_eq(status_as("/", "a\", client: 6.6.6.6:x"), 401);
    subject_log_await("user \"a\\x22, client\" was not found in");
}

E2E(acl, sees_a_changed_file_at_once)
{
    start("server { listen 127.0.0.1:@http@; auth_basic x; auth_basic_user_file @dir@/users; }");
    for (int i = 0; i < 3; i++) cr_assert_eq(status_as("/", "ann:myPassword"), 404);
    file_write("users", "ann:{PLAIN}other\n");
    cr_assert_eq(status_as("/", "ann:myPassword"), 401);
    cr_assert_eq(status_as("/", "ann:other"), 404);
}

E2E(acl, satisfies_any_or_all)
{
    start("server { listen 127.0.0.1:@http@; auth_basic x; auth_basic_user_file @dir@/users;"
          "  location /all/in { satisfy all; allow all; } location /all/out { deny all; }"
          "  location /any/in { satisfy any; allow 127.0.0.1; deny all; }"
          "  location /any/out { satisfy any; deny all; }"
          "  location /none { satisfy any; auth_basic off; deny all; }"
          "  location /free { satisfy any; auth_basic off; } }");
    cr_assert_eq(wire_get("http", "/all/in")->status, 401);
    cr_assert_eq(status_as("/all/in", "bob:secret"), 404);
    cr_assert_eq(status_as("/all/out", "bob:secret"), 403);
    reply_t *r = wire_get("http", "/any/in");
    cr_assert_eq(r->status, 404);
    cr_assert_null(wire_field(r, "WWW-Authenticate"));
    r = wire_get("http", "/any/out");
    cr_assert_eq(r->status, 401);
    cr_assert(wire_field(r, "WWW-Authenticate"));
    cr_assert_eq(status_as("/any/out", "bob:secret"), 404);
    cr_assert_eq(status_as("/any/out", "bob:wrong"), 401);
    cr_assert_eq(status_as("/none", "bob:secret"), 403);
    cr_assert_eq(wire_get("http", "/free")->status, 404);
}

/* One after the other; who asks for something else does not wait for all of them. */
E2E(acl, checks_many_passwords_at_once)
{
    enum { MANY = 20 };
    wire_t *w[MANY];
    start("server { listen 127.0.0.1:@http@;"
          "  location /in { auth_basic x; auth_basic_user_file @dir@/users; }"
          "  location /free { return 204; } }");
    for (int i = 0; i < MANY; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], text("GET /in HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\n\r\n",
                             i % 2 ? "Y3lkOm15UGFzc3dvcmQ=" /* cyd:myPassword */
                                   : "Y3lkOm15UGFzc3dvcmQ9" /* cyd:myPassword= */));
    }
    cr_assert_eq(wire_get("http", "/free")->status, 204);
    for (int i = 0; i < MANY; i++) cr_assert_eq(wire_reply(w[i])->status, i % 2 ? 404 : 401);
}

/* --- who the client is --- */

E2E(acl, knows_the_client_behind_a_proxy)
{
    start("log_format who '$remote_addr|$realip_remote_addr'; access_log @dir@/who.log who;"
          "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;"
          "server { listen 127.0.0.1:@http@; deny 6.6.6.6; }");
    cr_assert_eq(ask("/", "X-Forwarded-For: 6.6.6.6, 127.0.0.2\r\n")->status, 403);
    subject_log_await("access forbidden by rule, client: 6.6.6.6, server: ");
    cr_assert_eq(ask("/", "X-Forwarded-For: 6.6.6.6, 7.7.7.7\r\n")->status, 404);
    cr_assert(EVENTUALLY(strstr(file_read("who.log"), "7.7.7.7|127.0.0.1\n")));
}

E2E(acl, knows_the_client_of_the_proxy_protocol)
{
    start("server { listen 127.0.0.1:@http@ proxy_protocol; set_real_ip_from 127.0.0.1;"
          "  real_ip_header proxy_protocol;"
          "  location / { return 200 '$remote_addr $remote_port'; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n");
    for (int i = 0; i < 2; i++) {
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\nX-Real-IP: 1.1.1.1\r\n\r\n");
        assert_text(wire_reply(w)->body.p, "192.0.2.1 4711");
    }
}
