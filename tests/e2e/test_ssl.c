/* TLS towards clients: certificates, names, protocols; with OpenSSL, libcurl and nginx's
   phrases. */
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define NAMED(name) " -addext subjectAltName=DNS:" name
#define SHOW(name) "ssl_certificate @dir@/" name ".pem; ssl_certificate_key @dir@/" name ".key; "
#define SAY "location / { return 200 \"$server_name $scheme [$https] $server_port\"; } "
#define TLS "listen 127.0.0.1:@tls@ ssl; "

static const secure_how_t plain = {.port = "tls"};

static secure_how_t to(const char *name)
{
    return (secure_how_t){.port = "tls", .name = name};
}

static const char *shown_to(const char *name)
{
    secure_how_t how = to(name);
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s: %s", name, s->failed);
    return secure_peer(s);
}

static const char *failure(secure_how_t how)
{
    secure_t *s = secure_open(&how);
    return s->failed ? s->failed : "none";
}

static ran_t check(const char *http)
{
    file_write("proxyd.conf", text("pid @dir@/proxyd.pid; daemon off;\n%s",
                                   subject_configuration("", http)));
    return subject_run(text("-p %s/ -c proxyd.conf -t", harness_dir()));
}

/* --- serving --- */

E2E(ssl, serves_https_beside_http)
{
    certify("a.test", NULL, NAMED("a.test"));
    subject_http("", "server { listen 127.0.0.1:@http@; " TLS SHOW("a.test")
                     "server_name a.test; " SAY "}");
    char port[16];
    snprintf(port, sizeof(port), "%u", harness_port("tls"));
    assert_text(secure_get(&plain, "/"), text("a.test https [on] %s", port));
    assert_text(wire_get("http", "/")->body.p, text("a.test http [] %u", harness_port("http")));
    CURL *c = fetch_new("https://127.0.0.1:@tls@/");
    curl_easy_setopt(c, CURLOPT_CAINFO, file_path("a.test.pem"));
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    cr_assert_eq(fetch(c)->status, 200);
    fetched_t *again = fetch(c);
    cr_assert_eq(again->status, 200);
    cr_assert_eq(again->connects, 0);
}

E2E(ssl, a_body_of_any_size_goes_both_ways)
{
    enum { SIZE = 3000000 };
    certify("a.test", NULL, "");
    file_fill("large", SIZE);
    peer_node("node", "require('http').createServer((q, a) => { let n = 0;"
                      " q.on('data', d => n += d.length).on('end', () => a.end('' + n)); })"
                      ".listen(@node@, '127.0.0.1');");
    subject_http("", "client_max_body_size 0; server { " TLS SHOW("a.test") "root @dir@; "
                     "location = /up { proxy_pass http://127.0.0.1:@node@; } }");
    CURL *c = fetch_new("https://127.0.0.1:@tls@/large");
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->body.n, (size_t)SIZE);
    cr_assert_eq(memcmp(f->body.p, pattern(SIZE).p, SIZE), 0);
    curl_easy_setopt(c, CURLOPT_URL, harness_expand("https://127.0.0.1:@tls@/up"));
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)SIZE);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, pattern(SIZE).p);
    f = fetch(c);
    cr_assert_eq(f->status, 200);
    assert_text(f->body.p, text("%d", SIZE));
    cr_assert_eq(f->connects, 0);
}

E2E(ssl, the_proxy_protocol_comes_before_the_handshake)
{
    certify("a.test", NULL, "");
    subject_http("", "server { listen 127.0.0.1:@tls@ ssl proxy_protocol; " SHOW("a.test")
                     "location / { return 200 $proxy_protocol_addr; } }");
    secure_how_t how = {.port = "tls", .before = "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"};
    assert_text(secure_get(&how, "/"), "192.0.2.7");
}

/* --- names --- */

E2E(ssl, the_name_in_the_handshake_finds_the_server)
{
    static const char *const names[] = {"a.test", "b.test", "wild", "behind"};
    for (size_t i = 0; i < 4; i++) certify(names[i], NULL, "");
    subject_http("", "server { " TLS "server_name a.test; " SHOW("a.test") SAY "}\n"
                     "server { " TLS "server_name b.test; " SHOW("b.test") SAY "}\n"
                     "server { " TLS "server_name *.w.test; " SHOW("wild") SAY "}\n"
                     "server { " TLS "server_name behind.*; " SHOW("behind") SAY "}\n"
                     "server { " TLS "server_name ~^r\\d+$ none.test; " SAY "}");
    assert_text(shown_to(NULL), "a.test");
    assert_text(shown_to("b.test"), "b.test");
    assert_text(shown_to("B.TEST"), "b.test");
    assert_text(shown_to("x.y.w.test"), "wild");
    assert_text(shown_to("behind.test"), "behind");
    assert_text(shown_to("unknown.test"), "a.test");
    assert_text(shown_to("none.test"), "a.test");
    secure_how_t how = to("b.test");
    assert_has(secure_get(&how, "/"), "b.test https");
    how.name = "none.test";
    assert_has(secure_get(&how, "/"), "~^r\\d+$ https");
}

E2E(ssl, handshakes_with_unknown_names_are_rejected)
{
    certify("a.test", NULL, "");
    subject_http("", "server { listen 127.0.0.1:@tls@ ssl default_server; "
                     "ssl_reject_handshake on; }\n"
                     "server { " TLS "server_name a.test; " SHOW("a.test") SAY "}");
    assert_has(failure(to("unknown.test")), "unrecognized name");
    assert_has(failure(plain), "unrecognized name");
    assert_text(shown_to("a.test"), "a.test");
}

/* --- keys and algorithms --- */

E2E(ssl, each_client_sees_the_certificate_it_can_check)
{
    certify("ec", NULL, "");
    certify_openssl("req -x509 -newkey rsa:2048 -nodes -batch -keyout @dir@/rsa.key -out "
                    "@dir@/rsa.pem -subj /CN=rsa");
    subject_http("", "server { " TLS SHOW("ec") SHOW("rsa") SAY "}");
    secure_how_t how = {.port = "tls", .signatures = "RSA-PSS+SHA256"};
    assert_text(secure_peer(secure_open(&how)), "rsa");
    how.signatures = "ECDSA+SHA256";
    assert_text(secure_peer(secure_open(&how)), "ec");
    how = (secure_how_t){.port = "tls", .version = TLS1_2_VERSION, .ciphers = "aRSA"};
    assert_text(secure_peer(secure_open(&how)), "rsa");
}

E2E(ssl, the_defaults_are_those_of_today)
{
    certify("a.test", NULL, "");
    subject_http("", "server { " TLS SHOW("a.test") SAY "}");
    secure_how_t how = {.port = "tls", .version = TLS1_1_VERSION};
    assert_has(failure(how), "protocol version");
    how.version = TLS1_2_VERSION;
    assert_text(failure(how), "none");
    how.ciphers = "ECDHE+AES:!AESGCM:!AESCCM";
    assert_has(failure(how), "handshake failure");
    secure_t *s = secure_open(&plain);
    assert_text(SSL_get_version(s->ssl), "TLSv1.3");
    assert_text(SSL_get_cipher(s->ssl), "TLS_AES_128_GCM_SHA256");
    how = (secure_how_t){.port = "tls", .version = TLS1_2_VERSION, .ciphers =
                         "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"};
    assert_text(SSL_get_cipher(secure_open(&how)->ssl), "ECDHE-ECDSA-AES128-GCM-SHA256");
    how.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
    assert_text(SSL_get_cipher(secure_open(&how)->ssl), "ECDHE-ECDSA-CHACHA20-POLY1305");
    how = (secure_how_t){.port = "tls", .groups = "P-521:P-384:P-256:X25519"};
    s = secure_open(&how);
    cr_assert_eq(SSL_get_negotiated_group(s->ssl), NID_X25519);
    how.groups = "P-521";
    assert_has(failure(how), "handshake failure");
    subject_log_await("while SSL handshaking, client: 127.0.0.1, server: 127.0.0.1:");
}

E2E(ssl, algorithms_as_configured)
{
    certify("a.test", NULL, "");
    certify_openssl("dhparam -out @dir@/dh.pem -dsaparam 2048");
    certify_openssl("req -x509 -newkey rsa:2048 -nodes -batch -keyout @dir@/rsa.key -out "
                    "@dir@/rsa.pem -subj /CN=rsa");
    subject_http("", "ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; "
                     "server { " TLS SHOW("a.test") "server_name a.test; ssl_ecdh_curve P-384; "
                     "ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256; "
                     SAY "}\n"
                     "server { " TLS SHOW("rsa") "server_name dh.test; ssl_dhparam dh.pem; "
                     "ssl_ciphers DHE-RSA-AES128-GCM-SHA256; " SAY "}\n"
                     "server { " TLS SHOW("a.test") "server_name three.test;"
                     " ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites"
                     " TLS_CHACHA20_POLY1305_SHA256; ssl_buffer_size 4k; " SAY "}");
    secure_how_t how = to("a.test");
    how.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    secure_t *s = secure_open(&how);
    assert_text(SSL_get_version(s->ssl), "TLSv1.2");
    assert_text(SSL_get_cipher(s->ssl), "ECDHE-ECDSA-AES256-GCM-SHA384");
    cr_assert_eq(SSL_get_negotiated_group(s->ssl), NID_secp384r1);
    how = to("dh.test");
    s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    assert_text(SSL_get_cipher(s->ssl), "DHE-RSA-AES128-GCM-SHA256");
    how = to("three.test");
    s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    assert_text(SSL_get_version(s->ssl), "TLSv1.3");
    assert_text(SSL_get_cipher(s->ssl), "TLS_CHACHA20_POLY1305_SHA256");
}

E2E(ssl, a_protocol_is_agreed_on)
{
    certify("a.test", NULL, "");
    subject_http("", "server { " TLS SHOW("a.test") SAY "}");
    secure_how_t how = {.port = "tls", .alpn = STR("\3foo\10http/1.1")};
    const unsigned char *chosen;
    unsigned n;
    secure_t *s = secure_open(&how);
    SSL_get0_alpn_selected(s->ssl, &chosen, &n);
    assert_text(text("%.*s", (int)n, chosen), "http/1.1");
    how.alpn = STR("\3foo");
    assert_has(failure(how), "no application protocol");
}

E2E(ssl, a_locked_key_is_opened)
{
    certify("a.test", NULL, "");
    certify_openssl("ec -in @dir@/a.test.key -out @dir@/locked.key -aes128 -passout pass:sesame");
    file_write("passwords", "wrong\nsesame\n");
    subject_http("", "ssl_password_file passwords; server { " TLS
                     "ssl_certificate a.test.pem; ssl_certificate_key locked.key; " SAY "}");
    assert_text(shown_to(NULL), "a.test");
}

/* --- what goes wrong --- */

E2E(ssl, plain_http_is_told_so)
{
    certify("a.test", NULL, "");
    subject_http("", "server { " TLS "listen 127.0.0.1:@other@ ssl; " SHOW("a.test") "}\n"
                     "server { listen 127.0.0.1:@paged@ ssl; " SHOW("a.test")
                     "error_page 497 https://$host/moved; }");
    wire_t *w = wire_open("tls");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, 400);
    assert_has(r->head, "HTTP/1.1 400 Bad Request\r\n");
    assert_has(r->body.p, "The plain HTTP request was sent to HTTPS port");
    cr_assert(wire_closed(w));
    subject_log_await("client sent plain HTTP request to HTTPS port");
    r = wire_ask("paged", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    cr_assert_eq(r->status, 302);
    assert_text(wire_field(r, "Location"), "https://a.test/moved");
}

E2E(ssl, handshakes_that_break_off_are_logged_once)
{
    certify("a.test", NULL, "");
    subject_http("", "ssl_handshake_timeout 1s; server { " TLS SHOW("a.test") SAY "}");
    wire_t *w = wire_open("tls");
    wire_send_n(w, STR("\x16\x03\x01\x00\x05hello"));
    cr_assert(wire_rest(w).n > 0); /* an alert */
    subject_log_await("SSL_do_handshake() failed (SSL: error:");
    w = wire_open("tls");
    wire_send_n(w, STR("\x16\x03\x01"));
    wire_shut(w);
    subject_log_await("peer closed connection in SSL handshake while SSL handshaking, client: ");
    w = wire_open("tls");
    wire_send_n(w, STR("\x16\x03\x01"));
    cr_assert(wire_closed(w));
    subject_log_await("client timed out (110: Connection timed out) while SSL handshaking");
    cr_assert_eq(subject_log_count("while SSL handshaking"), 3);
}

/* Who waits is served, also when those in flight never go on; these go on when they like. */
E2E(ssl, handshakes_wait_for_a_place)
{
    certify("a.test", NULL, "");
    subject_http("", "ssl_handshake_limit 2; server { " TLS SHOW("a.test") SAY "}");
    wire_t *first = wire_open("tls"), *second = wire_open("tls");
    wire_send_n(first, STR("\x16"));
    wire_send_n(second, STR("\x16\x03\x01"));
    wire_t *third = wire_open("tls");
    wire_send_n(third, STR("\x16\x03\x01\x00\x05hello"));
    subject_log_await("2 ssl_handshake_limit reached, new handshakes wait");
    cr_assert(wire_rest(third).n > 0); /* an alert */
    for (int i = 0; i < 3; i++) assert_text(shown_to(NULL), "a.test");
    wire_send_n(second, STR("\x00\x05hello"));
    cr_assert(wire_rest(second).n > 0);
}

static void tell_to_quit(void)
{
    subject_signal(SIGQUIT);
    subject_log_await("gracefully shutting down");
}

/* Whose handshake is under way when the worker stops has not asked yet, but will. */
static void assert_served_at_the_end(int version)
{
    certify("a.test", NULL, "");
    subject_http("", "server { " TLS SHOW("a.test") SAY "}");
    secure_t *s = secure_open(
        &(secure_how_t){.port = "tls", .version = version, .midway = tell_to_quit});
    cr_assert(!s->failed, "%s", s->failed);
    pause_ms(20); /* it takes the end of the handshake first */
    const char *said = secure_ask(s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(said, "%s", s->failed);
    assert_has(s->head, "Connection: close");
    cr_assert_eq(subject_wait(), 0);
}

E2E(ssl, a_worker_that_stops_serves_who_shakes_hands)
{
    assert_served_at_the_end(TLS1_3_VERSION);
}

E2E(ssl, a_worker_that_stops_serves_who_shakes_hands_in_tls_1_2)
{
    assert_served_at_the_end(TLS1_2_VERSION);
}

E2E(ssl, nothing_is_negotiated_anew)
{
    certify("a.test", NULL, "");
    subject_http("", "server { " TLS SHOW("a.test") SAY "}");
    secure_how_t how = {.port = "tls", .version = TLS1_2_VERSION};
    secure_t *s = secure_open(&how);
    cr_assert(SSL_renegotiate(s->ssl) == 1);
    cr_assert(SSL_do_handshake(s->ssl) != 1 || SSL_renegotiate_pending(s->ssl));
    assert_text(secure_get(&how, "/"), text(" https [on] %u", harness_port("tls")));
}

/* --- what the test of a configuration says --- */

E2E(ssl, a_wrong_key_and_missing_files_are_errors)
{
    certify("a.test", NULL, "");
    certify("b.test", NULL, "");
    ran_t r = check("server { " TLS "ssl_certificate a.test.pem; ssl_certificate_key b.test.key;"
                                    " }");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "b.test.key\" does not fit the certificate");
    r = check("server { " TLS "ssl_certificate none.pem; ssl_certificate_key b.test.key; }");
    assert_has(r.output, "cannot load certificate");
    assert_has(r.output, "No such file");
    r = check("server { " TLS "ssl_certificate a.test.pem; ssl_certificate_key none.key; }");
    assert_has(r.output, "cannot load certificate key");
    r = check("server { " TLS "ssl_certificate a.test.pem; }");
    assert_has(r.output, "no \"ssl_certificate_key\" is defined for certificate");
    r = check("server { " TLS "}");
    assert_has(r.output, "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive");
    r = check("server { " TLS SHOW("a.test") "ssl_ciphers nonsense; }");
    assert_has(r.output, ": ssl_ciphers: no ciphers in \"nonsense\"");
    assert_has(r.output, "^^^^^^^^\n");
    r = check("server { " TLS SHOW("a.test") "ssl_ecdh_curve nonsense; }");
    assert_has(r.output, ": ssl_ecdh_curve: no groups in \"nonsense\"");
    r = check("ssl_verify_client on; server { " TLS SHOW("a.test") "}");
    assert_has(r.output, ": no ssl_client_certificate for ssl_verify_client");
    r = check("server { " TLS SHOW("a.test") "ssl_conf_command Nonsense 1; }");
    assert_has(r.output, "ssl_conf_command failed for \"Nonsense\"");
}

E2E(ssl, doubtful_certificates_are_warned_of)
{
    certify("ca", NULL, "");
    certify("a.test", NULL, NAMED("a.test,DNS:elsewhere.test,DNS:*.any.test"));
    certify_openssl("req -new -key @dir@/a.test.key -batch -subj /CN=soon -out @dir@/soon.csr");
    certify_authority("-batch -notext -in @dir@/soon.csr -out @dir@/soon.pem "
                      "-startdate 20200101000000Z -days 5");
    certify_authority("-batch -notext -in @dir@/soon.csr -out @dir@/old.pem "
                      "-startdate 20200101000000Z -enddate 20200301000000Z");
    file_write("order.pem", text("%s%s%s", file_read("soon.pem"), file_read("a.test.pem"),
                                 file_read("ca.pem")));
    ran_t r = check("server { " TLS SHOW("a.test") "server_name a.test; }");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "is for \"elsewhere.test\", which is the name of no server");
    assert_lacks(r.output, "any.test");
    r = check("server { " TLS "ssl_certificate soon.pem; ssl_certificate_key a.test.key; }");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "soon.pem\" expires in");
    r = check("server { " TLS "ssl_certificate old.pem; ssl_certificate_key a.test.key; }");
    assert_has(r.output, "old.pem\" has expired");
    r = check("server { " TLS "ssl_certificate order.pem; ssl_certificate_key a.test.key; }");
    assert_has(r.output, "is in the wrong order: certificate 2 did not issue certificate 1");
    r = check("server { " TLS SHOW("a.test") SHOW("ca") "server_name a.test ca; }");
    assert_has(r.output, "ca.pem\" is shown in place of \"");
    assert_has(r.output, "a.test.pem\", whose key is of the same kind");
}

/* As Debian installs it, with its files beside it, and a site with TLS. */
E2E(ssl, a_stock_configuration_of_nginx_is_understood)
{
    certify("a.test", NULL, "");
    file_write("proxyd.conf",
               "user www-data;\nworker_processes auto;\npid @dir@/nginx.pid;\n"
               "events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n"
               "http {\n\tsendfile on;\n\ttcp_nopush on;\n\ttypes_hash_max_size 2048;\n"
               "\tdefault_type application/octet-stream;\n"
               "\tssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; # Dropping SSLv3, ref: POODLE\n"
               "\tssl_prefer_server_ciphers on;\n"
               "\taccess_log @dir@/access.log;\n\terror_log @dir@/error.log;\n\tgzip on;\n"
               "\tserver {\n\t\tlisten 127.0.0.1:@http@ default_server;\n"
               "\t\tlisten 127.0.0.1:@tls@ ssl default_server;\n"
               "\t\tssl_certificate @dir@/a.test.pem;\n\t\tssl_certificate_key @dir@/a.test.key;\n"
               "\t\troot @dir@;\n\t\tindex index.html index.htm index.nginx-debian.html;\n"
               "\t\tserver_name _;\n\t\tlocation / {\n\t\t\ttry_files $uri $uri/ =404;\n"
               "\t\t}\n\t}\n"
               "}\n");
    ran_t r = subject_run(text("-p %s/ -c proxyd.conf -t", harness_dir()));
    cr_assert_eq(r.status, 0, "%s", r.output);
}
