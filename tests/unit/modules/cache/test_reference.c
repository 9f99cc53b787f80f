#include <criterion/criterion.h>

#include "modules/cache/reference.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(reference, .init = tables_begin, .fini = tables_end);

/* Under http://a/b/c/d;p?q, the base of RFC 3986 5.4. path NULL: refused. */
static const struct {
    const char *rfc, *reference, *scheme, *host, *path;
} rows[] = {
    {"3986 5.4.1", "g", "http", "a", "/b/c/g"},
    {"3986 5.4.1", "./g", "http", "a", "/b/c/g"},
    {"3986 5.4.1", "g/", "http", "a", "/b/c/g/"},
    {"3986 5.4.1", "/g", "http", "a", "/g"},
    {"3986 5.4.1", "//g", "http", "g", "/"},
    {"3986 5.4.1", "?y", "http", "a", "/b/c/d;p?y"},
    {"3986 5.4.1", "g?y", "http", "a", "/b/c/g?y"},
    {"3986 5.4.1", "#s", "http", "a", "/b/c/d;p?q"},
    {"3986 5.4.1", "g#s", "http", "a", "/b/c/g"},
    {"3986 5.4.1", "g?y#s", "http", "a", "/b/c/g?y"},
    {"3986 5.4.1", ";x", "http", "a", "/b/c/;x"},
    {"3986 5.4.1", "g;x?y#s", "http", "a", "/b/c/g;x?y"},
    {"3986 5.4.1", "", "http", "a", "/b/c/d;p?q"},
    {"3986 5.4.1", ".", "http", "a", "/b/c/"},
    {"3986 5.4.1", "./", "http", "a", "/b/c/"},
    {"3986 5.4.1", "..", "http", "a", "/b/"},
    {"3986 5.4.1", "../g", "http", "a", "/b/g"},
    {"3986 5.4.1", "../..", "http", "a", "/"},
    {"3986 5.4.1", "../../g", "http", "a", "/g"},
    {"3986 5.4.2", "../../../g", "http", "a", "/g"},
    {"3986 5.4.2", "/./g", "http", "a", "/g"},
    {"3986 5.4.2", "/../g", "http", "a", "/g"},
    {"3986 5.4.2", "g.", "http", "a", "/b/c/g."},
    {"3986 5.4.2", "..g", "http", "a", "/b/c/..g"},
    {"3986 5.4.2", "./g/.", "http", "a", "/b/c/g/"},
    {"3986 5.4.2", "g/../h", "http", "a", "/b/c/h"},
    {"3986 5.4.2", "g;x=1/../y", "http", "a", "/b/c/y"},
    {"3986 5.4.2", "g?y/../x", "http", "a", "/b/c/g?y/../x"},
    {"3986 5.4.1", "g:h", NULL, NULL, NULL},
    {"9110 4.2.2", "HTTPS://B:8443/x?y#z", "https", "B:8443", "/x?y"},
    {"9110 4.2.1", "http://b?y", "http", "b", "/?y"},
    {"9110 4.2.1", "http:///x", NULL, NULL, NULL},
    {"9110 4.2.1", "http:x", NULL, NULL, NULL},
    {"9110 4.2.4", "http://u@b/x", NULL, NULL, NULL},
    {"3986 3.2.3", "http://b:99999/x", NULL, NULL, NULL},
    {"3986 2", "/a b", NULL, NULL, NULL},
    {"3986 4.2", "//b/x", "http", "b", "/x"},
    {"3986 3.1", "mailto:x", NULL, NULL, NULL},
};

static const reference_target_t base = {STR_INIT("http"), STR_INIT("a"), STR_INIT("/b/c/d;p?q")};

Test(reference, resolves_as_rfc_3986)
{
    for (size_t i = 0; i < ROWS(rows); i++) {
        reference_target_t t;
        bool ok = reference_resolve(tables_pool, &base, str_of(rows[i].reference), &t);
        cr_expect_eq(ok, rows[i].path != NULL, "RFC %s: %s", rows[i].rfc, rows[i].reference);
        if (!ok || !rows[i].path) continue;
        cr_expect(str_eq(t.scheme, str_of(rows[i].scheme)) &&
                      str_eq(t.host, str_of(rows[i].host)) && str_eq(t.path, str_of(rows[i].path)),
                  "RFC %s: %s: " STR_FMT "://" STR_FMT STR_FMT, rows[i].rfc, rows[i].reference,
                  STR_ARG(t.scheme), STR_ARG(t.host), STR_ARG(t.path));
    }
}
