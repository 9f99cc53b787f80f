/*
 * ssl_ocsp: what is asked about a certificate and what an answer says (RFC 6960). Pure but for the
 * time, which is the caller's; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_OCSP_H
#define MODULES_SSL_SSL_OCSP_H

#include <openssl/x509.h>
#include <time.h>

#include "core/base/pool.h"

enum { SSL_OCSP_MOST = 16 * 1024 }; /* a longer answer is none */

/* Whom an answer is about, and who may give it. */
typedef struct ssl_ocsp_subject {
    X509 *cert;
    X509 *issuer;         /* NULL: it is not known, and nobody's signature is looked at */
    X509_STORE *anchors;  /* the issuer must be trusted by them; NULL: it is trusted as it is */
    STACK_OF(X509) *chain; /* what may stand between them; NULL: nothing */
} ssl_ocsp_subject_t;

/* The first responder over HTTP that the certificate names; empty: there is none. */
str_t ssl_ocsp_responder(pool_t *pool, X509 *cert);

/* Whether clients are to refuse the certificate without an answer beside it (RFC 7633). */
bool ssl_ocsp_is_required(const X509 *cert);

/* The question in DER, in the pool; empty: no memory. The issuer is known. */
str_t ssl_ocsp_question(pool_t *pool, const ssl_ocsp_subject_t *of);

/*
 * NULL when the answer says that the certificate is good, is signed by one who may and holds now;
 * *until is when that ends. Otherwise what is wrong with it.
 */
extern const char ssl_ocsp_revoked[]; /* what it returns of a certificate that is revoked */
const char *ssl_ocsp_judge(str_t answer, const ssl_ocsp_subject_t *of, time_t now, time_t *until);

#endif
