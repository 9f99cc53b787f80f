#include "core/io/net.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>

enum { LITERAL_MAX = INET6_ADDRSTRLEN };

/* inet_pton wants a terminated text. */
static bool parse_bytes(int family, str_t s, void *out)
{
    char text[LITERAL_MAX];
    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(family, text, out) == 1;
}

/* "" leaves *port as it is, ":80" sets it; anything else is junk. */
static bool parse_port(str_t s, uint16_t *port)
{
    uint64_t v;
    if (s.n == 0) return true;
    if (s.p[0] != ':' || !str_to_u64(str_sub(s, 1, s.n), &v) || v == 0 || v > UINT16_MAX)
        return false;
    *port = (uint16_t)v;
    return true;
}

static bool parse_in(str_t s, uint16_t port, net_addr_t *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    size_t colon = str_find(s, 0, ':');
    if (!parse_bytes(AF_INET, str_sub(s, 0, colon), &in.sin_addr) ||
        !parse_port(str_sub(s, colon, s.n), &port))
        return false;
    in.sin_port = htons(port);
    *out = (net_addr_t){.len = sizeof(in), .in = in};
    return true;
}

static bool parse_in6(str_t host, str_t rest, uint16_t port, net_addr_t *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (!parse_bytes(AF_INET6, host, &in6.sin6_addr) || !parse_port(rest, &port)) return false;
    in6.sin6_port = htons(port);
    *out = (net_addr_t){.len = sizeof(in6), .in6 = in6};
    return true;
}

static bool parse_un(str_t path, net_addr_t *out)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof(un.sun_path) || memchr(path.p, '\0', path.n)) return false;
    memcpy(un.sun_path, path.p, path.n);
    *out = (net_addr_t){.un = un};
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    return true;
}

bool net_parse(str_t s, uint16_t default_port, net_addr_t *out)
{
    if (str_istarts(s, STR("unix:"))) return parse_un(str_sub(s, 5, s.n), out);
    if (str_starts(s, STR("["))) {
        size_t end = str_find(s, 0, ']');
        return end < s.n &&
               parse_in6(str_sub(s, 1, end), str_sub(s, end + 1, s.n), default_port, out);
    }
    size_t colon = str_find(s, 0, ':');
    if (colon < s.n && str_find(s, colon + 1, ':') < s.n)
        return parse_in6(s, (str_t){NULL, 0}, default_port, out);
    return parse_in(s, default_port, out);
}

/* The path of a unix address, "" for a socket without a name; abstract names are not ours. */
static str_t unix_path(const net_addr_t *a)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    if (a->len <= head) return STR("");
    size_t room = a->len - head < sizeof(a->un.sun_path) ? a->len - head : sizeof(a->un.sun_path);
    return str_make(a->un.sun_path, strnlen(a->un.sun_path, room));
}

static size_t put(char *out, size_t at, str_t s)
{
    memcpy(out + at, s.p, s.n);
    out[at + s.n] = '\0';
    return at + s.n;
}

static size_t put_port(char *out, size_t at, uint16_t port)
{
    char digits[20];
    at = put(out, at, STR(":"));
    return put(out, at, str_make(digits, str_put_u64(digits, port)));
}

static size_t format_in6(const net_addr_t *a, bool port, char *out)
{
    size_t at = port ? put(out, 0, STR("[")) : 0;
    inet_ntop(AF_INET6, &a->in6.sin6_addr, out + at, INET6_ADDRSTRLEN);
    at += strlen(out + at);
    return port ? put_port(out, put(out, at, STR("]")), net_port(a)) : at;
}

/* By hand, since every request has a client: inet_ntop prints through sprintf. */
static size_t format_in(const net_addr_t *a, char *out)
{
    const unsigned char *bytes = (const unsigned char *)&a->in.sin_addr;
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        if (i) out[n++] = '.';
        n += str_put_u64(out + n, bytes[i]);
    }
    out[n] = '\0';
    return n;
}

size_t net_format(const net_addr_t *a, bool port, char out[NET_TEXT_MAX])
{
    out[0] = '\0';
    if (a->len == 0) return 0;
    if (a->sa.sa_family == AF_UNIX) return put(out, put(out, 0, STR("unix:")), unix_path(a));
    if (a->sa.sa_family == AF_INET6) return format_in6(a, port, out);
    size_t n = format_in(a, out);
    return port ? put_port(out, n, net_port(a)) : n;
}

uint16_t net_port(const net_addr_t *a)
{
    if (a->len == 0) return 0;
    if (a->sa.sa_family == AF_INET) return ntohs(a->in.sin_port);
    if (a->sa.sa_family == AF_INET6) return ntohs(a->in6.sin6_port);
    return 0;
}

void net_set_port(net_addr_t *a, uint16_t port)
{
    if (a->len == 0) return;
    if (a->sa.sa_family == AF_INET) a->in.sin_port = htons(port);
    if (a->sa.sa_family == AF_INET6) a->in6.sin6_port = htons(port);
}

bool net_eq(const net_addr_t *a, const net_addr_t *b)
{
    if (a->len == 0 || b->len == 0) return a->len == b->len;
    if (a->sa.sa_family != b->sa.sa_family) return false;
    if (a->sa.sa_family == AF_UNIX) return str_eq(unix_path(a), unix_path(b));
    if (a->sa.sa_family == AF_INET6 && a->in6.sin6_scope_id != b->in6.sin6_scope_id) return false;
    return net_port(a) == net_port(b) && str_eq(net_bytes(a), net_bytes(b));
}

str_t net_bytes(const net_addr_t *a)
{
    if (a->len && a->sa.sa_family == AF_INET)
        return str_make((const char *)&a->in.sin_addr, sizeof(a->in.sin_addr));
    if (a->len && a->sa.sa_family == AF_INET6)
        return str_make((const char *)&a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
    return STR("");
}

str_t net_bytes_unmapped(const net_addr_t *a)
{
    str_t bytes = net_bytes(a);
    bool mapped = bytes.n == 16 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
    return mapped ? str_sub(bytes, 12, 16) : bytes;
}

bool net_local(int fd, net_addr_t *out)
{
    *out = (net_addr_t){.len = sizeof(*out) - offsetof(net_addr_t, sa)};
    if (getsockname(fd, &out->sa, &out->len) == 0) return true;
    out->len = 0;
    return false;
}

void net_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void net_unsent_most(int fd, unsigned bytes)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}
