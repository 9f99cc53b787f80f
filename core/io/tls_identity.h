/*
 * tls_identity: a certificate with its chain and its key: whom one side of a connection shows.
 *
 * Sources are paths of PEM files, or the PEM itself behind "data:". Every function that returns
 * false has left its reason in OpenSSL's queue (tls_reason). Nothing suspends.
 */
#ifndef CORE_IO_TLS_IDENTITY_H
#define CORE_IO_TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "core/base/vec.h"

typedef VEC(str_t) tls_passwords_t;

typedef struct tls_identity {
    X509 *cert;            /* NULL: not read */
    STACK_OF(X509) *chain; /* what follows it in the file; NULL: nothing */
    EVP_PKEY *key;         /* NULL: not read */
} tls_identity_t;

/* The certificate and its chain; the key, opened with the password that fits (NULL: there are
   none). */
bool tls_identity_read_certificate(tls_identity_t *id, const char *source);
bool tls_identity_read_key(tls_identity_t *id, const char *source,
                           const tls_passwords_t *passwords);

/* Whether the key belongs to the certificate. */
bool tls_identity_fits(const tls_identity_t *id);

/* Shown by connections of the ctx made from now on, in place of one with a key of the same kind. */
bool tls_identity_show(const tls_identity_t *id, SSL_CTX *ctx);

/* Lets go of what it holds; what shows it keeps it. */
void tls_identity_clear(tls_identity_t *id);

/* The lines of a file of passwords, into the pool. False: errno. */
bool tls_identity_read_passwords(pool_t *pool, const char *path, tls_passwords_t *out);
void tls_identity_forget_passwords(tls_passwords_t *passwords);

#endif
