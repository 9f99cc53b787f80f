#include "modules/ssl/acme_jws.h"

#include <criterion/criterion.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>

#include "core/base/base64.h"
#include "modules/ssl/acme_key.h"

/* RFC 7515 A.2. */
static const char rsa_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\n"
    "jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL\n"
    "aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\n"
    "juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5\n"
    "ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf\n"
    "toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\n"
    "VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW\n"
    "PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G\n"
    "O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\n"
    "kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6\n"
    "XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB\n"
    "4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\n"
    "pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr\n"
    "0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE\n"
    "lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\n"
    "kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP\n"
    "rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw\n"
    "kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\n"
    "5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2\n"
    "9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/\n"
    "evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\n"
    "yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj\n"
    "OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2\n"
    "tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\n"
    "ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\n"
    "03k2+ZQwVK0JKSHuLFkuQ3U=\n"
    "-----END PRIVATE KEY-----\n";

/* RFC 7515 A.3. */
static const char ec_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";

/* RFC 7638 3.1. */
static const char thumb_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJX\n"
    "ZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\n"
    "oc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt\n"
    "7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0\n"
    "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0f\n"
    "M4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDK\n"
    "gwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

/* What both of RFC 7515's are to sign, behind the head. */
#define PAYLOAD \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static EVP_PKEY *read_key(const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = strstr(pem, "PUBLIC") ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL)
                                          : PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    cr_assert_not_null(key);
    return key;
}

static void expect_text(str_t got, const char *want)
{
    cr_expect(str_eq(got, str_of(want)), "got \"" STR_FMT "\"", STR_ARG(got));
}

static str_t decode(pool_t *pool, str_t s)
{
    str_t out;
    char *p = pool_cstr(pool, s);
    for (char *c = p; *c; c++) *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    cr_assert(base64_decode(pool, str_make(p, s.n), &out));
    return out;
}

Test(acme_jws, base64url)
{
    pool_t *pool = pool_create();
    /* RFC 4648 10, without padding; RFC 7515 C; and the two digits that differ. */
    expect_text(acme_jws_base64url(pool, STR("")), "");
    expect_text(acme_jws_base64url(pool, STR("f")), "Zg");
    expect_text(acme_jws_base64url(pool, STR("foob")), "Zm9vYg");
    expect_text(acme_jws_base64url(pool, STR("\x03\xec\xff\xe0\xc1")), "A-z_4ME");
    cr_expect(acme_jws_is_base64url(STR("A-z_4ME")));
    cr_expect(!acme_jws_is_base64url(STR("")));
    cr_expect(!acme_jws_is_base64url(STR("Zg==")));
    cr_expect(!acme_jws_is_base64url(STR("a/b")));
    cr_expect(!acme_jws_is_base64url(STR("a\0b")));
    pool_destroy(pool);
}

Test(acme_jws, a_thumbprint)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(thumb_key);
    expect_text(acme_jws_thumbprint(pool, key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

Test(acme_jws, a_key_on_a_curve)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(ec_key);
    expect_text(acme_jws_key(pool, key),
                "{\"crv\":\"P-256\",\"kty\":\"EC\","
                "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

Test(acme_jws, a_signature_with_rsa)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(rsa_key);
    expect_text(acme_jws_signature(pool, key, STR("eyJhbGciOiJSUzI1NiJ9." PAYLOAD)),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
                "AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
                "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
                "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
                "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
                "p0igcN_IoypGlUPQGe77Rw");
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

/* Whether the signature, two numbers side by side, is the key's for the input. */
static bool verifies(pool_t *pool, EVP_PKEY *key, const EVP_MD *md, str_t input, str_t signature)
{
    str_t raw = decode(pool, signature);
    int half = (int)raw.n / 2;
    unsigned char *der = NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn((const unsigned char *)raw.p, half, NULL),
                   BN_bin2bn((const unsigned char *)raw.p + half, half, NULL));
    int n = i2d_ECDSA_SIG(pair, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(ctx, NULL, md, NULL, key);
    bool ok = EVP_DigestVerify(ctx, der, (size_t)n, (const unsigned char *)input.p, input.n) == 1;
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(pair);
    OPENSSL_free(der);
    return ok;
}

Test(acme_jws, a_signature_on_a_curve)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(ec_key);
    str_t input = STR("eyJhbGciOiJFUzI1NiJ9." PAYLOAD);
    cr_expect(verifies(pool, key, EVP_sha256(), input,
                       STR("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                           "pmWQxfKTUJqPP3-Kg6NU1Q")));
    for (int i = 0; i < 300; i++) { /* numbers that begin with zeros, too */
        str_t s = acme_jws_signature(pool, key, input);
        cr_assert_eq(s.n, 86u); /* 64 bytes */
        cr_assert(verifies(pool, key, EVP_sha256(), input, s));
    }
    EVP_PKEY_free(key);
    key = acme_key_make((acme_key_type_t){false, 521});
    str_t s = acme_jws_signature(pool, key, input);
    cr_expect_eq(s.n, 176u); /* 132 bytes */
    cr_expect(verifies(pool, key, EVP_sha512(), input, s));
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

/* RFC 7515 A.1. */
Test(acme_jws, a_signature_with_a_secret)
{
    pool_t *pool = pool_create();
    str_t secret;
    cr_assert(acme_jws_bytes(pool, STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                                       "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"), &secret));
    cr_expect_eq(secret.n, 64u);
    str_t input = STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD);
    expect_text(acme_jws_mac(pool, secret, input),
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    cr_expect(!acme_jws_bytes(pool, STR("a+b/"), &secret));
    cr_expect(!acme_jws_bytes(pool, STR(""), &secret));
    pool_destroy(pool);
}

static str_t member(str_t json, const char *name)
{
    pool_t *pool = pool_create();
    str_t needle = pool_printf(pool, "\"%s\":\"", name);
    size_t at = str_search(json, needle) + needle.n;
    pool_destroy(pool);
    cr_assert_leq(at, json.n, "no %s", name);
    return str_sub(json, at, str_find(json, at, '"'));
}

Test(acme_jws, a_message)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(ec_key);
    str_t m = acme_jws_sign(pool, key, STR("https://ca/acct/1"), STR("n-1"), STR("https://ca/x"),
                            STR("{}"));
    str_t head = member(m, "protected"), body = member(m, "payload");
    expect_text(decode(pool, head), "{\"alg\":\"ES256\",\"kid\":\"https://ca/acct/1\","
                                    "\"nonce\":\"n-1\",\"url\":\"https://ca/x\"}");
    expect_text(body, "e30");
    str_t input = pool_printf(pool, STR_FMT "." STR_FMT, STR_ARG(head), STR_ARG(body));
    cr_expect(verifies(pool, key, EVP_sha256(), input, member(m, "signature")));

    m = acme_jws_sign(pool, key, STR(""), STR("n"), STR("https://ca/new"), STR(""));
    expect_text(decode(pool, member(m, "protected")),
                "{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\","
                "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                "\"nonce\":\"n\",\"url\":\"https://ca/new\"}");
    expect_text(member(m, "payload"), "");
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

Test(acme_jws, a_binding)
{
    pool_t *pool = pool_create();
    EVP_PKEY *key = read_key(ec_key);
    str_t m = acme_jws_bind(pool, key, STR("s"), STR("k1"), STR("https://ca/new"));
    expect_text(decode(pool, member(m, "protected")),
                "{\"alg\":\"HS256\",\"kid\":\"k1\",\"url\":\"https://ca/new\"}");
    str_t jwk = acme_jws_key(pool, key);
    cr_expect(str_eq(decode(pool, member(m, "payload")), jwk));
    cr_expect_eq(member(m, "signature").n, 43u);
    EVP_PKEY_free(key);
    pool_destroy(pool);
}

Test(acme_key, kinds)
{
    pool_t *pool = pool_create();
    acme_key_type_t t, of;
    static const struct {
        const char *text, *whole;
    } good[] = {{"ecdsa", "ecdsa:256"}, {"ecdsa:384", "ecdsa:384"}, {"ecdsa:521", "ecdsa:521"},
                {"rsa", "rsa:2048"},    {"rsa:4096", "rsa:4096"}};
    static const char *const bad[] = {"", "ec", "ecdsa:", "ecdsa:255", "rsa:1024", "dsa:2048",
                                      "rsa:2048x"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect(acme_key_type_read(str_of(good[i].text), &t), "%s", good[i].text);
        expect_text(acme_key_type_text(pool, t), good[i].whole);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(!acme_key_type_read(str_of(bad[i]), &t), "%s", bad[i]);
    acme_key_type_read(STR("ecdsa:384"), &t);
    EVP_PKEY *key = acme_key_make(t);
    cr_assert(acme_key_type_of(key, &of) && acme_key_type_eq(t, of));
    str_t pem = acme_key_write(pool, key);
    EVP_PKEY *same = read_key(pem.p);
    cr_expect_eq(EVP_PKEY_eq(key, same), 1);
    EVP_PKEY_free(same);
    EVP_PKEY_free(key);
    pool_destroy(pool);
}
