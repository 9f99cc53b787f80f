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
