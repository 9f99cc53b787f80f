#include "modules/acl/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/base/base64.h"
#include "core/base/panic.h"

enum { SHA1_SIZE = 20, MD5_SIZE = 16 };

/* Takes no longer for a better guess. */
static bool same(str_t a, str_t b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

/* --- digests --- */

/* What is hashed, piece by piece. */
typedef struct digest {
    EVP_MD_CTX *ctx;
    const EVP_MD *md;
} digest_t;

static void digest_begin(digest_t *d)
{
    if (EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1) panic("no digest for passwords");
}

static void digest_add(digest_t *d, str_t s)
{
    if (EVP_DigestUpdate(d->ctx, s.p, s.n) != 1) panic("no digest for passwords");
}

static void digest_end(digest_t *d, unsigned char *out)
{
    if (EVP_DigestFinal_ex(d->ctx, out, NULL) != 1) panic("no digest for passwords");
}

static digest_t digest_new(const EVP_MD *md)
{
    digest_t d = {EVP_MD_CTX_new(), md};
    if (!d.ctx) panic("out of memory: digest");
    return d;
}

/* {SHA}: base64 of the digest; {SSHA}: of the digest and the salt, hashed behind the password. */
static bool matches_sha(pool_t *pool, str_t password, str_t coded, bool salted)
{
    unsigned char bytes[SHA1_SIZE];
    str_t stored;
    if (!base64_decode(pool, coded, &stored) || stored.n < SHA1_SIZE) return false;
    if (!salted && stored.n != SHA1_SIZE) return false;
    digest_t d = digest_new(EVP_sha1());
    digest_begin(&d);
    digest_add(&d, password);
    digest_add(&d, str_sub(stored, SHA1_SIZE, stored.n));
    digest_end(&d, bytes);
    EVP_MD_CTX_free(d.ctx);
    return same(str_make((char *)bytes, SHA1_SIZE), str_sub(stored, 0, SHA1_SIZE));
}

/* --- $apr1$ --- */

enum { APR1_ROUNDS = 1000, APR1_SALT = 8, APR1_TEXT = 22 };

static str_t md5_bytes(const unsigned char *bytes, size_t n)
{
    return str_make((const char *)bytes, n);
}

static void apr1_begin(digest_t *d, str_t password, str_t salt, unsigned char *out)
{
    digest_begin(d);
    digest_add(d, password);
    digest_add(d, salt);
    digest_add(d, password);
    digest_end(d, out);
    digest_begin(d);
    digest_add(d, password);
    digest_add(d, STR("$apr1$"));
    digest_add(d, salt);
    for (size_t left = password.n; left;) {
        size_t n = left < MD5_SIZE ? left : MD5_SIZE;
        digest_add(d, md5_bytes(out, n));
        left -= n;
    }
    /* Each bit of the length: a zero byte, or the password's first. */
    for (size_t bits = password.n; bits; bits >>= 1)
        digest_add(d, bits & 1 ? STR("\0") : str_sub(password, 0, 1));
    digest_end(d, out);
}

static void apr1_round(digest_t *d, unsigned i, str_t password, str_t salt, unsigned char *bytes)
{
    digest_begin(d);
    digest_add(d, i & 1 ? password : md5_bytes(bytes, MD5_SIZE));
    if (i % 3) digest_add(d, salt);
    if (i % 7) digest_add(d, password);
    digest_add(d, i & 1 ? md5_bytes(bytes, MD5_SIZE) : password);
    digest_end(d, bytes);
}

/* The digest's text: its bytes in an order of its own, six bits a digit, the lowest first. */
static void apr1_text(const unsigned char *bytes, char out[APR1_TEXT])
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const uint8_t order[][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    size_t n = 0;
    for (unsigned i = 0; i < 5; i++) {
        unsigned v = (unsigned)bytes[order[i][0]] << 16 | (unsigned)bytes[order[i][1]] << 8 |
                     bytes[order[i][2]];
        for (unsigned k = 0; k < 4; k++, v >>= 6) out[n++] = digits[v & 63];
    }
    out[n++] = digits[bytes[11] & 63];
    out[n] = digits[bytes[11] >> 6];
}

/* hash: what follows "$apr1$". */
static bool matches_apr1(str_t password, str_t hash)
{
    unsigned char bytes[MD5_SIZE];
    char text[APR1_TEXT];
    size_t end = str_find(hash, 0, '$');
    if (end == hash.n) return false;
    str_t salt = str_sub(hash, 0, end < APR1_SALT ? end : APR1_SALT);
    digest_t d = digest_new(EVP_md5());
    apr1_begin(&d, password, salt, bytes);
    for (unsigned i = 0; i < APR1_ROUNDS; i++) apr1_round(&d, i, password, salt, bytes);
    EVP_MD_CTX_free(d.ctx);
    apr1_text(bytes, text);
    return same(str_make(text, APR1_TEXT), str_sub(hash, end + 1, hash.n));
}

/* --- crypt(3) --- */

/* Its working memory (32 KiB) is one for all: nothing suspends while it is used. */
static bool matches_crypt(pool_t *pool, str_t password, str_t hash)
{
    static struct crypt_data data;
    const char *got =
        crypt_rn(pool_cstr(pool, password), pool_cstr(pool, hash), &data, sizeof(data));
    bool ok = got && got[0] != '*' && same(str_of(got), hash);
    OPENSSL_cleanse(&data, sizeof(data));
    return ok;
}

/* --- all of them --- */

static bool strip(str_t *s, str_t prefix)
{
    if (!str_starts(*s, prefix)) return false;
    *s = str_sub(*s, prefix.n, s->n);
    return true;
}

bool password_matches(pool_t *pool, str_t password, str_t hash)
{
    if (password.n > PASSWORD_MAX) return false;
    if (strip(&hash, STR("{PLAIN}"))) return same(password, hash);
    if (strip(&hash, STR("{SHA}"))) return matches_sha(pool, password, hash, false);
    if (strip(&hash, STR("{SSHA}"))) return matches_sha(pool, password, hash, true);
    if (strip(&hash, STR("$apr1$"))) return matches_apr1(password, hash);
    return matches_crypt(pool, password, hash);
}

bool password_is_slow(str_t hash)
{
    return !str_starts(hash, STR("{"));
}
