/* Certificates of clients, and what is told of a handshake in variables. */
#include <stdlib.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

#define SHOW "ssl_certificate @dir@/leaf.pem; ssl_certificate_key @dir@/leaf.key; "
#define TLS "listen 127.0.0.1:@tls@ ssl; " SHOW

/* "me" is signed by "ca", "other" by itself. */
static void certify_all(void)
{
    certify("ca", NULL, "");
    certify("leaf", "ca", "");
    certify("me", "ca", " -set_serial 4660");
    certify("other", NULL, "");
}

/* The reply to a request from who shows this certificate. */
static const char *ask(const char *certificate, const char *name, const char *host)
{
    secure_how_t how = {.port = "tls", .certificate = certificate, .name = name};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    const char *body = secure_ask(s, text("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host));
    return text("%.*s %s", 12, s->head, body);
}

E2E(ssl_client, must_show_a_certificate_that_is_trusted)
{
    certify_all();
    subject_http("", "server { " TLS "ssl_verify_client on; ssl_client_certificate ca.pem;"
                     " location / { return 200 \"$ssl_client_verify $ssl_client_s_dn\"; } }");
    assert_text(ask("me", NULL, "x"), "HTTP/1.1 200 SUCCESS CN=me");
    assert_has(ask(NULL, NULL, "x"), "HTTP/1.1 400");
    assert_has(ask(NULL, NULL, "x"), "No required SSL certificate was sent");
    assert_has(ask("other", NULL, "x"), "The SSL certificate error");
    subject_log_await("client sent no required SSL certificate");
    subject_log_await("client SSL certificate verify error: (18:self-signed certificate)");
}

E2E(ssl_client, may_show_one)
{
    certify_all();
    subject_http("", "ssl_client_certificate ca.pem; server { " TLS "ssl_verify_client optional;"
                     " server_name a; error_page 495 =200 /wrong;"
                     " location = /wrong { return 200 wrong; }"
                     " location / { return 200 \"$ssl_client_verify\"; } }\n"
                     "server { " TLS "server_name b; ssl_verify_client optional_no_ca;"
                     " location / { return 200 \"$ssl_client_verify\"; } }");
    assert_text(ask("me", "a", "a"), "HTTP/1.1 200 SUCCESS");
    assert_text(ask(NULL, "a", "a"), "HTTP/1.1 200 NONE");
    assert_text(ask("other", "a", "a"), "HTTP/1.1 200 wrong");
    assert_text(ask("other", "b", "b"), "HTTP/1.1 200 FAILED:self-signed certificate");
    assert_text(ask(NULL, "b", "b"), "HTTP/1.1 200 NONE");
}

/* A certificate that one server has judged says nothing to another. */
E2E(ssl_client, a_connection_is_good_for_servers_with_its_rules)
{
    certify_all();
    subject_http("", "server { " TLS "server_name open; location / { return 200 open; } }\n"
                     "server { " TLS "server_name also; location / { return 200 also; } }\n"
                     "server { " TLS "server_name closed; ssl_verify_client on;"
                     " ssl_client_certificate ca.pem; location / { return 200 closed; } }");
    assert_has(ask("me", "closed", "closed"), "200 closed");
    assert_has(ask(NULL, "open", "also"), "200 also");
    assert_has(ask("me", "open", "closed"), "421");
    assert_has(ask("me", "closed", "open"), "421");
    subject_log_await("client attempted to request the server name different from the one that was "
                      "negotiated");
}

E2E(ssl_client, depth_trust_and_revocation)
{
    certify_all();
    certify("middle", "ca", "");
    certify("far", "middle", "");
    file_write("far.pem", text("%s%s", file_read("far.pem"), file_read("middle.pem")));
    certify_authority("-gencrl -out @dir@/good.crl");
    certify_authority("-revoke @dir@/me.pem");
    certify_authority("-gencrl -out @dir@/bad.crl");
    subject_http("", "ssl_verify_client on; ssl_client_certificate ca.pem;\n"
                     "server { " TLS "server_name a; location / { return 200 a; } }\n"
                     "server { " TLS "server_name deep; ssl_verify_depth 0; return 200 b; }\n"
                     "server { " TLS "server_name crl; ssl_crl good.crl; return 200 c; }\n"
                     "server { " TLS "server_name bad; ssl_crl bad.crl; return 200 d; }\n"
                     "server { " TLS "server_name more; ssl_trusted_certificate other.pem;"
                     " return 200 e; }");
    assert_has(ask("far", "a", "a"), "200 a");
    assert_has(ask("far", "deep", "deep"), "SSL certificate error");
    assert_has(ask("me", "crl", "crl"), "200 c");
    assert_has(ask("me", "bad", "bad"), "SSL certificate error");
    assert_has(ask("other", "more", "more"), "200 e");
    subject_log_await("verify error: (23:certificate revoked)");
}

E2E(ssl_client, variables_tell_of_the_certificate)
{
    certify_all();
    subject_http("", "server { " TLS "ssl_verify_client on; ssl_client_certificate ca.pem;"
                     " location / { return 200 \"$ssl_client_serial|$ssl_client_i_dn|"
                     "$ssl_client_s_dn_legacy|$ssl_client_i_dn_legacy|$ssl_client_v_remain|"
                     "$ssl_client_fingerprint|$ssl_client_v_start|$ssl_client_v_end|"
                     "$ssl_client_raw_cert|$ssl_client_cert|$ssl_client_escaped_cert\"; } }");
    str_t rest = str_of(ask("me", NULL, "x")), part;
    const char *parts[11] = {NULL};
    rest = str_sub(rest, strlen("HTTP/1.1 200 "), rest.n);
    for (int i = 0; i < 11 && str_cut(&rest, '|', &part); i++)
        parts[i] = text("%.*s", (int)part.n, part.p);
    assert_text(parts[0], "1234");
    assert_text(parts[1], "CN=ca");
    assert_text(parts[2], "/CN=me");
    assert_text(parts[3], "/CN=ca");
    cr_assert(atoi(parts[4]) == 29 || atoi(parts[4]) == 30);
    certify_openssl("x509 -in @dir@/me.pem -noout -fingerprint -sha1 -dates");
    const char *told = file_read("openssl.txt");
    char digits[64] = "";
    size_t n = 0;
    for (const char *p = strstr(told, "Fingerprint=") + 12; *p != '\n'; p++)
        if (*p != ':') digits[n++] = ascii_lower(*p);
    assert_text(parts[5], text("%.*s", (int)n, digits));
    assert_has(told, text("notBefore=%s\n", parts[6]));
    assert_has(told, text("notAfter=%s\n", parts[7]));
    assert_text(parts[8], file_read("me.pem"));
    assert_has(parts[9], "-----BEGIN CERTIFICATE-----\n\tMII");
    assert_lacks(parts[9], "-----END CERTIFICATE-----\n");
    assert_has(parts[10], "-----BEGIN%20CERTIFICATE-----%0AMII");
}

E2E(ssl_client, variables_tell_of_the_handshake)
{
    certify_all();
    subject_http("", "server { " TLS "listen 127.0.0.1:@http@; return 200 \"$ssl_protocol "
                     "$ssl_cipher $ssl_server_name $ssl_alpn_protocol $ssl_session_reused "
                     "$ssl_curve $ssl_curves $ssl_early_data $ssl_client_verify|"
                     "$ssl_ciphers $ssl_session_id\"; }");
    secure_how_t how = {.port = "tls", .name = "a.test", .alpn = STR("\10http/1.1"),
                        .groups = "X25519:P-256", .version = TLS1_2_VERSION,
                        .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"};
    assert_has(secure_get(&how, "/"), "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 a.test http/1.1 . "
                                      "X25519 X25519:prime256v1  NONE|"
                                      "ECDHE-ECDSA-AES128-GCM-SHA256:"
                                      "TLS_EMPTY_RENEGOTIATION_INFO_SCSV ");
    how = (secure_how_t){.port = "tls"};
    assert_has(secure_get(&how, "/"), "TLSv1.3 TLS_AES_128_GCM_SHA256   . X25519 ");
}

/* What is not in the file of the certificate is not sent: not from among the clients' either. */
E2E(ssl_client, authorities_of_clients_are_no_part_of_the_chain)
{
    certify_all();
    subject_http("", "server { " TLS "ssl_verify_client optional; ssl_client_certificate ca.pem;"
                     " return 200 a; }");
    secure_t *s = secure_open(&(secure_how_t){.port = "tls"});
    cr_assert(!s->failed, "%s", s->failed);
    cr_expect_eq(sk_X509_num(SSL_get_peer_cert_chain(s->ssl)), 1);
}

static const char *signatures(int version, const char *certificate, const char *offered)
{
    secure_how_t how = {.port = "tls", .version = version, .certificate = certificate,
                        .signatures = offered};
    return secure_get(&how, "/");
}

E2E(ssl_client, variables_tell_of_the_signatures)
{
    certify_all();
    certify_openssl("req -x509 -newkey rsa:2048 -nodes -batch -keyout @dir@/rsa.key -out "
                    "@dir@/rsa.pem -subj /CN=rsa");
    certify_openssl("req -x509 -newkey ed25519 -nodes -batch -keyout @dir@/ed.key -out "
                    "@dir@/ed.pem -subj /CN=ed");
    subject_http("", "server { " TLS "ssl_certificate rsa.pem; ssl_certificate_key rsa.key;"
                     " ssl_verify_client optional_no_ca; ssl_session_tickets off;"
                     " return 200 \"$ssl_sigalg $ssl_client_sigalg\"; }");
    assert_text(signatures(0, NULL, NULL), "ecdsa_secp256r1_sha256 ");
    assert_text(signatures(0, NULL, "RSA-PSS+SHA384"), "rsa_pss_rsae_sha384 ");
    assert_text(signatures(TLS1_2_VERSION, NULL, "RSA+SHA512"), "rsa_pkcs1_sha512 ");
    assert_text(signatures(0, "me", NULL), "ecdsa_secp256r1_sha256 ecdsa_secp256r1_sha256");
    assert_text(signatures(0, "rsa", NULL), "ecdsa_secp256r1_sha256 rsa_pss_rsae_sha256");
    assert_text(signatures(0, "ed", NULL), "ecdsa_secp256r1_sha256 ed25519");
}
