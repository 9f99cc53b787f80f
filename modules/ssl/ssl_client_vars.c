#include "modules/ssl/ssl_client_vars.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/io/tls.h"
#include "http/request.h"
#include "http/uri.h"

#define NONE ((str_t){NULL, 0})

str_t ssl_client_vars_hex(pool_t *pool, const unsigned char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = pool_bytes(pool, 2 * n);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    return str_make(out, 2 * n);
}

/* What has been written to a memory BIO, which is freed. */
static str_t written(pool_t *pool, BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    str_t text = n > 0 ? pool_str(pool, str_make(p, (size_t)n)) : NONE;
    BIO_free(bio);
    return text;
}

/* --- the certificate as a whole --- */

static str_t pem(pool_t *pool, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && !PEM_write_bio_X509(bio, cert)) BIO_reset(bio);
    return bio ? written(pool, bio) : NONE;
}

/* In a field's value: lines after the first begin with a tab, and no line end stands behind. */
static str_t folded(pool_t *pool, str_t text)
{
    size_t lines = 0, at = 0;
    while (text.n && text.p[text.n - 1] == '\n') text.n--;
    for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    char *out = pool_bytes(pool, text.n + lines);
    for (size_t i = 0; i < text.n; i++) {
        out[at++] = text.p[i];
        if (text.p[i] == '\n') out[at++] = '\t';
    }
    return str_make(out, at);
}

static str_t fingerprint(pool_t *pool, const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!X509_digest(cert, EVP_sha1(), digest, &n)) return NONE;
    return ssl_client_vars_hex(pool, digest, n);
}

/* --- parts of it --- */

static str_t serial(pool_t *pool, const X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio) i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert));
    return bio ? written(pool, bio) : NONE;
}

static str_t name_text(pool_t *pool, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio) X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
    return bio ? written(pool, bio) : NONE;
}

static str_t legacy_name(pool_t *pool, const X509_NAME *name)
{
    char *line = X509_NAME_oneline(name, NULL, 0);
    str_t text = line ? pool_str(pool, str_of(line)) : NONE;
    OPENSSL_free(line);
    return text;
}

static str_t date(pool_t *pool, const ASN1_TIME *time)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio) ASN1_TIME_print(bio, time);
    return bio ? written(pool, bio) : NONE;
}

static str_t days_left(pool_t *pool, const X509 *cert)
{
    int days = 0, seconds = 0;
    if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert))) return NONE;
    return pool_printf(pool, "%d", days < 0 || seconds < 0 ? 0 : days);
}

static str_t verified(pool_t *pool, const SSL *ssl, const X509 *cert)
{
    long error = SSL_get_verify_result(ssl);
    if (!cert) return STR("NONE");
    if (error == X509_V_OK) return STR("SUCCESS");
    return pool_printf(pool, "FAILED:%s", X509_verify_cert_error_string(error));
}

str_t ssl_client_vars_get(request_t *r, const var_def_t *def, str_t name)
{
    const SSL *ssl = r->conn->secure ? tls_ssl(&r->conn->stream) : NULL;
    X509 *cert = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    pool_t *pool = r->pool;
    (void)name;
    if (ssl && def->data == SSL_CLIENT_VERIFY) return verified(pool, ssl, cert);
    if (!cert) return NONE;
    switch (def->data) {
    case SSL_CLIENT_CERT: return folded(pool, pem(pool, cert));
    case SSL_CLIENT_RAW_CERT: return pem(pool, cert);
    case SSL_CLIENT_ESCAPED_CERT: return uri_escape(pool, pem(pool, cert), URI_ESCAPE_COMPONENT);
    case SSL_CLIENT_FINGERPRINT: return fingerprint(pool, cert);
    case SSL_CLIENT_SERIAL: return serial(pool, cert);
    case SSL_CLIENT_SUBJECT: return name_text(pool, X509_get_subject_name(cert));
    case SSL_CLIENT_ISSUER: return name_text(pool, X509_get_issuer_name(cert));
    case SSL_CLIENT_SUBJECT_LEGACY: return legacy_name(pool, X509_get_subject_name(cert));
    case SSL_CLIENT_ISSUER_LEGACY: return legacy_name(pool, X509_get_issuer_name(cert));
    case SSL_CLIENT_START: return date(pool, X509_get0_notBefore(cert));
    case SSL_CLIENT_END: return date(pool, X509_get0_notAfter(cert));
    default: return days_left(pool, cert);
    }
}
