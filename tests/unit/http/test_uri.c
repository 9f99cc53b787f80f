#include <criterion/criterion.h>

#include "http/uri.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool same(str_t s, const char *z)
{
    return z ? s.p && str_eq(s, str_of(z)) : !s.p;
}

Test(uri, splits_targets)
{
    static const struct {
        const char *target, *scheme, *authority, *path, *args, *why;
    } rows[] = {
        {"/", NULL, NULL, "/", NULL, "RFC 9112 3.2.1"},
        {"/a/b?c=d", NULL, NULL, "/a/b", "c=d", "3.2.1"},
        {"/a?", NULL, NULL, "/a", "", "3.2.1: an empty query is there"},
        {"/a?b?c", NULL, NULL, "/a", "b?c", "3.2.1: the first ?"},
        {"//host/x", NULL, NULL, "//host/x", NULL, "3.2.1: never a network-path reference"},
        {"/http://a/", NULL, NULL, "/http://a/", NULL, "3.2.1"},
        {"*", NULL, NULL, "*", NULL, "3.2.4"},
        {"http://example.com/a?b", "http", "example.com", "/a", "b", "3.2.2"},
        {"HTTPS://example.com:443", "HTTPS", "example.com:443", "/", NULL, "3.2.2: no path"},
        {"http://example.com?q", "http", "example.com", "/", "q", "3.2.2: no path"},
        {"http://[::1]:8/", "http", "[::1]:8", "/", NULL, "3.2.2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uri_t uri;
        cr_assert(uri_split(str_of(rows[i].target), &uri), "%s", rows[i].target);
        cr_expect(same(uri.scheme, rows[i].scheme), "%s: %s", rows[i].target, rows[i].why);
        cr_expect(same(uri.authority, rows[i].authority), "%s: %s", rows[i].target, rows[i].why);
        cr_expect(same(uri.path, rows[i].path), "%s: %s", rows[i].target, rows[i].why);
        cr_expect(same(uri.args, rows[i].args), "%s: %s", rows[i].target, rows[i].why);
    }
}

Test(uri, refuses_other_targets)
{
    static const char *const rows[] = {
        "", "a", "a/b", "*a", "*?x", "?x", "ftp://a/", "http:/a", "http:a", "http://", "http:///x",
        "http://?x", "example.com:80", "javascript:x", "https:/", "http://a#b", "http://a#/",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uri_t uri;
        cr_expect(!uri_split(str_of(rows[i]), &uri), "%s", rows[i]);
    }
}

static const struct {
    const char *path;
    bool merge;
    const char *out; /* NULL: refused */
    const char *why;
} paths[] = {
    {"/", true, "/", "RFC 3986 5.2.4"},
    {"/a/b/c", true, "/a/b/c", "5.2.4"},
    {"/a/b/c/./../../g", true, "/a/g", "5.2.4: its own example"},
    {"/mid/content=5/../6", true, "/mid/6", "5.2.4: its own example"},
    {"/./", true, "/", "5.2.4"},
    {"/.", true, "/", "5.2.4: trailing ."},
    {"/a/.", true, "/a/", "5.2.4: trailing ."},
    {"/a/..", true, "/", "5.2.4: trailing .."},
    {"/a/b/..", true, "/a/", "5.2.4: trailing .."},
    {"/a/./b", true, "/a/b", "5.2.4"},
    {"/a/../b", true, "/b", "5.2.4"},
    {"/a/../../b", true, NULL, "above the root"},
    {"/..", true, NULL, "above the root"},
    {"/../", true, NULL, "above the root"},
    {"/../a", true, NULL, "above the root"},
    {"/./..", true, NULL, "above the root"},
    {"//..", true, NULL, "above the root: the slashes are one"},
    {"//..", false, "/", "5.2.4: an empty segment is one"},
    {"/...", true, "/...", "three dots are a name"},
    {"/.a/..b/c..", true, "/.a/..b/c..", "dots in names"},
    {"/.well-known/x", true, "/.well-known/x", "dots in names"},
    {"/a/.../b", true, "/a/.../b", "three dots are a name"},
    {"//a///b//", true, "/a/b/", "merge_slashes"},
    {"//a///b//", false, "//a///b//", "merge_slashes off"},
    {"/a//../b", true, "/b", "slashes merge first, as in nginx"},
    {"/a//../b", false, "/a/b", "5.2.4: an empty segment is one"},
    {"/a/..//b", false, "//b", "5.2.4"},
    {"/a//./b", false, "/a//b", "5.2.4"},
    {"/a/./.", true, "/a/", "5.2.4"},
    {"/%41%5a%61", true, "/AZa", "2.1"},
    {"/a%2Fb", true, "/a/b", "%2F parts segments, as in nginx"},
    {"/a%2f%2Fb", true, "/a/b", "%2F parts segments, as in nginx"},
    {"/a/%2e%2E/b", true, "/b", "6.2.2.2: an escaped dot is a dot"},
    {"/a/%2e", true, "/a/", "6.2.2.2"},
    {"/a/.%2e/b", true, "/b", "6.2.2.2"},
    {"/%2e%2e/b", true, NULL, "above the root"},
    {"/%2e%2e%2fb", true, NULL, "above the root"},
    {"/a%2f..%2f..%2fb", true, NULL, "above the root"},
    {"/%252e%252e/b", true, "/%2e%2e/b", "2.4: decoded once"},
    {"/%25", true, "/%", "2.4"},
    {"/a%3Fb%23c", true, "/a?b#c", "escaped delimiters are part of the path"},
    {"/a%20b+c", true, "/a b+c", "+ is no space in a path"},
    {"/%C3%A9", true, "/\xc3\xa9", "2.1"},
    {"/\xc3\xa9", true, "/\xc3\xa9", "raw bytes stay"},
    {"/%0d%0a", true, "/\r\n", "2.1"},
    {"/%", true, NULL, "2.1: malformed"},
    {"/%4", true, NULL, "2.1: malformed"},
    {"/%4g", true, NULL, "2.1: malformed"},
    {"/%g4/", true, NULL, "2.1: malformed"},
    {"/%%41", true, NULL, "2.1: malformed"},
    {"/%-1", true, NULL, "2.1: malformed"},
    {"/a%00b", true, NULL, "NUL"},
    {"*", true, "*", "RFC 9112 3.2.4"},
    {"", true, NULL, "no path"},
    {"a/b", true, NULL, "no path"},
    {"%2Fa", true, NULL, "no path"},
};

Test(uri, normalises)
{
    pool_t *pool = pool_create();
    for (size_t i = 0; i < COUNT(paths); i++) {
        str_t out;
        bool ok = uri_normalise(pool, str_of(paths[i].path), paths[i].merge, &out);
        cr_expect_eq(ok, paths[i].out != NULL, "%s: %s", paths[i].path, paths[i].why);
        if (ok && paths[i].out)
            cr_expect(same(out, paths[i].out), "%s gave " STR_FMT ": %s", paths[i].path,
                      STR_ARG(out), paths[i].why);
    }
    str_t out;
    cr_expect(!uri_normalise(pool, STR("/a\0b"), true, &out), "a raw NUL");
    pool_destroy(pool);
}

Test(uri, copies_only_what_changes)
{
    static const char *const rows[] = {"/", "/a/b.c/d..e/.f/...", "/a/", "/\xff", "*"};
    pool_t *pool = pool_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_t path = str_of(rows[i]), out;
        cr_assert(uri_normalise(pool, path, true, &out));
        cr_expect(out.p == path.p && out.n == path.n, "%s", rows[i]);
    }
    str_t path = STR("//a"), out;
    cr_assert(uri_normalise(pool, path, false, &out));
    cr_expect(out.p == path.p);
    pool_destroy(pool);
}

Test(uri, escapes)
{
    static const struct {
        const char *in;
        uri_escape_t set;
        const char *out;
    } rows[] = {
        {"/a b", URI_ESCAPE_PATH, "/a%20b"},
        {"/a?b#c%d", URI_ESCAPE_PATH, "/a%3Fb%23c%25d"},
        {"/a:@!$&'()*+,;=-._~", URI_ESCAPE_PATH, "/a:@!$&'()*+,;=-._~"},
        {"/\r\n\t\x7f\xc3\xa9", URI_ESCAPE_PATH, "/%0D%0A%09%7F%C3%A9"},
        {"/\"<>\\^`{|}", URI_ESCAPE_PATH, "/%22%3C%3E%5C%5E%60%7B%7C%7D"},
        {"a&b=c+d;e/f?g", URI_ESCAPE_ARGS, "a%26b=c%2Bd%3Be/f%3Fg"},
        {"azAZ09-._~", URI_ESCAPE_COMPONENT, "azAZ09-._~"},
        {":/?#[]@!$&'()*+,;=", URI_ESCAPE_COMPONENT,
         "%3A%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D"},
    };
    pool_t *pool = pool_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_t out = uri_escape(pool, str_of(rows[i].in), rows[i].set);
        cr_expect(same(out, rows[i].out), "%s gave " STR_FMT, rows[i].in, STR_ARG(out));
    }
    str_t plain = STR("/plain/path");
    cr_expect(uri_escape(pool, plain, URI_ESCAPE_PATH).p == plain.p);
    pool_destroy(pool);
}

/* RFC 3986 2.1: what was escaped comes back, for every byte and set. */
Test(uri, unescapes_what_it_escaped)
{
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    str_t s = str_make(all, sizeof(all));
    pool_t *pool = pool_create();
    for (int set = URI_ESCAPE_PATH; set <= URI_ESCAPE_COMPONENT; set++) {
        str_t escaped = uri_escape(pool, s, (uri_escape_t)set);
        cr_expect(str_eq(uri_unescape(pool, escaped), s));
    }
    pool_destroy(pool);
}

Test(uri, unescapes)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},         {"abc", "abc"},     {"%41%42", "AB"},      {"a%20b", "a b"}, {"%", "%"},
        {"%4", "%4"},     {"%zz", "%zz"},     {"%%41", "%A"},        {"a+b", "a+b"},
        {"%4%", "%4%"},
        {"x%2", "x%2"},   {"%c3%A9", "\xc3\xa9"},
    };
    pool_t *pool = pool_create();
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_t out = uri_unescape(pool, str_of(rows[i].in));
        cr_expect(same(out, rows[i].out), "%s gave " STR_FMT, rows[i].in, STR_ARG(out));
    }
    pool_destroy(pool);
}

Test(uri, finds_arguments)
{
    static const struct {
        const char *args, *name, *value;
    } rows[] = {
        {"a=1&b=2", "a", "1"},     {"a=1&b=2", "b", "2"},    {"a=1&b=2", "c", NULL},
        {"A=1", "a", "1"},         {"a=1&a=2", "a", "1"},    {"aa=1&a=2", "a", "2"},
        {"a&a=2", "a", "2"},       {"a", "a", NULL},         {"a=", "a", ""},
        {"a=&b", "a", ""},         {"b=a=1", "a", NULL},     {"&&a=x", "a", "x"},
        {"a=b=c", "a", "b=c"},     {"", "a", NULL},          {"a=%31", "a", "%31"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(same(uri_arg(str_of(rows[i].args), str_of(rows[i].name)), rows[i].value),
                  "%s of %s", rows[i].name, rows[i].args);
    cr_expect(!uri_arg((str_t){NULL, 0}, STR("a")).p);
}

Test(uri, splits_hosts)
{
    static const struct {
        const char *in, *host;
        uint16_t port;
        const char *why;
    } rows[] = {
        {"example.com", "example.com", 0, "RFC 3986 3.2.2: reg-name"},
        {"example.com.", "example.com.", 0, "3.2.2"},
        {"EXAMPLE.com:8080", "EXAMPLE.com", 8080, "3.2.3"},
        {"example.com:", "example.com", 0, "3.2.3: an empty port"},
        {"a_b-c~d", "a_b-c~d", 0, "3.2.2: unreserved"},
        {"a!$&'()*+;=", "a!$&'()*+;=", 0, "3.2.2: sub-delims"},
        {"a%C3%A9", "a%C3%A9", 0, "3.2.2: pct-encoded"},
        {"127.0.0.1:0", "127.0.0.1", 0, "3.2.2: IPv4address"},
        {"a:65535", "a", 65535, "3.2.3"},
        {"a:00080", "a", 80, "3.2.3: *DIGIT"},
        {"[::1]", "[::1]", 0, "3.2.2: IP-literal"},
        {"[2001:db8::7]:443", "[2001:db8::7]", 443, "3.2.2: IP-literal"},
        {"[::ffff:192.0.2.1]:", "[::ffff:192.0.2.1]", 0, "3.2.2: IP-literal"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_t host;
        uint16_t port = 1;
        cr_assert(uri_split_host(str_of(rows[i].in), &host, &port), "%s", rows[i].in);
        cr_expect(same(host, rows[i].host), "%s: %s", rows[i].in, rows[i].why);
        cr_expect_eq(port, rows[i].port, "%s: %s", rows[i].in, rows[i].why);
    }
}

Test(uri, refuses_hosts)
{
    static const struct {
        str_t in;
        const char *why;
    } rows[] = {
        {STR_INIT(""), "RFC 9110 4.2.1: empty host"},
        {STR_INIT(":80"), "4.2.1: empty host"},
        {STR_INIT("a:65536"), "port"},
        {STR_INIT("a:-1"), "port"},
        {STR_INIT("a:+1"), "port"},
        {STR_INIT("a: 1"), "port"},
        {STR_INIT("a:8o"), "port"},
        {STR_INIT("a:99999999999999999999999"), "port"},
        {STR_INIT("a:1:2"), "port"},
        {STR_INIT("::1"), "RFC 3986 3.2.2: brackets"},
        {STR_INIT("[::1"), "3.2.2: brackets"},
        {STR_INIT("::1]"), "3.2.2: brackets"},
        {STR_INIT("[]"), "3.2.2"},
        {STR_INIT("[::1]x"), "3.2.2"},
        {STR_INIT("[::1]80"), "3.2.2"},
        {STR_INIT("[::1%25eth0]"), "3.2.2: zones are local"},
        {STR_INIT("[127.0.0.1]"), "3.2.2"},
        {STR_INIT("[::1\0]"), "3.2.2: NUL"},
        {STR_INIT("[1:2:3:4:5:6:7:8:9]"), "3.2.2"},
        {STR_INIT("[v1.x]"), "IPvFuture is refused"},
        {STR_INIT("user@example.com"), "RFC 9110 4.2.4: userinfo"},
        {STR_INIT("a/b"), "3.2.2"},
        {STR_INIT("a?b"), "3.2.2"},
        {STR_INIT("a#b"), "3.2.2"},
        {STR_INIT("a\\b"), "3.2.2"},
        {STR_INIT("a b"), "3.2.2"},
        {STR_INIT("a\tb"), "3.2.2"},
        {STR_INIT("a\0b"), "3.2.2: NUL"},
        {STR_INIT("a\x80"), "3.2.2: raw bytes"},
        {STR_INIT("a,b"), "two hosts joined"},
        {STR_INIT(".."), "leads up in a path"},
        {STR_INIT("..."), "leads up in a path"},
        {STR_INIT("a..b"), "RFC 1035 2.3.1: an empty label"},
        {STR_INIT("a..:80"), "RFC 1035 2.3.1: an empty label"},
        {STR_INIT("a\"b"), "3.2.2"},
        {STR_INIT("<a>"), "3.2.2"},
        {STR_INIT("a%2"), "RFC 3986 2.1"},
        {STR_INIT("a%zz"), "RFC 3986 2.1"},
        {STR_INIT("a%00b"), "an escaped control"},
        {STR_INIT("a%0db"), "an escaped control"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        str_t host;
        uint16_t port;
        cr_expect(!uri_split_host(rows[i].in, &host, &port), "%zu: %s", i, rows[i].why);
    }
}
