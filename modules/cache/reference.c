#include "modules/cache/reference.h"

#include "http/uri.h"

/* The index of the first byte of s that is among `chars`, or s.n. */
static size_t find_any(str_t s, const char *chars)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] && strchr(chars, s.p[i])) return i;
    return s.n;
}

/* Whether anything in s cannot stand in a URI at all. */
static bool has_strangers(str_t s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f) return true;
    return false;
}

/* Takes "scheme:" from s; without one, the base's stays. */
static bool take_scheme(str_t *s, str_t *scheme)
{
    size_t end = find_any(*s, ":/?#");
    if (end == s->n || s->p[end] != ':') return true;
    str_t given = str_sub(*s, 0, end);
    if (str_ieq(given, STR("http"))) *scheme = STR("http");
    else if (str_ieq(given, STR("https"))) *scheme = STR("https");
    else return false;
    *s = str_sub(*s, end + 1, s->n);
    return str_starts(*s, STR("//"));
}

static bool take_host(str_t *s, str_t *host)
{
    str_t name;
    uint16_t port;
    if (!str_starts(*s, STR("//"))) return true;
    *s = str_sub(*s, 2, s->n);
    size_t end = find_any(*s, "/?");
    *host = str_sub(*s, 0, end);
    *s = str_sub(*s, end, s->n);
    if (s->n == 0) *s = STR("/");
    return uri_split_host(*host, &name, &port);
}

/* Appends a segment (with its "/") to out[0..n), or obeys it; the last one leaves its "/". */
static size_t put_segment(char *out, size_t n, str_t segment, bool last)
{
    bool up = str_eq(segment, STR("/.."));
    if (up || str_eq(segment, STR("/."))) {
        if (up && n)
            while (out[--n] != '/') continue;
        if (last) out[n++] = '/';
        return n;
    }
    memcpy(out + n, segment.p, segment.n);
    return n + segment.n;
}

/* RFC 3986 5.2.4; path begins with "/". */
static str_t without_dots(pool_t *pool, str_t path)
{
    char *out = pool_bytes(pool, path.n);
    size_t n = 0;
    while (path.n) {
        size_t end = str_find(path, 1, '/');
        n = put_segment(out, n, str_sub(path, 0, end), end == path.n);
        path = str_sub(path, end, path.n);
    }
    return str_make(out, n);
}

/* RFC 3986 5.2.2: the path and query of the reference s, taken from the base's. */
static str_t merge(pool_t *pool, str_t base, str_t s)
{
    size_t base_end = str_find(base, 0, '?');
    str_t base_path = str_sub(base, 0, base_end);
    if (s.n == 0) return base;
    if (s.p[0] == '?') return pool_concat(pool, base_path, s);
    size_t end = str_find(s, 0, '?');
    str_t path = str_sub(s, 0, end);
    if (path.p[0] != '/') {
        size_t directory = base_path.n;
        while (directory && base_path.p[directory - 1] != '/') directory--;
        path = pool_concat(pool, str_sub(base_path, 0, directory), path);
    }
    if (path.n == 0 || path.p[0] != '/') return (str_t){NULL, 0};
    return pool_concat(pool, without_dots(pool, path), str_sub(s, end, s.n));
}

bool reference_resolve(pool_t *pool, const reference_target_t *base, str_t reference,
                       reference_target_t *out)
{
    str_t s = str_trim(reference);
    *out = *base;
    s = str_sub(s, 0, str_find(s, 0, '#'));
    if (has_strangers(s) || !take_scheme(&s, &out->scheme) || !take_host(&s, &out->host))
        return false;
    if (s.n && s.p[0] == '?' && out->host.p != base->host.p) s = pool_concat(pool, STR("/"), s);
    out->path = merge(pool, base->path, s);
    return out->path.p != NULL;
}

static uint16_t port_of(const reference_target_t *t, uint16_t port)
{
    if (port) return port;
    return str_eq(t->scheme, STR("https")) ? 443 : 80;
}

bool reference_same_origin(const reference_target_t *a, const reference_target_t *b)
{
    str_t host_a, host_b;
    uint16_t port_a, port_b;
    if (!str_eq(a->scheme, b->scheme)) return false;
    if (!uri_split_host(a->host, &host_a, &port_a) || !uri_split_host(b->host, &host_b, &port_b))
        return false;
    return str_ieq(host_a, host_b) && port_of(a, port_a) == port_of(b, port_b);
}

bool reference_same(const reference_target_t *a, const reference_target_t *b)
{
    return reference_same_origin(a, b) && str_eq(a->path, b->path);
}
