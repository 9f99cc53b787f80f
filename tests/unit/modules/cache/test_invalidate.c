#include <criterion/criterion.h>

#include "modules/cache/invalidate.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(invalidate, .init = tables_begin, .fini = tables_end);

/* Of http://h/a; targets: the paths, each behind a space. */
static const struct {
    const char *rfc, *method;
    unsigned status;
    const char *response, *targets;
} rows[] = {
    {"9111 4.4", "POST", 200, "", " /a"},
    {"9111 4.4", "PUT", 204, "", " /a"},
    {"9111 4.4", "DELETE", 200, "", " /a"},
    {"9111 4.4", "PATCH", 200, "", " /a"},
    {"9111 4.4 unknown", "M-SEARCH", 200, "", " /a"},
    {"9111 4.4 unknown", "get", 200, "", " /a"},
    {"9111 4.4", "POST", 201, "", " /a"},
    {"9111 4.4", "POST", 303, "", " /a"},
    {"9111 4.4 errors", "POST", 400, "", ""},
    {"9111 4.4 errors", "POST", 500, "", ""},
    {"9111 4.4 errors", "DELETE", 404, "", ""},
    {"9111 4.4 interim", "POST", 100, "", ""},
    {"9110 9.2.1 safe", "GET", 200, "Location: /b", ""},
    {"9110 9.2.1 safe", "HEAD", 200, "", ""},
    {"9110 9.2.1 safe", "OPTIONS", 200, "", ""},
    {"9110 9.2.1 safe", "TRACE", 200, "", ""},
    {"9111 4.4", "POST", 201, "Location: /b", " /a /b"},
    {"9111 4.4", "POST", 201, "Content-Location: c?d", " /a /c?d"},
    {"9111 4.4", "POST", 201, "Content-Location: /c\nLocation: /b", " /a /b /c"},
    {"9111 4.4", "POST", 201, "Content-Location: /b\nLocation: /b", " /a /b"},
    {"9111 4.4", "POST", 201, "Location: /a", " /a"},
    {"9111 4.4", "POST", 201, "Location: http://h/b", " /a /b"},
    {"9110 4.3.1", "POST", 201, "Location: HTTP://H:80/b", " /a /b"},
    {"9111 4.4 other origin", "POST", 201, "Location: http://i/b", " /a"},
    {"9111 4.4 other origin", "POST", 201, "Location: https://h/b", " /a"},
    {"9111 4.4 other origin", "POST", 201, "Location: http://h:81/b", " /a"},
    {"9111 4.4 other origin", "POST", 201, "Location: //i/b\nContent-Location: /c", " /a /c"},
    {"9111 4.4 malformed", "POST", 201, "Location: ftp://h/b", " /a"},
};

Test(invalidate, obeys_rfc_9111)
{
    static const reference_target_t target = {STR_INIT("http"), STR_INIT("h"), STR_INIT("/a")};
    for (size_t i = 0; i < ROWS(rows); i++) {
        header_list_t response = tables_fields(rows[i].response);
        reference_target_t out[INVALIDATE_MAX];
        unsigned n = invalidate_targets(tables_pool, str_of(rows[i].method), &target,
                                        rows[i].status, &response, out);
        str_t got = STR("");
        for (unsigned k = 0; k < n; k++)
            got = pool_concat(tables_pool, got, pool_concat(tables_pool, STR(" "), out[k].path));
        cr_expect(str_eq(got, str_of(rows[i].targets)), "RFC %s: %s, %u, %s:" STR_FMT, rows[i].rfc,
                  rows[i].method, rows[i].status, rows[i].response, STR_ARG(got));
    }
}
