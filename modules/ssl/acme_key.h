/*
 * acme_key: the kinds of keys that accounts and certificates are made with. Nothing suspends.
 */
#ifndef MODULES_SSL_ACME_KEY_H
#define MODULES_SSL_ACME_KEY_H

#include <openssl/evp.h>

#include "core/base/pool.h"

typedef struct acme_key_type {
    bool rsa;      /* else ECDSA */
    unsigned bits; /* 256, 384, 521; 2048, 3072, 4096 */
} acme_key_type_t;

#define ACME_KEY_TYPES "ecdsa:256, ecdsa:384, ecdsa:521, rsa:2048, rsa:3072 or rsa:4096"

/* "ecdsa" or "rsa", with ":BITS" behind or the smallest. False: it is none of ACME_KEY_TYPES. */
bool acme_key_type_read(str_t text, acme_key_type_t *out);
str_t acme_key_type_text(pool_t *pool, acme_key_type_t type);

/* A new key; NULL: tls_reason. The caller frees it. */
EVP_PKEY *acme_key_make(acme_key_type_t type);

/* The kind that a key is of. False: one of none of ACME_KEY_TYPES. */
bool acme_key_type_of(const EVP_PKEY *key, acme_key_type_t *out);
bool acme_key_type_eq(acme_key_type_t a, acme_key_type_t b);

/* The key in PEM (PKCS#8), in the pool; empty: tls_reason. */
str_t acme_key_write(pool_t *pool, const EVP_PKEY *key);

#endif
