#include "modules/ssl/acme_x509.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "core/base/strbuf.h"
#include "modules/ssl/acme_key.h"
#include "modules/ssl/acme_names.h"

static str_t two_names[] = {STR_INIT("a.test"), STR_INIT("b.test")};
static const conf_strs_t names = {two_names, 2, 2};
static const acme_key_type_t type = {.bits = 256};

static str_t pem_of(pool_t *pool, X509 *cert)
{
    char *p;
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, cert);
    long n = BIO_get_mem_data(out, &p);
    str_t text = pool_str(pool, str_make(p, (size_t)n));
    BIO_free(out);
    return text;
}

Test(acme_x509, a_stopgap)
{
    EVP_PKEY *key = acme_key_make(type);
    X509 *cert = acme_x509_stopgap(key, &names);
    int64_t from, to;
    cr_assert_not_null(cert);
    cr_expect_eq(X509_verify(cert, key), 1);
    cr_expect(acme_x509_is_for(cert, &names));
    cr_assert(acme_x509_life(cert, &from, &to));
    cr_expect(from < time(NULL) && to > time(NULL));
    str_t other[] = {STR("a.test"), STR("c.test")};
    cr_expect(!acme_x509_is_for(cert, &(conf_strs_t){other, 2, 2}));
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* A name too long for a subject is a name all the same. */
Test(acme_x509, a_long_name)
{
    str_t name = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.test");
    conf_strs_t one = {&name, 1, 1};
    EVP_PKEY *key = acme_key_make(type);
    X509 *cert = acme_x509_stopgap(key, &one);
    cr_assert_not_null(cert);
    cr_expect(acme_x509_is_for(cert, &one));
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* RFC 8737 3: critical, an OCTET STRING within the extension's own. */
Test(acme_x509, an_answer_to_a_challenge)
{
    EVP_PKEY *key = acme_key_make(type);
    X509 *cert = acme_x509_challenge(key, STR("a.test"), STR("abc"));
    cr_assert_not_null(cert);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    X509_EXTENSION *ext = X509_get_ext(cert, X509_get_ext_by_OBJ(cert, oid, -1));
    cr_assert_not_null(ext);
    cr_expect_eq(X509_EXTENSION_get_critical(ext), 1);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
    static const unsigned char want[] = { /* SHA-256 of "abc": FIPS 180-2 B.1 */
        0x04, 0x20, 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde,
        0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10,
        0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    cr_assert_eq(ASN1_STRING_length(value), (int)sizeof(want));
    cr_expect_arr_eq(ASN1_STRING_get0_data(value), want, sizeof(want));
    conf_strs_t one = {two_names, 1, 1};
    cr_expect(acme_x509_is_for(cert, &one) && !acme_x509_is_for(cert, &names));
    ASN1_OBJECT_free(oid);
    X509_free(cert);
    EVP_PKEY_free(key);
}

Test(acme_x509, a_request)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = acme_key_make(type);
    str_t der = acme_x509_request(pool, key, &names);
    const unsigned char *p = (const unsigned char *)der.p;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)der.n);
    cr_assert_not_null(request);
    cr_expect_eq(X509_REQ_verify(request, key), 1);
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(request);
    GENERAL_NAMES *found = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
    cr_expect_eq(sk_GENERAL_NAME_num(found), 2);
    GENERAL_NAMES_free(found);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

static const char *take(str_t pem, EVP_PKEY *key, tls_identity_t *out)
{
    EVP_PKEY_up_ref(key);
    return acme_x509_take(pem, key, &names, out);
}

Test(acme_x509, what_an_authority_sends)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = acme_key_make(type), *other = acme_key_make(type);
    X509 *cert = acme_x509_stopgap(key, &names), *foreign = acme_x509_stopgap(other, &names);
    conf_strs_t one = {two_names, 1, 1};
    X509 *half = acme_x509_stopgap(key, &one);
    str_t good = pem_of(pool, cert), chain = pem_of(pool, foreign);
    tls_identity_t id;
    cr_assert_null(take(pool_concat(pool, good, chain), key, &id));
    cr_expect_eq(sk_X509_num(id.chain), 1);
    str_t text = acme_x509_write(pool, &id);
    cr_expect_eq(str_search(text, STR("-----BEGIN PRIVATE KEY-----")), 0u);
    tls_identity_clear(&id);

    cr_expect_not_null(take(STR(""), key, &id));
    cr_expect_not_null(take(STR("<html>"), key, &id));
    cr_expect_not_null(take(STR("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                                "DEK-Info: AES-256-CBC,00000000000000000000000000000000\n\nAAAA\n"
                                "-----END CERTIFICATE-----\n"), key, &id));
    cr_expect_not_null(take(str_sub(good, 0, good.n / 2), key, &id));
    cr_expect_str_eq(take(chain, key, &id), "the certificate is for another key");
    cr_expect_str_eq(take(pem_of(pool, half), key, &id),
                     "the certificate is not for all the names");
    strbuf_t many = {.pool = pool};
    for (int i = 0; i < 9; i++) strbuf_add(&many, good);
    cr_expect_str_eq(take(strbuf_text(&many), key, &id), "the chain is too long");
    X509_free(cert);
    X509_free(foreign);
    X509_free(half);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    pool_destroy(pool);
}

Test(acme_names, which_can_be_asked_for)
{
    static const char *const good[] = {"a.test", "localhost", "xn--4ca.test", "1.a", "a-b.c0m"};
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "*.a", "~a", "-a.b", "a-.b",
                                      "A.b", "127.0.0.1", "a.1", "::1", "[::1]", "a_b.c", "a b",
                                      "a/b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(acme_names_is_good(str_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(!acme_names_is_good(str_of(bad[i])), "%s", bad[i]);
    char label[66];
    memset(label, 'a', sizeof(label));
    cr_expect(acme_names_is_good(str_make(label, 63)));
    cr_expect(!acme_names_is_good(str_make(label, 64)));
    cr_expect(acme_names_is_variable(STR("$acme_certificate")));
    cr_expect(acme_names_is_variable(STR("$acme_certificate_key")));
    cr_expect(!acme_names_is_variable(STR("a.pem")));
}
