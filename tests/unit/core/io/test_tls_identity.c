#include "core/io/tls_identity.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
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
