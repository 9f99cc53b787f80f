#include <criterion/criterion.h>
#include <stdio.h>

#include "http/proxy_protocol.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(lit) {lit, sizeof(lit) - 1}

/* "OK used client server", "MORE" or "BAD"; the same for every way of cutting it (all but BAD). */
static const char *parsed(str_t in)
{
    static char out[4 * NET_TEXT_MAX];
    char client[NET_TEXT_MAX], server[NET_TEXT_MAX];
    proxy_protocol_t h;
    size_t used = 0;
    proxy_protocol_result_t r = proxy_protocol_parse(in.p, in.n, &h, &used);
    if (r == PROXY_PROTOCOL_MORE) return "MORE";
    if (r == PROXY_PROTOCOL_BAD) return "BAD";
    net_addr_t a = proxy_protocol_client(&h), b = proxy_protocol_server(&h);
    net_format(&a, true, client);
    net_format(&b, true, server);
    snprintf(out, sizeof(out), "OK %zu %s %s", used, client, server);
    return out;
}

/* The lines are those of section 2.1 of the specification, or break its rules. */
Test(proxy_protocol, parses_version_1)
{
    static const struct {
        const char *in, *expected;
    } rows[] = {
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
         "OK 56 255.255.255.255:65535 255.255.255.255:65535"},
        {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n",
         "OK 47 192.168.0.1:56324 192.168.0.11:443"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "OK 104 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 "
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"PROXY TCP6 2001:DB8::1 ::1 0 80\r\n", "OK 33 [2001:db8::1]:0 [::1]:80"},
        {"PROXY UNKNOWN\r\n", "OK 15  "},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "OK 107  "},
        {"P", "MORE"},
        {"PROXY ", "MORE"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", "MORE"},
        {"POST / HTTP/1.1\r\n", "BAD"},
        {"GET / HTTP/1.1\r\n", "BAD"},
        {"PROXY\r\n", "BAD"},
        {"PROXY \r\n", "BAD"},
        {"PROXY UNKNOWNS\r\n", "BAD"},
        {"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "BAD"},
        {"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "BAD"},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", "BAD"},
        {"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "BAD"},
        {"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "BAD"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", "BAD"},
        {"PROXY UNKNOWN .........0.........0.........0.........0.........0.........0.........0"
         ".........0.........0.........0\r\n", "BAD"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(parsed(str_of(rows[i].in)), rows[i].expected, "%s", rows[i].in);
}

/* The first is what HAProxy 2.6 sent for "send-proxy-v2 proxy-v2-options crc32c,unique-id". */
Test(proxy_protocol, parses_version_2)
{
    static const struct {
        str_t in;
        const char *expected;
    } rows[] = {
        {BYTES(SIGNATURE "\x21\x11\x00\x16\x7f\x00\x00\x01\x7f\x00\x00\x01\x96\x04\xa2\x7b"
                         "\x03\x00\x04\x0f\x58\x08\x93\x05\x00\x00GET"),
         "OK 38 127.0.0.1:38404 127.0.0.1:41595"},
        {BYTES(SIGNATURE "\x21\x11\x00\x16\x7f\x00\x00\x01\x7f\x00\x00\x02\x96\x04\xa2\x7b"
                         "\x03\x00\x04\x0f\x58\x08\x93\x05\x00\x00"), "BAD"},
        {BYTES(SIGNATURE "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"),
         "OK 28 1.2.3.4:80 5.6.7.8:443"},
        {BYTES(SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50\x01\xbb"),
         "OK 52 [2001:db8::1]:80 [::1]:443"},
        {BYTES(SIGNATURE "\x20\x00\x00\x00"), "OK 16  "},
        {BYTES(SIGNATURE "\x20\xff\x00\x03xyz"), "OK 19  "},
        {BYTES(SIGNATURE "\x21\x00\x00\x00"), "OK 16  "},
        {BYTES(SIGNATURE
               "\x21\x11\x00\x0f\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x04\0\0"),
         "OK 31 1.2.3.4:80 5.6.7.8:443"},
        {BYTES("\r"), "MORE"},
        {BYTES(SIGNATURE), "MORE"},
        {BYTES(SIGNATURE "\x21\x11\x00"), "MORE"},
        {BYTES(SIGNATURE "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01"), "MORE"},
        {BYTES(SIGNATURE "\x21\x11\x0f\xf0"), "MORE"},
        {BYTES("\r\n\r\nGET"), "BAD"},
        {BYTES(SIGNATURE "\x11"), "BAD"},
        {BYTES(SIGNATURE "\x22\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"),
         "BAD"},
        {BYTES(SIGNATURE "\x21\x41\x00\x00"), "BAD"},
        {BYTES(SIGNATURE "\x21\x13\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"),
         "BAD"},
        {BYTES(SIGNATURE "\x21\x11\x00\x0b\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01"), "BAD"},
        {BYTES(SIGNATURE "\x21\x31\x00\x01x"), "BAD"},
        {BYTES(SIGNATURE "\x21\x11\x0f\xf1"), "BAD"},
        {BYTES(SIGNATURE "\x21\x11\x00\x0e\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x04\0"),
         "BAD"},
        {BYTES(SIGNATURE
               "\x21\x11\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x04\0\x02x"),
         "BAD"},
        {BYTES(SIGNATURE
               "\x21\x11\x00\x0f\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb\x03\0\0"), "BAD"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(parsed(rows[i].in), rows[i].expected, "row %zu", i);
}

/* Every beginning of a good header asks for more, whichever version. */
Test(proxy_protocol, is_incremental)
{
    static const str_t whole[] = {
        BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
        BYTES(SIGNATURE "\x21\x11\x00\x16\x7f\x00\x00\x01\x7f\x00\x00\x01\x96\x04\xa2\x7b"
                        "\x03\x00\x04\x0f\x58\x08\x93\x05\x00\x00"),
    };
    for (size_t i = 0; i < COUNT(whole); i++) {
        for (size_t n = 0; n < whole[i].n; n++)
            cr_assert_str_eq(parsed(str_sub(whole[i], 0, n)), "MORE", "%zu bytes of %zu", n, i);
        cr_assert_str_neq(parsed(whole[i]), "MORE");
    }
}

static str_t put(unsigned version, const char *client, const char *server)
{
    static char out[PROXY_PROTOCOL_PUT_MAX];
    net_addr_t a, b;
    cr_assert(net_parse(str_of(client), 1, &a) && net_parse(str_of(server), 1, &b));
    return str_make(out, proxy_protocol_put(out, version, &a, &b));
}

static void puts_out(unsigned version, const char *client, const char *server, str_t expected)
{
    str_t got = put(version, client, server);
    cr_expect(str_eq(got, expected), "%u %s %s: %zu bytes", version, client, server, got.n);
}

Test(proxy_protocol, writes_headers)
{
    puts_out(1, "192.168.0.1:56324", "192.168.0.11:443",
             STR("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"));
    puts_out(1, "[2001:db8::1]:1", "[::1]:2", STR("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"));
    puts_out(1, "1.2.3.4:1", "[::1]:2", STR("PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n"));
    puts_out(1, "unix:/x", "1.2.3.4:2", STR("PROXY UNKNOWN\r\n"));
    puts_out(2, "1.2.3.4:80", "5.6.7.8:443",
             STR(SIGNATURE "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"));
    puts_out(2, "unix:/x", "1.2.3.4:2", STR(SIGNATURE "\x21\x00\x00\x00"));
}

Test(proxy_protocol, writes_what_it_reads)
{
    const char *longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    for (unsigned version = 1; version <= 2; version++) {
        str_t out = put(version, longest, longest);
        char expected[256];
        snprintf(expected, sizeof(expected), "OK %zu %s %s", out.n, longest, longest);
        cr_expect(out.n <= PROXY_PROTOCOL_PUT_MAX);
        cr_expect_str_eq(parsed(out), expected);
    }
}
