#include "core/io/tls_identity.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/io/tls.h"

enum { PEM_MOST = 8192 };

static char text[PEM_MOST];

/* "data:" and the key as OpenSSL writes it; legacy: in the form that is its algorithm's own. */
static const char *written(EVP_PKEY *key, bool legacy, const char *password)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    const EVP_CIPHER *cipher = password ? EVP_aes_128_cbc() : NULL;
    int n = password ? (int)strlen(password) : 0;
    int ok = legacy ? PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_bio_PKCS8PrivateKey(out, key, cipher, password, n, NULL, NULL);
    cr_assert(ok);
    long len = BIO_get_mem_data(out, &p);
    snprintf(text, sizeof(text), "data:%.*s", (int)len, p);
    BIO_free(out);
    return text;
}

static bool reads(EVP_PKEY *key, const char *source, const tls_passwords_t *passwords)
{
    tls_identity_t id = {.cert = NULL};
    bool ok = tls_identity_read_key(&id, source, passwords) && EVP_PKEY_eq(id.key, key) == 1;
    tls_identity_clear(&id);
    return ok;
}

Test(tls_identity, reads_keys_of_all_kinds_in_any_order)
{
    EVP_PKEY *kinds[] = {EVP_EC_gen("P-256"), EVP_RSA_gen(2048), EVP_EC_gen("P-384"),
                         EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            cr_expect(reads(kinds[i], written(kinds[i], false, NULL), NULL), "kind %zu", i);
    cr_expect(reads(kinds[0], written(kinds[0], true, NULL), NULL), "EC PRIVATE KEY");
    cr_expect(reads(kinds[1], written(kinds[1], true, NULL), NULL), "RSA PRIVATE KEY");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) EVP_PKEY_free(kinds[i]);
}

Test(tls_identity, opens_keys_with_the_password_that_fits)
{
    str_t list[] = {STR("wrong"), STR("right")};
    tls_passwords_t both = {.v = list, .n = 2}, first = {.v = list, .n = 1};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    cr_expect(reads(key, written(key, false, "right"), &both));
    cr_expect_not(reads(key, written(key, false, "right"), &first));
    cr_expect_not(reads(key, written(key, false, "right"), NULL));
    EVP_PKEY_free(key);
}

Test(tls_identity, says_what_is_wrong_and_reads_the_next)
{
    char reason[256];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    tls_identity_t id = {.cert = NULL};
    static const char *const bad[] = {
        "data:", "data:-----BEGIN PRIVATE KEY-----\n", "data:nothing",
        "data:-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_not(tls_identity_read_key(&id, bad[i], NULL), "%zu", i);
        tls_reason(reason, sizeof(reason));
        cr_expect(reason[0], "no reason for %zu", i);
        cr_expect(reads(key, written(key, false, NULL), NULL), "behind %zu", i);
    }
    EVP_PKEY_free(key);
}

/* --- certificates --- */

static unsigned asked;

static int note_asked(UI *ui)
{
    (void)ui;
    asked++;
    return 0;
}

/* "data:" and a certificate, encrypted. */
static const char *encrypted_certificate(EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    X509 *cert = X509_new();
    char *p;
    X509_set_pubkey(cert, key);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    cr_assert(X509_sign(cert, key, EVP_sha256()));
    cr_assert(PEM_ASN1_write_bio((i2d_of_void *)i2d_X509, PEM_STRING_X509, out, cert,
                                 EVP_aes_128_cbc(), (const unsigned char *)"right", 5, NULL, NULL));
    long len = BIO_get_mem_data(out, &p);
    snprintf(text, sizeof(text), "data:%.*s", (int)len, p);
    X509_free(cert);
    BIO_free(out);
    return text;
}

Test(tls_identity, an_encrypted_certificate_is_an_error_and_nobody_is_asked)
{
    char reason[256];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    tls_identity_t id = {.cert = NULL};
    UI_METHOD *terminal = UI_create_method("terminal");
    UI_method_set_opener(terminal, note_asked);
    UI_set_default_method(terminal);
    cr_expect_not(tls_identity_read_certificate(&id, encrypted_certificate(key)));
    tls_reason(reason, sizeof(reason));
    cr_expect(reason[0]);
    cr_expect_eq(asked, 0);
    UI_set_default_method(UI_OpenSSL());
    UI_destroy_method(terminal);
    tls_identity_clear(&id);
    EVP_PKEY_free(key);
}
