#include "core/base/str.h"

bool str_ieq(str_t a, str_t b)
{
    return a.n == b.n && str_istarts(a, b);
}

bool str_istarts(str_t s, str_t prefix)
{
    if (s.n < prefix.n) return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i])) return false;
    return true;
}

int str_cmp(str_t a, str_t b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    if (d) return d;
    return (a.n > b.n) - (a.n < b.n);
}

size_t str_find(str_t s, size_t from, char c)
{
    if (from >= s.n) return s.n;
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_search(str_t s, str_t needle)
{
    if (needle.n == 0) return 0;
    if (s.n < needle.n) return s.n;
    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : s.n;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

str_t str_trim(str_t s)
{
    while (s.n && is_ows(s.p[0])) s.p++, s.n--;
    while (s.n && is_ows(s.p[s.n - 1])) s.n--;
    return s;
}

bool str_cut(str_t *rest, char sep, str_t *piece)
{
    if (rest->n == 0) return false;
    size_t at = str_find(*rest, 0, sep);
    *piece = str_sub(*rest, 0, at);
    *rest = at < rest->n ? str_sub(*rest, at + 1, rest->n) : (str_t){NULL, 0};
    return true;
}

static bool digits_to_u64(str_t s, unsigned base, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = ascii_hex(s.p[i]);
        if (d < 0 || (unsigned)d >= base) return false;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (unsigned)d, &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_u64(str_t s, uint64_t *out)
{
    return digits_to_u64(s, 10, out);
}

bool str_hex_to_u64(str_t s, uint64_t *out)
{
    return digits_to_u64(s, 16, out);
}

enum { DISTANCE_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

unsigned str_distance(str_t a, str_t b)
{
    unsigned char rows[3][DISTANCE_MAX + 1];
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX) return DISTANCE_MAX;
    for (size_t j = 0; j <= b.n; j++) rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned char *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned cost = a.p[i - 1] != b.p[j - 1];
            unsigned d = min3(up[j] + 1u, row[j - 1] + 1u, up[j - 1] + cost);
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped && up2[j - 2] + 1u < d) d = up2[j - 2] + 1u;
            row[j] = (unsigned char)d;
        }
    }
    return rows[a.n % 3][b.n];
}

/* All numbers of two digits: a division is worth two of them. */
static const char pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

size_t str_put_u64(char *out, uint64_t v)
{
    size_t n = 1;
    for (uint64_t bound = 10; n < 20 && v >= bound; bound *= 10) n++;
    char *at = out + n;
    for (; v >= 100; v /= 100) memcpy(at -= 2, pairs + v % 100 * 2, 2);
    if (v >= 10) memcpy(out, pairs + v * 2, 2);
    else *out = (char)('0' + v);
    return n;
}
