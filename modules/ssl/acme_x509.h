/*
 * acme_x509: certificates that are made here, requests for others, and whether one that came is
 * what was asked for. Nothing suspends.
 */
#ifndef MODULES_SSL_ACME_X509_H
#define MODULES_SSL_ACME_X509_H

#include "core/config/conf_set.h"
#include "core/io/tls_identity.h"

/* Signed with its own key, for these names: what is shown until there is a better one. NULL:
   tls_reason. The caller frees it. */
X509 *acme_x509_stopgap(EVP_PKEY *key, const conf_strs_t *names);

/* The same with the digest of a key authorization: the answer to a challenge (RFC 8737 3). */
X509 *acme_x509_challenge(EVP_PKEY *key, str_t name, str_t authorization);

/* A request for a certificate (PKCS#10) in DER, in the pool; empty: tls_reason. */
str_t acme_x509_request(pool_t *pool, EVP_PKEY *key, const conf_strs_t *names);

/*
 * Takes the certificate and its chain out of what an authority sent; key is taken over in any case.
 * NULL; or what is wrong with it: it is not for the key or not for all the names, or no
 * certificate at all.
 */
const char *acme_x509_take(str_t pem, EVP_PKEY *key, const conf_strs_t *names, tls_identity_t *out);

/* Whether the certificate names all of them. */
bool acme_x509_is_for(const X509 *cert, const conf_strs_t *names);

/* Certificate, chain and key in PEM, in the pool; empty: tls_reason. */
str_t acme_x509_write(pool_t *pool, const tls_identity_t *id);

/* When it begins and ends to be valid, in seconds since 1970. */
bool acme_x509_life(const X509 *cert, int64_t *from, int64_t *to);

#endif
