#include "modules/ssl/acme_jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "core/base/base64.h"
#include "modules/ssl/acme_key.h"

static const str_t nothing = {NULL, 0};

/* --- base64url --- */

str_t acme_jws_base64url(pool_t *pool, str_t bytes)
{
    str_t s = base64_encode(pool, bytes);
    char *p = (char *)(uintptr_t)s.p;
    while (s.n && p[s.n - 1] == '=') s.n--;
    for (size_t i = 0; i < s.n; i++) {
        if (p[i] == '+') p[i] = '-';
        if (p[i] == '/') p[i] = '_';
    }
    return s;
}

bool acme_jws_is_base64url(str_t s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0;
}

bool acme_jws_bytes(pool_t *pool, str_t s, str_t *out)
{
    if (!acme_jws_is_base64url(s)) return false;
    char *p = pool_cstr(pool, s);
    for (size_t i = 0; i < s.n; i++) p[i] = p[i] == '-' ? '+' : p[i] == '_' ? '/' : p[i];
    return base64_decode(pool, str_make(p, s.n), out);
}

/* --- keys --- */

static const struct {
    unsigned bits, size; /* of a coordinate, in bytes */
    const char *curve, *algorithm;
    const EVP_MD *(*digest)(void);
} curves[] = {
    {256, 32, "P-256", "ES256", EVP_sha256},
    {384, 48, "P-384", "ES384", EVP_sha384},
    {521, 66, "P-521", "ES512", EVP_sha512},
};

/* Its number among the curves; -1: RSA. */
static int curve_of(const EVP_PKEY *key)
{
    for (int i = 0; i < (int)(sizeof(curves) / sizeof(curves[0])); i++)
        if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
            (unsigned)EVP_PKEY_get_bits(key) == curves[i].bits)
            return i;
    return -1;
}

/* A number of the key in base64url; size 0: in as many bytes as it takes. */
static str_t number(pool_t *pool, const EVP_PKEY *key, const char *name, unsigned size)
{
    BIGNUM *n = NULL;
    if (!EVP_PKEY_get_bn_param(key, name, &n)) return nothing;
    if (!size) size = (unsigned)BN_num_bytes(n);
    unsigned char *bytes = pool_alloc(pool, size);
    bool ok = BN_bn2binpad(n, bytes, (int)size) >= 0;
    BN_free(n);
    return ok ? acme_jws_base64url(pool, str_make((char *)bytes, size)) : nothing;
}

str_t acme_jws_key(pool_t *pool, const EVP_PKEY *key)
{
    int curve = curve_of(key);
    ERR_clear_error();
    const char *first = curve < 0 ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_X;
    const char *second = curve < 0 ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_Y;
    unsigned size = curve < 0 ? 0 : curves[curve].size;
    str_t a = number(pool, key, first, size), b = number(pool, key, second, size);
    if (!a.n || !b.n) return nothing;
    if (curve < 0)
        return pool_printf(pool, "{\"e\":\"" STR_FMT "\",\"kty\":\"RSA\",\"n\":\"" STR_FMT "\"}",
                           STR_ARG(a), STR_ARG(b));
    return pool_printf(pool,
                       "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"" STR_FMT "\",\"y\":\"" STR_FMT
                       "\"}", curves[curve].curve, STR_ARG(a), STR_ARG(b));
}

str_t acme_jws_thumbprint(pool_t *pool, const EVP_PKEY *key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;
    str_t text = acme_jws_key(pool, key);
    if (!text.n || !EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL)) return nothing;
    return acme_jws_base64url(pool, str_make((char *)digest, n));
}

/* --- signatures --- */

static bool sign(EVP_PKEY *key, const EVP_MD *digest, str_t input, unsigned char *out, size_t *n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, n, (const unsigned char *)input.p, input.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* The two numbers of OpenSSL's form side by side (RFC 7518 3.4). */
static str_t unwrap(pool_t *pool, const unsigned char *der, size_t n, unsigned size)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    unsigned char *raw = pool_alloc(pool, size * 2);
    bool ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, (int)size) >= 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + size, (int)size) >= 0;
    ECDSA_SIG_free(pair);
    return ok ? str_make((char *)raw, size * 2) : nothing;
}

str_t acme_jws_signature(pool_t *pool, EVP_PKEY *key, str_t input)
{
    int curve = curve_of(key);
    size_t n = (size_t)EVP_PKEY_get_size(key);
    unsigned char *bytes = pool_alloc(pool, n);
    ERR_clear_error();
    if (!sign(key, curve < 0 ? EVP_sha256() : curves[curve].digest(), input, bytes, &n))
        return nothing;
    str_t raw = str_make((char *)bytes, n);
    if (curve >= 0) raw = unwrap(pool, bytes, n, curves[curve].size);
    return raw.n ? acme_jws_base64url(pool, raw) : nothing;
}

static str_t head_of(pool_t *pool, const EVP_PKEY *key, str_t account, str_t nonce, str_t url)
{
    int curve = curve_of(key);
    str_t who = account.n ? pool_printf(pool, "\"kid\":\"" STR_FMT "\"", STR_ARG(account))
                          : pool_concat(pool, STR("\"jwk\":"), acme_jws_key(pool, key));
    return pool_printf(pool,
                       "{\"alg\":\"%s\"," STR_FMT ",\"nonce\":\"" STR_FMT "\",\"url\":\"" STR_FMT
                       "\"}", curve < 0 ? "RS256" : curves[curve].algorithm, STR_ARG(who),
                       STR_ARG(nonce), STR_ARG(url));
}

/* Signed by the key, or with the secret (key NULL). */
static str_t seal(pool_t *pool, EVP_PKEY *key, str_t secret, str_t plain_head, str_t payload)
{
    str_t head = acme_jws_base64url(pool, plain_head);
    str_t body = acme_jws_base64url(pool, payload);
    str_t input = pool_printf(pool, STR_FMT "." STR_FMT, STR_ARG(head), STR_ARG(body));
    str_t signature = key ? acme_jws_signature(pool, key, input)
                          : acme_jws_mac(pool, secret, input);
    if (!signature.n) return nothing;
    return pool_printf(pool,
                       "{\"protected\":\"" STR_FMT "\",\"payload\":\"" STR_FMT
                       "\",\"signature\":\"" STR_FMT "\"}", STR_ARG(head), STR_ARG(body),
                       STR_ARG(signature));
}

str_t acme_jws_sign(pool_t *pool, EVP_PKEY *key, str_t account, str_t nonce, str_t url,
                    str_t payload)
{
    return seal(pool, key, nothing, head_of(pool, key, account, nonce, url), payload);
}

/* --- with a secret --- */

str_t acme_jws_mac(pool_t *pool, str_t secret, str_t input)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    ERR_clear_error();
    if (!HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)input.p, input.n, mac,
              &n))
        return nothing;
    return acme_jws_base64url(pool, str_make((char *)mac, n));
}

str_t acme_jws_bind(pool_t *pool, const EVP_PKEY *key, str_t secret, str_t id, str_t url)
{
    str_t head = pool_printf(pool, "{\"alg\":\"HS256\",\"kid\":\"" STR_FMT "\",\"url\":\"" STR_FMT
                                   "\"}", STR_ARG(id), STR_ARG(url));
    return seal(pool, NULL, secret, head, acme_jws_key(pool, key));
}
