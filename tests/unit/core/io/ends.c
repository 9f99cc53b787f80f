#include "tests/unit/core/io/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/tls_ctx.h"
#include "core/io/tls_session.h"

ends_t ends;

/* --- certificates --- */

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    cr_assert(e && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

static ends_identity_t identity_new(EVP_PKEY *key, const char *name, const ends_identity_t *by,
                                    bool ca)
{
    ends_identity_t id = {X509_new(), key};
    X509_set_version(id.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), 1 + (long)(name[0]));
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(by ? by->cert : id.cert));
    X509_set_pubkey(id.cert, key);
    if (ca) add_extension(id.cert, NID_basic_constraints, "critical,CA:TRUE");
    else add_extension(id.cert, NID_subject_alt_name, "DNS:origin.test,DNS:*.wild.test,"
                                                      "IP:127.0.0.1");
    cr_assert(X509_sign(id.cert, by ? by->key : key, EVP_sha256()));
    return id;
}

static void identity_free(ends_identity_t *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

static void make_contexts(void)
{
    ends.server_ctx = tls_ctx_new(true, TLS_1_2 | TLS_1_3);
    ends.client_ctx = tls_ctx_new(false, TLS_1_2 | TLS_1_3);
    cr_assert(ends.server_ctx && ends.client_ctx);
    cr_assert(SSL_CTX_use_certificate(ends.server_ctx, ends.leaf.cert));
    cr_assert(SSL_CTX_add1_chain_cert(ends.server_ctx, ends.issuer.cert));
    cr_assert(SSL_CTX_use_PrivateKey(ends.server_ctx, ends.leaf.key));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ends.client_ctx), ends.root.cert);
    SSL_CTX_set_verify_depth(ends.client_ctx, 3);
    ends.how = (tls_client_t){.ctx = ends.client_ctx, .name = STR("origin.test"),
                              .peer = STR("here:1"), .verify = true, .send_name = true};
}

static void connect_pair(int *a, int *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(to);
    int small = 16384, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    cr_assert_eq(bind(listener, (struct sockaddr *)&to, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&to, &len);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(*a, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    cr_assert_eq(connect(*a, (struct sockaddr *)&to, len), 0);
    *b = accept(listener, NULL, NULL);
    fcntl(*a, F_SETFL, O_NONBLOCK);
    fcntl(*b, F_SETFL, O_NONBLOCK);
    close(listener);
}

void ends_connect(void)
{
    int a, b;
    connect_pair(&a, &b);
    cr_assert_eq(stream_open(&ends.left, a), 0);
    cr_assert_eq(stream_open(&ends.right, b), 0);
}

void ends_begin(void)
{
    clock_update();
    cr_assert_eq(loop_open(), 0);
    ends.root = identity_new(EVP_RSA_gen(2048), "root", NULL, true);
    ends.issuer = identity_new(EVP_EC_gen("P-256"), "issuer", &ends.root, true);
    ends.leaf = identity_new(EVP_RSA_gen(2048), "server", &ends.issuer, false);
    make_contexts();
    ends_connect();
    ends.large = malloc(ENDS_LARGE);
    for (int i = 0; i < ENDS_LARGE; i++) ends.large[i] = (char)(i * 31 + i / 1000);
}

void ends_end(void)
{
    stream_close(&ends.left, false);
    stream_close(&ends.right, false);
    SSL_CTX_free(ends.client_ctx);
    SSL_CTX_free(ends.server_ctx);
    identity_free(&ends.root);
    identity_free(&ends.issuer);
    identity_free(&ends.leaf);
    tls_session_trim();
    loop_close();
    fiber_trim();
    free(ends.large);
}

/* --- running --- */

void ends_run(void (*a)(void *), void (*b)(void *))
{
    ends.running = (a != NULL) + (b != NULL);
    if (a) cr_assert(fiber_start(a, NULL));
    if (b) cr_assert(fiber_start(b, NULL));
    while (ends.running) loop_turn(-1);
}

ENDS_FIBER(ends_shake_left, ends.left_result = tls_connect(&ends.left, &ends.how, ENDS_LONG_MS,
                                                           &ends.left_why))
ENDS_FIBER(ends_shake_right, ends.right_result = tls_accept(&ends.right, ends.server_ctx, NULL,
                                                            ENDS_LONG_MS, &ends.right_why))
ENDS_FIBER(ends_read_left, ends.result = stream_read(&ends.left, ends.bytes, sizeof(ends.bytes),
                                                     ENDS_LONG_MS))

void ends_shake_hands(void)
{
    ends_run(ends_shake_left, ends_shake_right);
    cr_assert_eq(ends.left_result, 0, "%s", ends.left_why.text);
    cr_assert_eq(ends.right_result, 0, "%s", ends.right_why.text);
}
