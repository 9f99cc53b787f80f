#include "http/proxy_protocol.h"

#include <arpa/inet.h>

/* --- version 1: a line --- */

enum { LINE_MAX_V1 = 107 /* with its CRLF */ };

/* inet_pton wants a terminated text. */
static bool parse_address(str_t s, unsigned size, unsigned char *out)
{
    char text[INET6_ADDRSTRLEN];
    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n)) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(size == 4 ? AF_INET : AF_INET6, text, out) == 1;
}

static bool parse_port(str_t s, uint16_t *out)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v > UINT16_MAX || (s.n > 1 && s.p[0] == '0')) return false;
    *out = (uint16_t)v;
    return true;
}

/* "TCP4 10.0.0.1 10.0.0.2 4711 80", or "UNKNOWN" with whatever follows. */
static bool parse_words(str_t line, proxy_protocol_t *out)
{
    str_t word[5] = {{NULL, 0}}, rest = line;
    *out = (proxy_protocol_t){.size = 0};
    if (str_eq(line, STR("UNKNOWN")) || str_starts(line, STR("UNKNOWN "))) return true;
    for (unsigned i = 0; i < 5; i++)
        if (!str_cut(&rest, ' ', &word[i])) return false;
    if (str_ends(line, STR(" ")) || rest.n) return false;
    if (str_eq(word[0], STR("TCP4"))) out->size = 4;
    else if (str_eq(word[0], STR("TCP6"))) out->size = 16;
    else return false;
    return parse_address(word[1], out->size, out->client) &&
           parse_address(word[2], out->size, out->server) &&
           parse_port(word[3], &out->client_port) && parse_port(word[4], &out->server_port);
}

static proxy_protocol_result_t parse_v1(str_t in, proxy_protocol_t *out, size_t *used)
{
    static const str_t start = STR_INIT("PROXY ");
    size_t known = in.n < start.n ? in.n : start.n;
    if (memcmp(in.p, start.p, known) != 0) return PROXY_PROTOCOL_BAD;
    str_t line = str_sub(in, 0, in.n < LINE_MAX_V1 ? in.n : LINE_MAX_V1);
    size_t end = str_search(line, STR("\r\n"));
    if (end == line.n) return line.n == LINE_MAX_V1 ? PROXY_PROTOCOL_BAD : PROXY_PROTOCOL_MORE;
    if (!parse_words(str_sub(line, start.n, end), out)) return PROXY_PROTOCOL_BAD;
    *used = end + 2;
    return PROXY_PROTOCOL_OK;
}

/* --- version 2: a block --- */

enum {
    SIGNATURE = 12,
    FIXED = 16, /* signature, version and command, family, length */
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    TLV_HEAD = 3,
    TLV_CRC32C = 3,
    CRC_SIZE = 4,
};

static const unsigned char signature[SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";

static uint16_t get_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_u16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static uint32_t crc32c_byte(uint32_t crc, unsigned char byte)
{
    crc ^= byte;
    for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    return crc;
}

/* CRC32c (RFC 3309) over p[0..n) with the checksum itself, at `at`, taken as zero. */
static bool crc_matches(const unsigned char *p, size_t n, size_t at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        crc = crc32c_byte(crc, i >= at && i < at + CRC_SIZE ? 0 : p[i]);
    uint32_t said = (uint32_t)get_u16(p + at) << 16 | get_u16(p + at + 2);
    return said == ~crc;
}

/* The TLVs p[at..n) of the header p[0..n). */
static bool check_tlvs(const unsigned char *p, size_t n, size_t at)
{
    bool checked = false;
    while (at < n) {
        if (n - at < TLV_HEAD) return false;
        size_t value = at + TLV_HEAD, size = get_u16(p + at + 1);
        if (n - value < size) return false;
        if (p[at] == TLV_CRC32C) {
            if (checked || size != CRC_SIZE || !crc_matches(p, n, value)) return false;
            checked = true;
        }
        at = value + size;
    }
    return true;
}

/* Bytes of both addresses and ports of a family (the high four bits); -1: no such family. */
static int addresses_size(unsigned family)
{
    static const int sizes[] = {0, 12, 36, 216};
    return family < 4 ? sizes[family] : -1;
}

static void take_addresses(const unsigned char *p, uint8_t size, proxy_protocol_t *out)
{
    memcpy(out->client, p, size);
    memcpy(out->server, p + size, size);
    out->client_port = get_u16(p + 2 * size);
    out->server_port = get_u16(p + 2 * size + 2);
    out->size = size;
}

/* The whole header p[0..n). */
static bool take_block(const unsigned char *p, size_t n, proxy_protocol_t *out)
{
    unsigned command = p[12] & 15, family = p[13] >> 4, transport = p[13] & 15;
    int size = addresses_size(family);
    *out = (proxy_protocol_t){.size = 0};
    if (command == COMMAND_LOCAL) return true; /* the rest is to be ignored */
    if (command != COMMAND_PROXY || size < 0 || transport > 2) return false;
    if (n - FIXED < (size_t)size) return false;
    if (family == 1) take_addresses(p + FIXED, 4, out);
    if (family == 2) take_addresses(p + FIXED, 16, out);
    return family == 0 || check_tlvs(p, n, FIXED + (size_t)size);
}

static proxy_protocol_result_t parse_v2(str_t in, proxy_protocol_t *out, size_t *used)
{
    const unsigned char *p = (const unsigned char *)in.p;
    if (memcmp(p, signature, in.n < SIGNATURE ? in.n : SIGNATURE) != 0) return PROXY_PROTOCOL_BAD;
    if (in.n > SIGNATURE && p[SIGNATURE] >> 4 != 2) return PROXY_PROTOCOL_BAD;
    if (in.n < FIXED) return PROXY_PROTOCOL_MORE;
    size_t n = FIXED + get_u16(p + 14);
    if (n > PROXY_PROTOCOL_MAX) return PROXY_PROTOCOL_BAD;
    if (in.n < n) return PROXY_PROTOCOL_MORE;
    if (!take_block(p, n, out)) return PROXY_PROTOCOL_BAD;
    *used = n;
    return PROXY_PROTOCOL_OK;
}

proxy_protocol_result_t proxy_protocol_parse(const char *p, size_t n, proxy_protocol_t *out,
                                             size_t *used)
{
    if (n == 0) return PROXY_PROTOCOL_MORE;
    return p[0] == 'P' ? parse_v1(str_make(p, n), out, used) : parse_v2(str_make(p, n), out, used);
}

/* --- addresses --- */

static net_addr_t address(const unsigned char *bytes, uint8_t size, uint16_t port)
{
    net_addr_t a = {.len = 0};
    if (size == 4) {
        a.len = sizeof(a.in);
        a.in.sin_family = AF_INET;
        memcpy(&a.in.sin_addr, bytes, size);
    } else if (size == 16) {
        a.len = sizeof(a.in6);
        a.in6.sin6_family = AF_INET6;
        memcpy(&a.in6.sin6_addr, bytes, size);
    }
    net_set_port(&a, port);
    return a;
}

net_addr_t proxy_protocol_client(const proxy_protocol_t *h)
{
    return address(h->client, h->size, h->client_port);
}

net_addr_t proxy_protocol_server(const proxy_protocol_t *h)
{
    return address(h->server, h->size, h->server_port);
}

/* --- writing --- */

/* The address with `size` bytes: as it is, or mapped. */
static void set_address(const net_addr_t *a, uint8_t size, unsigned char *out)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    str_t bytes = net_bytes(a);
    size_t skip = size - bytes.n;
    if (skip) memcpy(out, mapped, skip);
    memcpy(out + skip, bytes.p, bytes.n);
}

static proxy_protocol_t describe(const net_addr_t *client, const net_addr_t *server)
{
    proxy_protocol_t h = {.size = 0};
    size_t a = net_bytes(client).n, b = net_bytes(server).n;
    if (a == 0 || b == 0) return h;
    h.size = a == 4 && b == 4 ? 4 : 16;
    set_address(client, h.size, h.client);
    set_address(server, h.size, h.server);
    h.client_port = net_port(client);
    h.server_port = net_port(server);
    return h;
}

static size_t put(char *out, size_t at, str_t s)
{
    memcpy(out + at, s.p, s.n);
    return at + s.n;
}

static size_t put_v1(char *out, const proxy_protocol_t *h)
{
    int family = h->size == 4 ? AF_INET : AF_INET6;
    if (h->size == 0) return put(out, 0, STR("PROXY UNKNOWN\r\n"));
    size_t n = put(out, 0, h->size == 4 ? STR("PROXY TCP4 ") : STR("PROXY TCP6 "));
    inet_ntop(family, h->client, out + n, INET6_ADDRSTRLEN);
    n = put(out, n + strlen(out + n), STR(" "));
    inet_ntop(family, h->server, out + n, INET6_ADDRSTRLEN);
    n = put(out, n + strlen(out + n), STR(" "));
    n += str_put_u64(out + n, h->client_port);
    n = put(out, n, STR(" "));
    n += str_put_u64(out + n, h->server_port);
    return put(out, n, STR("\r\n"));
}

static size_t put_v2(unsigned char *out, const proxy_protocol_t *h)
{
    uint8_t size = h->size;
    uint16_t length = size ? (uint16_t)(2 * size + 4) : 0;
    memcpy(out, signature, SIGNATURE);
    out[12] = 2 << 4 | COMMAND_PROXY;
    out[13] = size == 0 ? 0 : size == 4 ? 0x11 : 0x21; /* over a stream */
    put_u16(out + 14, length);
    if (!size) return FIXED;
    memcpy(out + FIXED, h->client, size);
    memcpy(out + FIXED + size, h->server, size);
    put_u16(out + FIXED + 2 * size, h->client_port);
    put_u16(out + FIXED + 2 * size + 2, h->server_port);
    return FIXED + length;
}

size_t proxy_protocol_put(char out[PROXY_PROTOCOL_PUT_MAX], unsigned version,
                          const net_addr_t *client, const net_addr_t *server)
{
    proxy_protocol_t h = describe(client, server);
    return version == PROXY_PROTOCOL_V2 ? put_v2((unsigned char *)out, &h) : put_v1(out, &h);
}
