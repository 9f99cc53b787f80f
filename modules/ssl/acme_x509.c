#include "modules/ssl/acme_x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "modules/ssl/acme_key.h"

enum {
    STOPGAP_SECONDS = 30 * 24 * 3600,
    CHAIN_MOST = 8,      /* certificates that an authority may send */
    COMMON_NAME_MOST = 64, /* of X.520 */
};

/* --- names --- */

static bool add_name(GENERAL_NAMES *list, str_t name)
{
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (one && text && ASN1_STRING_set(text, name.p, (int)name.n)) {
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        if (sk_GENERAL_NAME_push(list, one) > 0) return true;
        text = NULL; /* it is the name's now */
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(one);
    return false;
}

/* NULL: no memory. */
static GENERAL_NAMES *list_names(const conf_strs_t *names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    for (uint32_t i = 0; list && i < names->n; i++) {
        if (add_name(list, names->v[i])) continue;
        GENERAL_NAMES_free(list);
        list = NULL;
    }
    return list;
}

static bool set_subject(X509_NAME *subject, str_t name)
{
    if (name.n > COMMON_NAME_MOST) return true; /* the names count */
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name.p,
                                      (int)name.n, -1, 0) == 1;
}

/* --- certificates of our own --- */

static bool set_serial(X509 *cert)
{
    enum { BITS = 127 };
    BIGNUM *n = BN_new();
    bool ok = n && BN_rand(n, BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key, const conf_strs_t *names)
{
    enum { BEFORE = 3600 }; /* clocks differ */
    GENERAL_NAMES *list = list_names(names);
    bool ok = list && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -BEFORE) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), STOPGAP_SECONDS) &&
              set_subject(X509_get_subject_name(cert), names->v[0]) &&
              X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
              X509_set_pubkey(cert, key) &&
              X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0) == 1;
    GENERAL_NAMES_free(list);
    return ok;
}

/* id-pe-acmeIdentifier: an OCTET STRING of 32 bytes, critical. */
static bool add_digest(X509 *cert, str_t authorization)
{
    enum { SIZE = 32, OCTET_STRING = 4 };
    unsigned char der[2 + SIZE] = {OCTET_STRING, SIZE};
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;
    bool ok = oid && value &&
              EVP_Digest(authorization.p, authorization.n, der + 2, NULL, EVP_sha256(), NULL) &&
              ASN1_OCTET_STRING_set(value, der, sizeof(der)) &&
              (ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value)) &&
              X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return ok;
}

/* authorization.p NULL: none. */
static X509 *make(EVP_PKEY *key, const conf_strs_t *names, str_t authorization)
{
    X509 *cert = X509_new();
    ERR_clear_error();
    if (cert && fill(cert, key, names) && (!authorization.p || add_digest(cert, authorization)) &&
        X509_sign(cert, key, EVP_sha256()))
        return cert;
    X509_free(cert);
    return NULL;
}

X509 *acme_x509_stopgap(EVP_PKEY *key, const conf_strs_t *names)
{
    return make(key, names, (str_t){NULL, 0});
}

X509 *acme_x509_challenge(EVP_PKEY *key, str_t name, str_t authorization)
{
    conf_strs_t names = {.v = &name, .n = 1, .cap = 1};
    return make(key, &names, authorization);
}

/* --- requests --- */

static bool add_names(X509_REQ *request, const conf_strs_t *names)
{
    GENERAL_NAMES *list = list_names(names);
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    bool ok = list && X509V3_add1_i2d(&extensions, NID_subject_alt_name, list, 0, 0) == 1 &&
              X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(list);
    return ok;
}

str_t acme_x509_request(pool_t *pool, EVP_PKEY *key, const conf_strs_t *names)
{
    unsigned char *der = NULL;
    X509_REQ *request = X509_REQ_new();
    ERR_clear_error();
    bool ok = request && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
              add_names(request, names) && X509_REQ_set_pubkey(request, key) &&
              X509_REQ_sign(request, key, EVP_sha256());
    int n = ok ? i2d_X509_REQ(request, &der) : 0;
    str_t text = {NULL, 0};
    if (n > 0) text = pool_str(pool, str_make((char *)der, (size_t)n));
    OPENSSL_free(der);
    X509_REQ_free(request);
    return text;
}

/* --- what came --- */

bool acme_x509_is_for(const X509 *cert, const conf_strs_t *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (X509_check_host((X509 *)(uintptr_t)cert, names->v[i].p, names->v[i].n,
                            X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                            NULL) != 1)
            return false;
    return true;
}

bool acme_x509_life(const X509 *cert, int64_t *from, int64_t *to)
{
    struct tm begin, end;
    if (!ASN1_TIME_to_tm(X509_get0_notBefore(cert), &begin) ||
        !ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end))
        return false;
    *from = timegm(&begin);
    *to = timegm(&end);
    return true;
}

static const char *judge(const tls_identity_t *id, const conf_strs_t *names)
{
    int64_t from, to;
    if (sk_X509_num(id->chain) >= CHAIN_MOST) return "the chain is too long";
    if (!tls_identity_fits(id)) return "the certificate is for another key";
    if (!acme_x509_is_for(id->cert, names)) return "the certificate is not for all the names";
    if (!acme_x509_life(id->cert, &from, &to) || to <= from)
        return "the certificate is never valid";
    return NULL;
}

const char *acme_x509_take(str_t pem, EVP_PKEY *key, const conf_strs_t *names, tls_identity_t *out)
{
    pool_t *pool = pool_create();
    str_t source = pool_concat(pool, STR("data:"), pem);
    *out = (tls_identity_t){.key = key};
    const char *wrong = "it holds no certificates in PEM";
    bool sealed = str_search(pem, STR("ENCRYPTED")) < pem.n; /* nobody is asked for a password */
    if (!sealed && tls_identity_read_certificate(out, pool_cstr(pool, source)))
        wrong = judge(out, names);
    pool_destroy(pool);
    if (wrong) tls_identity_clear(out);
    return wrong;
}

/* --- on disk --- */

static bool write_all(BIO *out, const tls_identity_t *id)
{
    bool ok = PEM_write_bio_X509(out, id->cert) == 1;
    for (int i = 0; ok && i < sk_X509_num(id->chain); i++)
        ok = PEM_write_bio_X509(out, sk_X509_value(id->chain, i)) == 1;
    return ok;
}

str_t acme_x509_write(pool_t *pool, const tls_identity_t *id)
{
    char *p;
    str_t text = {NULL, 0}, key = acme_key_write(pool, id->key);
    BIO *out = BIO_new(BIO_s_mem());
    if (out && key.n && write_all(out, id)) {
        long n = BIO_get_mem_data(out, &p);
        text = pool_concat(pool, key, str_make(p, n > 0 ? (size_t)n : 0));
    }
    BIO_free(out);
    return text;
}
