#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(geo, .fini = teardown);

static void geo(const char *source, const char *lines)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(
        pool_printf(pool, "geo %s $g { %s } server { listen 80; return 200 $g; }", source, lines)
            .p);
    pool_destroy(pool);
}

static void gives(const char *address, const char *want)
{
    const char *got = harness_get(h, "h", pool_printf(h->pool, "/?ip=%s", address).p);
    cr_assert_str_eq(got + 4, want, "%s: %s", address, got);
}

static void client_gives(const char *client, const char *forwarded, const char *want)
{
    str_t head = pool_printf(h->pool, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", forwarded);
    request_t *r = harness_request(h, head.p);
    cr_assert(net_parse(str_of(client), 1, &r->client));
    str_t got = var_get_named(r, STR("g"));
    cr_assert(str_eq(got, str_of(want)), "%s: " STR_FMT, client, STR_ARG(got));
}

static void fails(const char *lines, const char *message)
{
    geo("", lines);
    str_t errors = harness_errors(h);
    cr_assert(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, lines,
              STR_ARG(errors));
}

Test(geo, takes_the_longest_prefix)
{
    geo("$arg_ip",
        "default far; 10.0.0.0/8 ten; 10.1.0.0/16 one; 10.1.2.3 host; 2001:db8::/32 six;");
    gives("10.9.9.9", "ten");
    gives("10.1.9.9", "one");
    gives("10.1.2.3", "host");
    gives("11.0.0.0", "far");
    gives("2001:db8::1", "six");
    gives("2001:db9::1", "far");
    gives("::ffff:10.1.0.1", "one");
    gives("nonsense", "far");
    gives("", "far");
}

Test(geo, is_empty_without_a_default)
{
    geo("$arg_ip", "10.0.0.0/8 ten;");
    gives("11.0.0.1", "");
}

Test(geo, deletes_networks)
{
    geo("$arg_ip", "10.0.0.0/8 ten; 10.1.0.0/16 one; delete 10.1.0.0/16;");
    gives("10.1.0.1", "ten");
}

Test(geo, takes_ranges)
{
    geo("$arg_ip", "ranges; default d; 10.0.0.3-10.0.1.4 r; 0.0.0.0-0.0.0.0 zero;"
                   "255.255.255.254-255.255.255.255 end;");
    gives("10.0.0.2", "d");
    gives("10.0.0.3", "r");
    gives("10.0.0.255", "r");
    gives("10.0.1.4", "r");
    gives("10.0.1.5", "d");
    gives("0.0.0.0", "zero");
    gives("0.0.0.1", "d");
    gives("255.255.255.255", "end");
    geo("$arg_ip", "ranges; 0.0.0.0-255.255.255.255 all;");
    gives("128.0.0.1", "all");
}

#define NETS "default d; 1.0.0.0/8 one; 2.0.0.0/8 two; 9.0.0.0/8 nine; proxy 9.0.0.0/8;"

Test(geo, asks_proxies_for_the_client)
{
    geo("", NETS);
    client_gives("1.1.1.1", "", "one");
    client_gives("1.1.1.1", "X-Forwarded-For: 2.2.2.2\r\n", "one");
    client_gives("9.9.9.9", "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n", "two");
    client_gives("9.9.9.9", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 9.1.1.1\r\n", "nine");
    client_gives("9.9.9.9", "X-Forwarded-For: 1.1.1.1, nobody\r\n", "nine");
    client_gives("9.9.9.9", "", "nine");
    geo("", NETS "proxy_recursive;");
    client_gives("9.9.9.9", "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 9.1.1.1\r\n", "two");
    client_gives("9.9.9.9", "X-Forwarded-For: 9.2.2.2, 9.1.1.1\r\n", "nine");
}

Test(geo, says_what_is_wrong)
{
    fails("10.0.0.0/33 a;", "invalid network \"10.0.0.0/33\"");
    fails("a.b b;", "invalid network \"a.b\"");
    fails("proxy x;", "invalid network \"x\"");
    fails("ranges; 10.0.0.2-10.0.0.1 a;", "invalid range \"10.0.0.2-10.0.0.1\"");
    fails("ranges; 10.0.0.2 a;", "invalid range \"10.0.0.2\"");
    fails("10.0.0.1;", "invalid number of the geo parameters");
}
