/*
 * str: a slice of bytes that somebody else owns.
 *
 * A str_t is passed by value and never owns memory; it is not NUL-terminated. Its bytes live as
 * long as their owner does (a pool, a buffer, a literal). Nothing here allocates or suspends.
 */
#ifndef CORE_BASE_STR_H
#define CORE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str_t;

#define STR(lit) ((str_t){"" lit, sizeof(lit) - 1})
#define STR_INIT(lit) {"" lit, sizeof(lit) - 1} /* for static initialisers */
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline str_t str_make(const char *p, size_t n)
{
    return (str_t){p, n};
}

static inline str_t str_of(const char *z)
{
    return (str_t){z, strlen(z)};
}

/* The bytes from `from` (inclusive) to `to` (exclusive); both must lie within s, from <= to. */
static inline str_t str_sub(str_t s, size_t from, size_t to)
{
    return (str_t){s.p + from, to - from};
}

static inline bool str_eq(str_t a, str_t b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(str_t s, str_t prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(str_t s, str_t suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static inline char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

static inline bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_alpha(char c)
{
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'z';
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex(char c)
{
    if (ascii_digit(c)) return c - '0';
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Comparisons that fold ASCII case. */
bool str_ieq(str_t a, str_t b);
bool str_istarts(str_t s, str_t prefix);

/* Orders bytewise, shorter first among equal prefixes. <0, 0, >0. */
int str_cmp(str_t a, str_t b);

/* The index of the first c at or after `from`, or s.n. */
size_t str_find(str_t s, size_t from, char c);

/* The index of the first occurrence of needle, or s.n (needle empty: 0). */
size_t str_search(str_t s, str_t needle);

/* Without leading and trailing space and tab (OWS of RFC 9110 5.6.3). */
str_t str_trim(str_t s);

/*
 * Takes the next piece of *rest up to sep (or the end) into *piece and moves *rest behind it.
 * False when *rest was exhausted. "a,,b" gives three pieces, "a," one, "" none.
 */
bool str_cut(str_t *rest, char sep, str_t *piece);

/* Decimal digits only, at least one, no sign; false (and *out unchanged) on anything else or
   overflow. */
bool str_to_u64(str_t s, uint64_t *out);

/* The same for hexadecimal digits. */
bool str_hex_to_u64(str_t s, uint64_t *out);

/* Edit distance (optimal string alignment) of two short names; used for "did you mean". */
unsigned str_distance(str_t a, str_t b);

/* Writes v in decimal to out (at least 20 bytes) and returns the number of bytes written. */
size_t str_put_u64(char *out, uint64_t v);

#endif
