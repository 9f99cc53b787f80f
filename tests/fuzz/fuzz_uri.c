/*
 * Request targets: splitting loses nothing, a normalised path has no dot segments, no escape and
 * (when merged) no double slash, and normalising it again changes nothing unless a "%" was decoded;
 * what is escaped comes back; a host that splits is rebuilt from its parts.
 */
#include <stdlib.h>

#include "http/uri.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

static bool has(str_t s, str_t needle)
{
    return str_search(s, needle) < s.n;
}

static void require_normal(str_t path, bool merge)
{
    REQUIRE(path.n && path.p[0] == '/' && str_find(path, 0, '\0') == path.n);
    REQUIRE(!has(path, STR("/./")) && !has(path, STR("/../")));
    REQUIRE(!str_ends(path, STR("/.")) && !str_ends(path, STR("/..")));
    REQUIRE(!merge || !has(path, STR("//")));
}

static void check_normalise(pool_t *pool, str_t path, bool merge)
{
    str_t once, twice;
    if (!uri_normalise(pool, path, merge, &once) || str_eq(path, STR("*"))) return;
    REQUIRE(once.n <= path.n);
    require_normal(once, merge);
    if (str_find(once, 0, '%') < once.n) return;
    REQUIRE(uri_normalise(pool, once, merge, &twice));
    REQUIRE(twice.p == once.p && twice.n == once.n);
    str_t raw = uri_escape(pool, once, URI_ESCAPE_PATH);
    REQUIRE(uri_normalise(pool, raw, merge, &twice) && str_eq(once, twice));
}

static void check_escapes(pool_t *pool, str_t s)
{
    for (int set = URI_ESCAPE_PATH; set <= URI_ESCAPE_COMPONENT; set++) {
        str_t escaped = uri_escape(pool, s, (uri_escape_t)set);
        REQUIRE(str_eq(uri_unescape(pool, escaped), s));
    }
    REQUIRE(uri_unescape(pool, s).n <= s.n);
}

static void check_host(str_t s)
{
    str_t host;
    uint16_t port;
    if (!uri_split_host(s, &host, &port)) return;
    REQUIRE(host.n && host.p == s.p && (host.n == s.n || s.p[host.n] == ':'));
    REQUIRE(str_find(host, 0, '@') == host.n && str_find(host, 0, '/') == host.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str_t target = str_make((const char *)data, size);
    pool_t *pool = pool_create();
    uri_t uri;
    check_escapes(pool, target);
    check_host(target);
    if (uri_split(target, &uri)) {
        REQUIRE(uri.path.n && (uri.path.p[0] == '/' || str_eq(uri.path, STR("*"))));
        REQUIRE(!uri.scheme.p || uri.authority.n);
        check_normalise(pool, uri.path, true);
        check_normalise(pool, uri.path, false);
        if (uri.authority.p) check_host(uri.authority);
        str_t value = uri_arg(uri.args, STR("a"));
        REQUIRE(!value.p || (value.p >= uri.args.p && value.n <= uri.args.n));
    }
    pool_destroy(pool);
    return 0;
}
