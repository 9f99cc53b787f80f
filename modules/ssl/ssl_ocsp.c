#include "modules/ssl/ssl_ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

enum { CLOCK_SKEW = 300, UNLIMITED_HOLDS = 3600 }; /* seconds */

const char ssl_ocsp_revoked[] = "the certificate is revoked";

/* --- the certificate --- */

str_t ssl_ocsp_responder(pool_t *pool, X509 *cert)
{
    str_t found = STR("");
    STACK_OF(OPENSSL_STRING) *all = X509_get1_ocsp(cert);
    for (int i = 0; i < sk_OPENSSL_STRING_num(all) && !found.n; i++) {
        str_t url = str_of(sk_OPENSSL_STRING_value(all, i));
        if (str_starts(url, STR("http://"))) found = pool_str(pool, url);
    }
    X509_email_free(all);
    return found;
}

bool ssl_ocsp_is_required(const X509 *cert)
{
    enum { STATUS_REQUEST = 5 };
    bool required = false;
    TLS_FEATURE *features = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
        required |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
    TLS_FEATURE_free(features);
    return required;
}

/* --- the question --- */

str_t ssl_ocsp_question(pool_t *pool, const ssl_ocsp_subject_t *of)
{
    unsigned char *der = NULL;
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, of->cert, of->issuer);
    if (!request || !id || !OCSP_request_add0_id(request, id)) OCSP_CERTID_free(id);
    int n = request && OCSP_request_onereq_count(request) ? i2d_OCSP_REQUEST(request, &der) : 0;
    str_t question = n > 0 ? pool_str(pool, str_make((char *)der, (size_t)n)) : STR("");
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    ERR_clear_error();
    return question;
}

/* --- the answer --- */

/* What nobody else vouches for is trusted as it is. */
static X509_STORE *anchors_of(const ssl_ocsp_subject_t *of)
{
    if (of->anchors) {
        X509_STORE_up_ref(of->anchors);
        return of->anchors;
    }
    X509_STORE *store = X509_STORE_new();
    if (!store) return NULL;
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_STORE_add_cert(store, of->issuer)) return store;
    X509_STORE_free(store);
    return NULL;
}

/* By the issuer, or by whom the issuer has made its deputy (RFC 6960 4.2.2.2). */
static bool is_signed(OCSP_BASICRESP *basic, const ssl_ocsp_subject_t *of)
{
    if (!of->issuer) return true;
    X509_STORE *anchors = anchors_of(of);
    STACK_OF(X509) *known = of->chain ? sk_X509_dup(of->chain) : sk_X509_new_null();
    bool ok = anchors && known && sk_X509_push(known, of->issuer) &&
              OCSP_basic_verify(basic, known, anchors, 0) == 1;
    sk_X509_free(known);
    X509_STORE_free(anchors);
    return ok;
}

/* What it says of this certificate; without an issuer it is not asked whom it speaks of. */
static OCSP_SINGLERESP *find(OCSP_BASICRESP *basic, const ssl_ocsp_subject_t *of)
{
    if (!of->issuer) return OCSP_resp_get0(basic, 0);
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, of->cert, of->issuer);
    int at = id ? OCSP_resp_find(basic, id, -1) : -1;
    OCSP_CERTID_free(id);
    return at < 0 ? NULL : OCSP_resp_get0(basic, at);
}

static time_t time_of(const ASN1_GENERALIZEDTIME *t)
{
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) ? timegm(&tm) : 0;
}

static const char *judge_single(OCSP_SINGLERESP *single, time_t now, time_t *until)
{
    ASN1_GENERALIZEDTIME *from, *next;
    int reason, status = OCSP_single_get0_status(single, &reason, NULL, &from, &next);
    *until = next ? time_of(next) : now + UNLIMITED_HOLDS;
    if (status == V_OCSP_CERTSTATUS_REVOKED) return ssl_ocsp_revoked;
    if (status != V_OCSP_CERTSTATUS_GOOD) return "it does not know the certificate";
    if (time_of(from) > now + CLOCK_SKEW) return "its time has not come yet";
    return *until <= now ? "it has run out" : NULL;
}

static const char *judge_basic(OCSP_BASICRESP *basic, const ssl_ocsp_subject_t *of, time_t now,
                               time_t *until)
{
    OCSP_SINGLERESP *single = find(basic, of);
    if (!single) return "it is about another certificate";
    if (!is_signed(basic, of)) return "it is not signed by one who may";
    return judge_single(single, now, until);
}

const char *ssl_ocsp_judge(str_t answer, const ssl_ocsp_subject_t *of, time_t now, time_t *until)
{
    const unsigned char *p = (const unsigned char *)answer.p;
    const char *wrong = "it is no OCSP response";
    if (answer.n == 0 || answer.n > SSL_OCSP_MOST) return wrong;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)answer.n);
    OCSP_BASICRESP *basic = NULL;
    if (response && OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        wrong = "the responder does not tell";
    else if (response && (basic = OCSP_response_get1_basic(response)))
        wrong = judge_basic(basic, of, now, until);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return wrong;
}
