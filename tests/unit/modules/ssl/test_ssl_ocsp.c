#include "modules/ssl/ssl_ocsp.h"

#include <criterion/criterion.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "modules/ssl/ssl_staple_fetch.h"

enum { NOW = 1700000000, HOUR = 3600, DAY = 86400 };

static EVP_PKEY *keys[3];
static pool_t *pool;

/* Number 0 is the authority, which signs the others. */
static X509 *certify(int number, const char *extension, const char *value)
{
    X509 *x = X509_new();
    char name[16];
    snprintf(name, sizeof(name), "number %d", number);
    if (!keys[number]) keys[number] = EVP_EC_gen("P-256");
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), number + 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -DAY);
    X509_gmtime_adj(X509_getm_notAfter(x), DAY);
    X509_set_pubkey(x, keys[number]);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (unsigned char *)name, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"number 0", -1, -1, 0);
    if (extension) {
        X509_EXTENSION *e = X509V3_EXT_nconf(NULL, NULL, extension, value);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    X509_sign(x, keys[0], EVP_sha256());
    return x;
}

static ASN1_TIME *at(time_t t)
{
    return t ? ASN1_TIME_set(NULL, t) : NULL;
}

typedef struct answer {
    X509 *about, *issuer, *signer;
    EVP_PKEY *key;
    int status;
    time_t from, until; /* 0: none */
} answer_t;

static str_t make(const answer_t *a)
{
    unsigned char *der = NULL;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, a->about, a->issuer);
    ASN1_TIME *from = at(a->from), *until = at(a->until), *revoked = at(NOW - DAY);
    OCSP_basic_add1_status(basic, id, a->status, 0, revoked, from, until);
    OCSP_basic_sign(basic, a->signer, a->key, EVP_sha256(), NULL, 0);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int n = i2d_OCSP_RESPONSE(response, &der);
    str_t out = pool_str(pool, str_make((char *)der, (size_t)n));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return out;
}

static X509 *ca, *leaf, *other;
static ssl_ocsp_subject_t of;
static answer_t good;

static void setup(void)
{
    pool = pool_create();
    ca = certify(0, "basicConstraints", "critical,CA:TRUE");
    leaf = certify(1, NULL, NULL);
    of = (ssl_ocsp_subject_t){.cert = leaf, .issuer = ca};
    good = (answer_t){leaf, ca, ca, keys[0], V_OCSP_CERTSTATUS_GOOD, NOW - HOUR, NOW + HOUR};
}

static void teardown(void)
{
    X509_free(ca);
    X509_free(leaf);
    X509_free(other);
    for (int i = 0; i < 3; i++) EVP_PKEY_free(keys[i]);
    pool_destroy(pool);
}

TestSuite(ssl_ocsp, .init = setup, .fini = teardown);

static const char *judge(const answer_t *a, time_t *until)
{
    *until = -1;
    const char *wrong = ssl_ocsp_judge(make(a), &of, NOW, until);
    return wrong ? wrong : "good";
}

Test(ssl_ocsp, an_answer_holds_to_its_last_second)
{
    time_t until;
    cr_expect_str_eq(judge(&good, &until), "good");
    cr_expect_eq(until, NOW + HOUR);
    good.until = NOW + 1;
    cr_expect_str_eq(judge(&good, &until), "good");
    good.until = NOW;
    cr_expect_str_eq(judge(&good, &until), "it has run out");
    good.until = 0;
    cr_expect_str_eq(judge(&good, &until), "good",
                     "without an end: newer word can be had any time");
    cr_expect_eq(until, NOW + HOUR);
    good.from = NOW + DAY;
    cr_expect_str_eq(judge(&good, &until), "its time has not come yet");
}

Test(ssl_ocsp, only_good_is_good)
{
    time_t until;
    good.status = V_OCSP_CERTSTATUS_REVOKED;
    cr_expect_eq(judge(&good, &until), ssl_ocsp_revoked);
    good.status = V_OCSP_CERTSTATUS_UNKNOWN;
    cr_expect_str_eq(judge(&good, &until), "it does not know the certificate");
}

Test(ssl_ocsp, it_must_be_about_this_certificate)
{
    time_t until;
    other = certify(2, NULL, NULL);
    good.about = other;
    cr_expect_str_eq(judge(&good, &until), "it is about another certificate");
}

/* RFC 6960 4.2.2.2: the issuer, or whom it has given the right to. */
Test(ssl_ocsp, it_must_be_signed_by_one_who_may)
{
    time_t until;
    good.signer = leaf;
    good.key = keys[1];
    cr_expect_str_eq(judge(&good, &until), "it is not signed by one who may");
    other = certify(2, NULL, NULL);
    good.signer = other;
    good.key = keys[2];
    cr_expect_str_eq(judge(&good, &until), "it is not signed by one who may");
    X509_free(other);
    other = certify(2, "extendedKeyUsage", "OCSPSigning");
    good.signer = other;
    cr_expect_str_eq(judge(&good, &until), "good");
}

Test(ssl_ocsp, a_longer_life_is_found_out)
{
    time_t until;
    str_t answer = make(&good);
    char *end = memmem(answer.p, answer.n, "20231114231320Z", 15); /* NOW + HOUR */
    cr_assert_not_null(end);
    end[3] = '9';
    cr_expect_str_eq(ssl_ocsp_judge(answer, &of, NOW, &until),
                     "it is not signed by one who may");
}

/* Cut anywhere, it is said to be wrong. */
Test(ssl_ocsp, what_is_no_answer)
{
    time_t until;
    str_t answer = make(&good);
    for (size_t n = 0; n < answer.n; n++)
        cr_expect_str_eq(ssl_ocsp_judge(str_make(answer.p, n), &of, NOW, &until),
                         "it is no OCSP response");
    /* RFC 6960 4.2.1: OCSPResponse { tryLater (3) } */
    cr_expect_str_eq(ssl_ocsp_judge(STR("\x30\x03\x0a\x01\x03"), &of, NOW, &until),
                     "the responder does not tell");
}

Test(ssl_ocsp, what_the_certificate_says)
{
    cr_expect_eq(ssl_ocsp_responder(pool, leaf).n, 0);
    cr_expect(!ssl_ocsp_is_required(leaf));
    other = certify(2, "authorityInfoAccess", "OCSP;URI:ldap://a/,OCSP;URI:http://b/c");
    cr_expect(str_eq(ssl_ocsp_responder(pool, other), STR("http://b/c")));
    X509_free(other);
    other = certify(2, "tlsfeature", "status_request");
    cr_expect(ssl_ocsp_is_required(other));
    cr_expect_gt(ssl_ocsp_question(pool, &of).n, 50);
}

Test(ssl_ocsp, is_asked_again_at_half_time)
{
    cr_expect_eq(ssl_staple_fetch_again(NOW, NOW + HOUR), NOW + HOUR / 2);
    cr_expect_eq(ssl_staple_fetch_again(NOW, NOW + 1), NOW + 1);
    cr_expect_eq(ssl_staple_fetch_again(NOW, NOW + 30 * DAY), NOW + DAY);
    cr_expect_eq(ssl_staple_fetch_retry(NOW, 1), NOW + 5);
    cr_expect_eq(ssl_staple_fetch_retry(NOW, 2), NOW + 10);
    cr_expect_eq(ssl_staple_fetch_retry(NOW, 1000), NOW + 600);
}
