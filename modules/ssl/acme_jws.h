/*
 * acme_jws: signed messages as a certificate authority wants them: JWS in its flattened form
 * (RFC 7515 7.2.2, RFC 8555 6.2), keys as JWK (RFC 7517), their thumbprints (RFC 7638).
 *
 * Everything is made in the pool. An empty text: OpenSSL failed (tls_reason). Pure; nothing
 * suspends.
 */
#ifndef MODULES_SSL_ACME_JWS_H
#define MODULES_SSL_ACME_JWS_H

#include <openssl/evp.h>

#include "core/base/pool.h"

/* Without padding (RFC 7515 2). */
str_t acme_jws_base64url(pool_t *pool, str_t bytes);

/* The bytes that s stands for; false: it is not base64url. */
bool acme_jws_bytes(pool_t *pool, str_t s, str_t *out);

/* Whether there is nothing in s but base64url digits, and at least one: a token, a nonce. */
bool acme_jws_is_base64url(str_t s);

/* The public half, members in the order that a thumbprint is made of. */
str_t acme_jws_key(pool_t *pool, const EVP_PKEY *key);
str_t acme_jws_thumbprint(pool_t *pool, const EVP_PKEY *key);

/* By the algorithm that goes with the key: ES256, ES384, ES512, RS256. In base64url. */
str_t acme_jws_signature(pool_t *pool, EVP_PKEY *key, str_t input);

/*
 * The message whole. The account is named by its URL (`account`), or by its key when that is empty.
 * nonce, url and account hold nothing that JSON would have to escape.
 */
str_t acme_jws_sign(pool_t *pool, EVP_PKEY *key, str_t account, str_t nonce, str_t url,
                    str_t payload);

/* By HS256, with a secret that both sides know. */
str_t acme_jws_mac(pool_t *pool, str_t secret, str_t input);

/* Binds an account's key to an account elsewhere, named `id` there (RFC 8555 7.3.4): what `id` and
   url are like as in acme_jws_sign. */
str_t acme_jws_bind(pool_t *pool, const EVP_PKEY *key, str_t secret, str_t id, str_t url);

#endif
