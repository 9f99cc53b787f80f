#include "core/io/net.h"

#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <unistd.h>

static void check_text(str_t in, const char *with_port, const char *without)
{
    net_addr_t a;
    char out[NET_TEXT_MAX];
    cr_assert(net_parse(in, 80, &a), STR_FMT, STR_ARG(in));
    cr_expect_eq(net_format(&a, true, out), strlen(with_port));
    cr_expect_str_eq(out, with_port);
    cr_expect_eq(net_format(&a, false, out), strlen(without));
    cr_expect_str_eq(out, without);
}

Test(net, parses_and_formats_literals)
{
    check_text(STR("1.2.3.4"), "1.2.3.4:80", "1.2.3.4");
    check_text(STR("255.255.255.255:65535"), "255.255.255.255:65535", "255.255.255.255");
    check_text(STR("[::1]"), "[::1]:80", "::1");
    check_text(STR("[::1]:443"), "[::1]:443", "::1");
    check_text(STR("::1"), "[::1]:80", "::1");
    check_text(STR("::"), "[::]:80", "::");
    check_text(STR("2001:DB8:0:0:0:0:0:1"), "[2001:db8::1]:80", "2001:db8::1");
    check_text(STR("::ffff:192.0.2.1"), "[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1");
    check_text(STR("unix:/run/a.sock"), "unix:/run/a.sock", "unix:/run/a.sock");
}

Test(net, refuses_what_is_no_literal)
{
    static const str_t bad[] = {
        STR_INIT(""), STR_INIT(":"), STR_INIT(":80"), STR_INIT("localhost"),
        STR_INIT("localhost:80"), STR_INIT("1.2.3"), STR_INIT("1.2.3.4.5"), STR_INIT("1.2.3.256"),
        STR_INIT("01.2.3.4"), STR_INIT("1.2.3.4 "), STR_INIT(" 1.2.3.4"), STR_INIT("1.2.3.4x"),
        STR_INIT("1.2.3.4:"), STR_INIT("1.2.3.4:0"), STR_INIT("1.2.3.4:65536"),
        STR_INIT("1.2.3.4:80x"), STR_INIT("1.2.3.4:-1"), STR_INIT("1.2.3.4:+1"),
        STR_INIT("1.2.3.4:99999999999999999999"), STR_INIT("1.2.3.4/8"), STR_INIT("1.2.3.4\0"),
        STR_INIT("["), STR_INIT("[]"), STR_INIT("[::1"), STR_INIT("[::1]x"), STR_INIT("[::1]:"),
        STR_INIT("[::1]:0"), STR_INIT("[::1]:65536"), STR_INIT("[::1]80"), STR_INIT("[1.2.3.4]:80"),
        STR_INIT("::1]"), STR_INIT(":::"), STR_INIT("1::2::3"), STR_INIT("[fe80::1%lo]"),
        STR_INIT("12345::1"), STR_INIT("[::1\0]"), STR_INIT("unix:"), STR_INIT("unix:/a\0b"),
        STR_INIT("*:80"), STR_INIT("2001:db8:1:2:3:4:5:6:7"),
        STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        net_addr_t a;
        cr_expect_not(net_parse(bad[i], 80, &a), STR_FMT, STR_ARG(bad[i]));
    }
}

Test(net, bounds_the_unix_path)
{
    char text[5 + 108];
    net_addr_t a;
    memset(text, 'p', sizeof(text));
    memcpy(text, "unix:", 5);
    cr_expect_not(net_parse(str_make(text, sizeof(text)), 0, &a));
    cr_assert(net_parse(str_make(text, sizeof(text) - 1), 0, &a));

    char out[NET_TEXT_MAX];
    cr_expect_eq(net_format(&a, true, out), sizeof(text) - 1);
    cr_expect_eq(memcmp(out, text, sizeof(text) - 1), 0);
}

Test(net, formats_nothing_for_no_address)
{
    char out[NET_TEXT_MAX] = "x";
    cr_expect_eq(net_format(&(net_addr_t){0}, true, out), 0);
    cr_expect_str_eq(out, "");
}

Test(net, ports)
{
    net_addr_t v4, v6, un;
    cr_assert(net_parse(STR("1.2.3.4"), 8080, &v4));
    cr_assert(net_parse(STR("::1"), 8080, &v6));
    cr_assert(net_parse(STR("unix:/x"), 8080, &un));
    cr_expect_eq(net_port(&v4), 8080);
    cr_expect_eq(v4.in.sin_port, htons(8080));
    cr_expect_eq(net_port(&v6), 8080);
    cr_expect_eq(net_port(&un), 0);
    net_set_port(&v4, 1);
    net_set_port(&v6, 2);
    net_set_port(&un, 3);
    cr_expect_eq(net_port(&v4), 1);
    cr_expect_eq(net_port(&v6), 2);
    cr_expect_eq(net_port(&un), 0);
}

static bool same(const char *x, const char *y)
{
    net_addr_t a, b;
    cr_assert(net_parse(str_of(x), 80, &a));
    cr_assert(net_parse(str_of(y), 80, &b));
    return net_eq(&a, &b) && net_eq(&b, &a);
}

Test(net, compares)
{
    cr_expect(same("1.2.3.4", "1.2.3.4:80"));
    cr_expect_not(same("1.2.3.4", "1.2.3.4:81"));
    cr_expect_not(same("1.2.3.4", "1.2.3.5"));
    cr_expect(same("::1", "[0:0::1]:80"));
    cr_expect_not(same("::1", "::2"));
    cr_expect_not(same("::ffff:1.2.3.4", "1.2.3.4"));
    cr_expect(same("unix:/a", "unix:/a"));
    cr_expect_not(same("unix:/a", "unix:/ab"));
    net_addr_t none = {0}, a;
    cr_assert(net_parse(STR("1.2.3.4"), 80, &a));
    cr_expect(net_eq(&none, &none));
    cr_expect_not(net_eq(&none, &a));
}

Test(net, gives_raw_bytes)
{
    net_addr_t a;
    cr_assert(net_parse(STR("1.2.3.255"), 80, &a));
    cr_expect(str_eq(net_bytes(&a), STR("\1\2\3\377")));
    cr_assert(net_parse(STR("::1"), 80, &a));
    cr_expect(str_eq(net_bytes(&a), STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")));
    cr_assert(net_parse(STR("unix:/x"), 80, &a));
    cr_expect_eq(net_bytes(&a).n, 0);
}

Test(net, tells_the_local_address)
{
    net_addr_t want, got;
    cr_assert(net_parse(STR("127.0.0.1"), 0, &want));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, &want.sa, want.len), 0);
    cr_assert(net_local(fd, &got));
    cr_expect_neq(net_port(&got), 0);
    net_set_port(&want, net_port(&got));
    cr_expect(net_eq(&want, &got));
    close(fd);
    cr_expect_not(net_local(fd, &got));
    cr_expect_eq(got.len, 0);
}

Test(net, names_an_unbound_unix_socket)
{
    net_addr_t got;
    char out[NET_TEXT_MAX];
    int fd[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    cr_assert(net_local(fd[0], &got));
    net_format(&got, true, out);
    cr_expect_str_eq(out, "unix:");
    net_nodelay(fd[0]);
    close(fd[0]);
    close(fd[1]);
}

Test(net, sets_nodelay)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 0;
    socklen_t len = sizeof(on);
    net_nodelay(fd);
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    cr_expect_neq(on, 0);
    close(fd);
}
