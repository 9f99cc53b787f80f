#include "core/base/base64.h"

/* The six bits of a digit, or -1. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (ascii_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(pool_t *pool, str_t s, str_t *out)
{
    unsigned bits = 0, have = 0;
    size_t n = s.n, length = 0;
    while (n && s.p[n - 1] == '=' && s.n - n < 2) n--;
    if (n % 4 == 1 || (n < s.n && s.n % 4 != 0)) return false;
    char *bytes = pool_bytes(pool, n / 4 * 3 + 3);
    for (size_t i = 0; i < n; i++) {
        int six = digit(s.p[i]);
        if (six < 0) return false;
        bits = bits << 6 | (unsigned)six;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        bytes[length++] = (char)(bits >> have & 0xff);
    }
    *out = str_make(bytes, length);
    return true;
}

str_t base64_encode(pool_t *pool, str_t s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = pool_bytes(pool, (s.n + 2) / 3 * 4);
    size_t length = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t have = s.n - i < 3 ? s.n - i : 3;
        unsigned bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (unsigned char)s.p[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            out[length++] = k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return str_make(out, length);
}
