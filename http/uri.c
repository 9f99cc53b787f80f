#include "http/uri.h"

#include <arpa/inet.h>

/* The length of the scheme with "://" at the front of s when it is one of ours, else 0. */
static size_t scheme_length(str_t s)
{
    if (str_istarts(s, STR("http://"))) return 7;
    return str_istarts(s, STR("https://")) ? 8 : 0;
}

static void split_args(str_t s, uri_t *out)
{
    size_t at = str_find(s, 0, '?');
    out->path = str_sub(s, 0, at);
    if (at < s.n) out->args = str_sub(s, at + 1, s.n);
}

static size_t authority_length(str_t s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#') n++;
    return n;
}

bool uri_split(str_t target, uri_t *out)
{
    *out = (uri_t){.path = {NULL, 0}};
    if (target.n && (target.p[0] == '/' || str_eq(target, STR("*")))) {
        split_args(target, out);
        return true;
    }
    size_t scheme = scheme_length(target);
    if (scheme == 0) return false;
    str_t rest = str_sub(target, scheme, target.n);
    size_t n = authority_length(rest);
    if (n == 0 || (n < rest.n && rest.p[n] == '#')) return false;
    out->scheme = str_sub(target, 0, scheme - 3);
    out->authority = str_sub(rest, 0, n);
    split_args(str_sub(rest, n, rest.n), out);
    if (out->path.n == 0) out->path = STR("/");
    return true;
}

/* The byte that %HH at s.p[i] stands for, or -1. */
static int escaped_byte(str_t s, size_t i)
{
    if (s.n - i < 3) return -1;
    int high = ascii_hex(s.p[i + 1]), low = ascii_hex(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Whether the segment that begins at i is "." or "..". */
static bool dots_at(str_t path, size_t i)
{
    size_t n = i;
    while (n < path.n && path.p[n] == '.') n++;
    return (n == path.n || path.p[n] == '/') && (n - i == 1 || n - i == 2);
}

static bool is_normal(str_t path, bool merge_slashes)
{
    bool slash = false;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == '%' || c == '\0') return false;
        if (slash && c == '/' && merge_slashes) return false;
        if (slash && c == '.' && dots_at(path, i)) return false;
        slash = c == '/';
    }
    return true;
}

/*
 * Called where a segment of out[0..*n) ends: takes a "." off, and ".." with the segment before it,
 * so that out ends with the "/" in front. False when that would leave the root.
 */
static bool end_segment(const char *out, size_t *n)
{
    if (*n >= 2 && memcmp(out + *n - 2, "/.", 2) == 0) {
        *n -= 1;
        return true;
    }
    if (*n < 3 || memcmp(out + *n - 3, "/..", 3) != 0) return true;
    size_t m = *n - 3;
    if (m == 0) return false;
    while (out[m - 1] != '/') m--;
    *n = m;
    return true;
}

/* Adds "/", unless a segment that was taken away has left the one before it. */
static bool put_slash(char *out, size_t *n, bool merge_slashes)
{
    size_t before = *n;
    if (!end_segment(out, n)) return false;
    bool removed = *n < before;
    if (!removed && (before == 0 || !merge_slashes || out[before - 1] != '/')) out[(*n)++] = '/';
    return true;
}

static bool normalise(str_t path, bool merge_slashes, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < path.n; i++) {
        int c = (unsigned char)path.p[i];
        if (c == '%') {
            c = escaped_byte(path, i);
            i += 2;
        }
        if (c <= 0) return false;
        if (c != '/') out[(*n)++] = (char)c;
        else if (!put_slash(out, n, merge_slashes)) return false;
    }
    return end_segment(out, n);
}

bool uri_normalise(pool_t *pool, str_t path, bool merge_slashes, str_t *out)
{
    *out = path;
    if (path.n == 0 || path.p[0] != '/') return str_eq(path, STR("*"));
    if (is_normal(path, merge_slashes)) return true;
    char *p = pool_bytes(pool, path.n);
    out->p = p;
    return normalise(path, merge_slashes, p, &out->n);
}

enum { PATH = 1 << URI_ESCAPE_PATH, ARGS = 1 << URI_ESCAPE_ARGS, PART = 1 << URI_ESCAPE_COMPONENT };
enum { EVERY = PATH | ARGS | PART };

/* In which sets a byte is escaped; the unreserved (RFC 3986 2.3) are in none. */
static const uint8_t escaped_in[256] = {
    [0x00 ... 0x20] = EVERY, ['!'] = PART,           ['"' ... '#'] = EVERY, ['$'] = PART,
    ['%'] = EVERY,           ['&'] = ARGS | PART,    ['\'' ... '*'] = PART, ['+'] = ARGS | PART,
    [','] = PART,            ['/'] = PART,           [':'] = PART,          [';'] = ARGS | PART,
    ['<'] = EVERY,           ['='] = PART,           ['>' ... '?'] = EVERY, ['@'] = PART,
    ['['] = PART,            ['\\'] = EVERY,         [']'] = PART,          ['^'] = EVERY,
    ['`'] = EVERY,           ['{' ... '}'] = EVERY,  [0x7f ... 0xff] = EVERY,
};

static size_t count_escaped(str_t s, unsigned set)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) count += (escaped_in[(unsigned char)s.p[i]] & set) != 0;
    return count;
}

str_t uri_escape(pool_t *pool, str_t s, uri_escape_t which)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned set = 1u << which;
    size_t n = 0, count = count_escaped(s, set);
    if (count == 0) return s;
    char *out = pool_bytes(pool, s.n + 2 * count);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!(escaped_in[c] & set)) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return str_make(out, n);
}

str_t uri_unescape(pool_t *pool, str_t s)
{
    size_t at = str_find(s, 0, '%'), n = 0;
    if (at == s.n) return s;
    char *out = pool_bytes(pool, s.n);
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] == '%' ? escaped_byte(s, i) : -1;
        if (c >= 0) i += 2;
        else c = s.p[i];
        out[n++] = (char)c;
    }
    return str_make(out, n);
}

str_t uri_arg(str_t args, str_t name)
{
    str_t piece;
    while (str_cut(&args, '&', &piece))
        if (piece.n > name.n && piece.p[name.n] == '=' && str_istarts(piece, name))
            return str_sub(piece, name.n + 1, piece.n);
    return (str_t){NULL, 0};
}

static bool is_ipv6(str_t s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (s.n >= sizeof(text)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return strlen(text) == s.n && inet_pton(AF_INET6, text, &address) == 1;
}

/* Bytes of a reg-name (unreserved and sub-delims) but ","; an IPv4 address has no others. */
static const bool host_byte[256] = {
    ['!'] = true, ['$'] = true, ['&' ... '+'] = true, ['-' ... '.'] = true, ['0' ... '9'] = true,
    [';'] = true, ['='] = true, ['A' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true,
    ['~'] = true,
};

/* The length of the reg-name at the front of s, up to where a second "." follows one. */
static size_t name_length(str_t s)
{
    size_t i = 0;
    while (i < s.n) {
        if (i && s.p[i] == '.' && s.p[i - 1] == '.') break;
        if (host_byte[(unsigned char)s.p[i]]) i++;
        else if (s.p[i] == '%' && escaped_byte(s, i) > ' ') i += 3;
        else break;
    }
    return i;
}

/* The length of the uri-host at the front of s; 0 when there is none. */
static size_t host_length(str_t s)
{
    if (s.n == 0 || s.p[0] != '[') return name_length(s);
    size_t close = str_find(s, 0, ']');
    return close < s.n && is_ipv6(str_sub(s, 1, close)) ? close + 1 : 0;
}

bool uri_split_host(str_t s, str_t *host, uint16_t *port)
{
    size_t n = host_length(s);
    uint64_t number = 0;
    if (n == 0) return false;
    if (n < s.n && s.p[n] != ':') return false;
    if (n + 1 < s.n && !str_to_u64(str_sub(s, n + 1, s.n), &number)) return false;
    if (number > UINT16_MAX) return false;
    *host = str_sub(s, 0, n);
    *port = (uint16_t)number;
    return true;
}
