#include "core/io/tls_identity.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static BIO *open_source(const char *source)
{
    static const str_t inline_prefix = STR_INIT("data:");
    ERR_clear_error();
    if (str_starts(str_of(source), inline_prefix))
        return BIO_new_mem_buf(source + inline_prefix.n, -1);
    return BIO_new_file(source, "r");
}

/* For whatever turns out to be encrypted; never asks at the terminal. */
static int give_password(char *out, int size, int writing, void *arg)
{
    const str_t *password = arg;
    (void)writing;
    if (!password || password->n > (size_t)size) return -1;
    memcpy(out, password->p, password->n);
    return (int)password->n;
}

/* --- certificates --- */

/* Nothing more in the file is its end, not a failure. */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    if (ERR_GET_LIB(e) != ERR_LIB_PEM || ERR_GET_REASON(e) != PEM_R_NO_START_LINE) return false;
    ERR_clear_error();
    return true;
}

static bool read_chain(tls_identity_t *id, BIO *file)
{
    X509 *more;
    while ((more = PEM_read_bio_X509(file, NULL, give_password, NULL))) {
        if (!id->chain) id->chain = sk_X509_new_null();
        if (id->chain && sk_X509_push(id->chain, more)) continue;
        X509_free(more);
        return false;
    }
    return at_end();
}

bool tls_identity_read_certificate(tls_identity_t *id, const char *source)
{
    BIO *file = open_source(source);
    if (!file) return false;
    id->cert = PEM_read_bio_X509_AUX(file, NULL, give_password, NULL);
    bool ok = id->cert && read_chain(id, file);
    BIO_free(file);
    return ok;
}

/* --- keys --- */

/*
 * Most keys are in clear PKCS #8. OpenSSL puts a decoder together anew for each key it reads, which
 * is three fifths of what a site with thousands of certificates needs to start: this one is kept.
 */
static EVP_PKEY *read_plain_key(BIO *file)
{
    static OSSL_DECODER_CTX *decoder;
    static EVP_PKEY *key; /* where it puts what it has read */
    if (!decoder)
        decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, NULL,
                                                NULL);
    key = NULL;
    return decoder && OSSL_DECODER_from_bio(decoder, file) == 1 ? key : NULL;
}

static bool begins_plain(BIO *file)
{
    static const str_t begin = STR_INIT("-----BEGIN PRIVATE KEY-----");
    char text[sizeof("-----BEGIN PRIVATE KEY-----") - 1];
    bool plain = BIO_read(file, text, (int)begin.n) == (int)begin.n &&
                 memcmp(text, begin.p, begin.n) == 0;
    return BIO_seek(file, 0) >= 0 && plain;
}

static EVP_PKEY *read_key(const char *source, const str_t *password)
{
    BIO *file = open_source(source);
    if (!file) return NULL;
    EVP_PKEY *key = begins_plain(file) ? read_plain_key(file) : NULL;
    if (!key) {
        BIO_seek(file, 0);
        ERR_clear_error();
        key = PEM_read_bio_PrivateKey(file, NULL, give_password, (void *)(uintptr_t)password);
    }
    BIO_free(file);
    return key;
}

bool tls_identity_read_key(tls_identity_t *id, const char *source, const tls_passwords_t *passwords)
{
    id->key = read_key(source, NULL);
    for (unsigned i = 0; !id->key && passwords && i < passwords->n; i++)
        id->key = read_key(source, &passwords->v[i]);
    return id->key;
}

bool tls_identity_read_passwords(pool_t *pool, const char *path, tls_passwords_t *out)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    while ((n = getline(&line, &room, file)) >= 0) {
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        if (n) *VEC_PUSH(pool, out) = pool_str(pool, str_make(line, (size_t)n));
    }
    if (line) OPENSSL_cleanse(line, room);
    free(line);
    fclose(file);
    return true;
}

void tls_identity_forget_passwords(tls_passwords_t *passwords)
{
    VEC_EACH(str_t, password, passwords)
        OPENSSL_cleanse((char *)(uintptr_t)password->p, password->n);
    passwords->n = 0;
}

/* --- both --- */

bool tls_identity_fits(const tls_identity_t *id)
{
    ERR_clear_error();
    return X509_check_private_key(id->cert, id->key) == 1;
}

bool tls_identity_show(const tls_identity_t *id, SSL_CTX *ctx)
{
    ERR_clear_error();
    return SSL_CTX_use_cert_and_key(ctx, id->cert, id->key, id->chain, 1) == 1;
}

void tls_identity_clear(tls_identity_t *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    sk_X509_pop_free(id->chain, X509_free);
    *id = (tls_identity_t){.cert = NULL};
}
