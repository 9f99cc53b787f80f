#include "modules/ssl/acme_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static const struct {
    const char *name, *curve;
    bool rsa;
    unsigned bits;
} types[] = {
    {"ecdsa:256", "P-256", false, 256}, {"ecdsa:384", "P-384", false, 384},
    {"ecdsa:521", "P-521", false, 521}, {"rsa:2048", NULL, true, 2048},
    {"rsa:3072", NULL, true, 3072},     {"rsa:4096", NULL, true, 4096},
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

bool acme_key_type_eq(acme_key_type_t a, acme_key_type_t b)
{
    return a.rsa == b.rsa && a.bits == b.bits;
}

/* The first of a kind is its smallest: "rsa" is rsa:2048. */
bool acme_key_type_read(str_t text, acme_key_type_t *out)
{
    bool whole = str_find(text, 0, ':') < text.n;
    for (unsigned i = 0; i < TYPES && text.n; i++) {
        str_t name = str_of(types[i].name);
        if (!whole) name.n = str_find(name, 0, ':');
        if (!str_eq(name, text)) continue;
        *out = (acme_key_type_t){types[i].rsa, types[i].bits};
        return true;
    }
    return false;
}

str_t acme_key_type_text(pool_t *pool, acme_key_type_t type)
{
    return pool_printf(pool, "%s:%u", type.rsa ? "rsa" : "ecdsa", type.bits);
}

static const char *curve_of(unsigned bits)
{
    for (unsigned i = 0; i < TYPES; i++)
        if (!types[i].rsa && types[i].bits == bits) return types[i].curve;
    return NULL;
}

EVP_PKEY *acme_key_make(acme_key_type_t type)
{
    ERR_clear_error();
    return type.rsa ? EVP_RSA_gen(type.bits) : EVP_EC_gen(curve_of(type.bits));
}

bool acme_key_type_of(const EVP_PKEY *key, acme_key_type_t *out)
{
    int id = EVP_PKEY_get_base_id(key);
    *out = (acme_key_type_t){id == EVP_PKEY_RSA, (unsigned)EVP_PKEY_get_bits(key)};
    if (id != EVP_PKEY_RSA && id != EVP_PKEY_EC) return false;
    for (unsigned i = 0; i < TYPES; i++)
        if (types[i].rsa == out->rsa && types[i].bits == out->bits) return true;
    return false;
}

str_t acme_key_write(pool_t *pool, const EVP_PKEY *key)
{
    char *p;
    str_t text = {NULL, 0};
    BIO *out = BIO_new(BIO_s_secmem());
    ERR_clear_error();
    if (out && PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long n = BIO_get_mem_data(out, &p);
        text = pool_str(pool, str_make(p, n > 0 ? (size_t)n : 0));
    }
    BIO_free(out);
    return text;
}
