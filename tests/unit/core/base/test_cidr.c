#include "core/base/cidr.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>

static cidr_t parse(const char *text)
{
    cidr_t c = {0};
    cr_assert(cidr_parse(str_of(text), &c, NULL), "%s", text);
    return c;
}

static str_t bytes_of(const char *text, unsigned char out[16])
{
    bool v4 = !strchr(text, ':');
    cr_assert_eq(inet_pton(v4 ? AF_INET : AF_INET6, text, out), 1);
    return str_make((char *)out, v4 ? 4 : 16);
}

static void expect_parsed(const char *text, const char *address, unsigned bits, bool want_exact)
{
    unsigned char raw[16];
    bool exact = !want_exact;
    cidr_t c;
    cr_assert(cidr_parse(str_of(text), &c, &exact), "%s", text);
    cr_expect(str_eq(str_make((char *)c.bytes, c.size), bytes_of(address, raw)), "%s", text);
    cr_expect_eq(c.bits, bits);
    cr_expect_eq(exact, want_exact, "%s", text);
}

Test(cidr, parses_prefixes)
{
    expect_parsed("10.0.0.0/8", "10.0.0.0", 8, true);
    expect_parsed("10.1.2.3/8", "10.0.0.0", 8, false);
    expect_parsed("192.0.2.1", "192.0.2.1", 32, true);
    expect_parsed("192.0.2.129/25", "192.0.2.128", 25, false);
    expect_parsed("255.255.255.255/31", "255.255.255.254", 31, false);
    expect_parsed("0.0.0.0/0", "0.0.0.0", 0, true);
    expect_parsed("1.2.3.4/0", "0.0.0.0", 0, false);
    expect_parsed("2001:db8::/32", "2001:db8::", 32, true);
    expect_parsed("2001:db8:ffff::1/33", "2001:db8:8000::", 33, false);
    expect_parsed("::1", "::1", 128, true);
    expect_parsed("::/0", "::", 0, true);
    expect_parsed("::ffff:10.0.0.0/104", "::ffff:10.0.0.0", 104, true);
}

Test(cidr, refuses_other_texts)
{
    static const str_t bad[] = {
        STR_INIT(""), STR_INIT("/"), STR_INIT("/8"), STR_INIT("10/8"), STR_INIT("10.0.0.0/"),
        STR_INIT("10.0.0.0/33"), STR_INIT("10.0.0.0/-1"), STR_INIT("10.0.0.0/8 "),
        STR_INIT("10.0.0.0/8/8"), STR_INIT("10.0.0.0/+8"), STR_INIT("10.0.0.0/x"),
        STR_INIT("10.0.0.0/255.0.0.0"), STR_INIT("10.0.0.256/8"), STR_INIT("::/129"),
        STR_INIT("::/99999999999999999999"), STR_INIT(":/8"), STR_INIT("1::2::3/8"),
        STR_INIT("[::1]/128"), STR_INIT("10.0.0.0\0/8"), STR_INIT("all"), STR_INIT("unix:"),
        STR_INIT("10.0.0.0/256"), STR_INIT("::1%lo/128"),
        STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8"),
    };
    cidr_t c;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(cidr_parse(bad[i], &c, NULL), STR_FMT, STR_ARG(bad[i]));
}

static bool contains(const char *prefix, const char *address)
{
    unsigned char raw[16];
    cidr_t c = parse(prefix);
    return cidr_contains(&c, bytes_of(address, raw));
}

Test(cidr, contains_its_addresses)
{
    cr_expect(contains("10.0.0.0/8", "10.255.255.255"));
    cr_expect_not(contains("10.0.0.0/8", "11.0.0.0"));
    cr_expect(contains("192.0.2.128/25", "192.0.2.128"));
    cr_expect_not(contains("192.0.2.128/25", "192.0.2.127"));
    cr_expect(contains("0.0.0.0/0", "255.255.255.255"));
    cr_expect_not(contains("0.0.0.0/0", "::"));
    cr_expect(contains("2001:db8::/32", "2001:db8:ffff::"));
    cr_expect_not(contains("::/0", "0.0.0.0"));
    cr_expect_not(cidr_contains(&(cidr_t){.size = 4}, STR("")));
}

static void add(cidr_tree_t *tree, const char *prefix, const char *value)
{
    cidr_t c = parse(prefix);
    cr_expect_null(cidr_add(tree, &c, (char *)value), "%s", prefix);
}

static const char *find(const cidr_tree_t *tree, const char *address)
{
    unsigned char raw[16];
    const char *value = cidr_find(tree, bytes_of(address, raw));
    return value ? value : "none";
}

Test(cidr, finds_the_longest_prefix)
{
    static const char *const prefixes[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3",
                                           "10.128.0.0/9", "192.0.2.0/24"};
    enum { N = sizeof(prefixes) / sizeof(prefixes[0]) };
    pool_t *pool = pool_create();
    for (size_t turn = 0; turn < N; turn++) { /* whatever comes first */
        cidr_tree_t *tree = cidr_new(pool);
        for (size_t i = 0; i < N; i++)
            add(tree, prefixes[(i + turn) % N], prefixes[(i + turn) % N]);
        cr_expect_str_eq(find(tree, "10.1.2.3"), "10.1.2.3");
        cr_expect_str_eq(find(tree, "10.1.2.4"), "10.1.2.0/24");
        cr_expect_str_eq(find(tree, "10.1.3.3"), "10.1.0.0/16");
        cr_expect_str_eq(find(tree, "10.2.0.0"), "10.0.0.0/8");
        cr_expect_str_eq(find(tree, "10.200.0.0"), "10.128.0.0/9");
        cr_expect_str_eq(find(tree, "192.0.2.255"), "192.0.2.0/24");
        cr_expect_str_eq(find(tree, "192.0.3.0"), "none"); /* a branch above is no match */
        cr_expect_str_eq(find(tree, "11.0.0.0"), "none");
        cr_expect_str_eq(find(tree, "::10.1.2.3"), "none");
    }
    pool_destroy(pool);
}

Test(cidr, keeps_the_families_apart)
{
    pool_t *pool = pool_create();
    cidr_tree_t *tree = cidr_new(pool);
    cr_expect_str_eq(find(tree, "1.2.3.4"), "none");
    cr_expect_str_eq(find(tree, "::1"), "none");
    add(tree, "0.0.0.0/0", "four");
    add(tree, "::/0", "six");
    add(tree, "::1", "one");
    cr_expect_str_eq(find(tree, "1.2.3.4"), "four");
    cr_expect_str_eq(find(tree, "::2"), "six");
    cr_expect_str_eq(find(tree, "::1"), "one");
    cr_expect_null(cidr_find(tree, STR("")));
    cr_expect_null(cidr_find(tree, STR("12345")));
    pool_destroy(pool);
}

Test(cidr, replaces_and_tells)
{
    pool_t *pool = pool_create();
    cidr_tree_t *tree = cidr_new(pool);
    cidr_t c = parse("10.0.0.0/8");
    char a[] = "a", b[] = "b";
    cr_expect_null(cidr_add(tree, &c, a));
    cr_expect_eq(cidr_add(tree, &c, b), a);
    cr_expect_str_eq(find(tree, "10.0.0.1"), "b");
    pool_destroy(pool);
}

/* Against the plain way, over pseudo-random prefixes that often share their beginnings. */
Test(cidr, agrees_with_a_linear_search)
{
    enum { N = 500, QUERIES = 5000 };
    static cidr_t prefixes[N];
    static int values[N];
    pool_t *pool = pool_create();
    cidr_tree_t *tree = cidr_new(pool);
    uint32_t state = 12345;
    for (int i = 0; i < N; i++) {
        state = state * 1664525 + 1013904223;
        uint32_t address = htonl((state >> 8) & 0x03070f1f);
        cidr_t c = {.size = 4, .bits = (uint8_t)(state % 33)};
        for (unsigned k = 0; k < c.bits; k++)
            c.bytes[k / 8] |= (unsigned char)(((unsigned char *)&address)[k / 8] & 0x80 >> k % 8);
        prefixes[i] = c;
        cidr_add(tree, &prefixes[i], &values[i]);
    }
    for (int q = 0; q < QUERIES; q++) {
        state = state * 1664525 + 1013904223;
        uint32_t address = htonl((state >> 8) & 0x03070f1f);
        str_t raw = str_make((char *)&address, 4);
        int best = -1;
        for (int i = 0; i < N; i++)
            if (cidr_contains(&prefixes[i], raw) &&
                (best < 0 || prefixes[i].bits >= prefixes[best].bits))
                best = i; /* of equal ones the last, which replaced the others */
        cr_assert_eq(cidr_find(tree, raw), best < 0 ? NULL : &values[best]);
    }
    pool_destroy(pool);
}
