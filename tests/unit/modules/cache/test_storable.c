#include <criterion/criterion.h>

#include "modules/cache/storable.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(storable, .init = tables_begin, .fini = tables_end);

static const struct {
    const char *rfc, *method, *request;
    unsigned status;
    const char *response;
    storable_t expected;
} rows[] = {
    {"9111 3", "GET", "", 200, "Cache-Control: max-age=60", STORABLE_YES},
    {"9111 3", "GET", "", 200, "Expires: $+60", STORABLE_YES},
    {"9111 3", "GET", "", 200, "Last-Modified: $-1000", STORABLE_YES},
    {"9111 3", "GET", "", 200, "ETag: \"a\"", STORABLE_YES},
    {"9111 3", "GET", "", 200, "X: y", STORABLE_USELESS},
    {"9111 3", "GET", "", 200, "Cache-Control: max-age=0", STORABLE_USELESS},
    {"9111 3", "GET", "", 200, "Cache-Control: max-age=0\nETag: \"a\"", STORABLE_YES},
    {"9111 5.2.2.4", "GET", "", 200, "Cache-Control: no-cache\nETag: \"a\"", STORABLE_YES},
    {"5861 3", "GET", "", 200, "Cache-Control: max-age=0, stale-while-revalidate=9", STORABLE_YES},
    {"5861 4", "GET", "", 200, "Cache-Control: max-age=0, stale-if-error=9", STORABLE_YES},
    /* method */
    {"9110 9.3.2", "HEAD", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9110 9.3.4", "PUT", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9110 9.3.5", "DELETE", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9110 9.3.7", "OPTIONS", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9111 3", "FOO", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9110 9.3.3", "POST", "", 200, "Cache-Control: max-age=60", STORABLE_METHOD},
    {"9110 9.3.3", "POST", "", 200, "Cache-Control: max-age=60\nContent-Location: /a/b?c",
     STORABLE_YES},
    {"9110 9.3.3", "POST", "", 200, "Expires: $+60\nContent-Location: http://h/a/b?c",
     STORABLE_YES},
    {"9110 9.3.3", "POST", "", 200, "Cache-Control: max-age=60\nContent-Location: /a/b",
     STORABLE_METHOD},
    {"9110 9.3.3", "POST", "", 200, "Cache-Control: max-age=60\nContent-Location: http://i/a/b?c",
     STORABLE_METHOD},
    {"9110 9.3.3", "POST", "", 200, "Last-Modified: $-1000\nContent-Location: /a/b?c",
     STORABLE_METHOD},
    /* status */
    {"9111 3 final", "GET", "", 100, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"9111 3 final", "GET", "", 102, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"9111 3 final", "GET", "", 103, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"9111 3", "GET", "", 299, "Cache-Control: max-age=60", STORABLE_YES},
    {"9111 3", "GET", "", 302, "Cache-Control: max-age=60", STORABLE_YES},
    {"9111 3", "GET", "", 400, "Cache-Control: max-age=60", STORABLE_YES},
    {"9111 3", "GET", "", 499, "Expires: $+60", STORABLE_YES},
    {"9111 3", "GET", "", 500, "Cache-Control: s-maxage=60", STORABLE_YES},
    {"9111 3", "GET", "", 599, "Cache-Control: max-age=60", STORABLE_YES},
    {"9111 3", "GET", "", 404, "Last-Modified: $-1000", STORABLE_YES},
    {"9111 3", "GET", "", 302, "Last-Modified: $-1000", STORABLE_UNMARKED},
    {"9111 3", "GET", "", 500, "ETag: \"a\"", STORABLE_UNMARKED},
    {"9111 3 public", "GET", "", 302, "Last-Modified: $-1000\nCache-Control: public", STORABLE_YES},
    {"9111 4.3.4", "GET", "", 304, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"6585 3", "GET", "", 428, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"6585 4", "GET", "", 429, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"6585 5", "GET", "", 431, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"6585 6", "GET", "", 511, "Cache-Control: max-age=60", STORABLE_STATUS},
    {"9111 5.2.2.3", "GET", "", 200, "Cache-Control: must-understand, max-age=60", STORABLE_YES},
    {"9111 5.2.2.3", "GET", "", 200, "Cache-Control: must-understand, no-store, max-age=60",
     STORABLE_YES},
    {"9111 5.2.2.3", "GET", "", 299, "Cache-Control: must-understand, no-store, max-age=60",
     STORABLE_STATUS},
    {"9111 5.2.2.3", "GET", "", 499, "Cache-Control: max-age=60, must-understand", STORABLE_STATUS},
    /* directives */
    {"9111 5.2.2.5", "GET", "", 200, "Cache-Control: no-store, max-age=60", STORABLE_NO_STORE},
    {"9111 5.2.2.5", "GET", "", 200, "Cache-Control: max-age=60\nCache-Control: NO-STORE",
     STORABLE_NO_STORE},
    {"9111 5.2.1.5", "GET", "Cache-Control: no-store", 200, "Cache-Control: max-age=60",
     STORABLE_NO_STORE},
    {"9111 5.2.1.5", "GET", "Cache-Control: no-store", 200,
     "Cache-Control: must-understand, max-age=60", STORABLE_NO_STORE},
    {"9111 5.2.1.4", "GET", "Cache-Control: no-cache", 200, "Cache-Control: max-age=60",
     STORABLE_YES},
    {"9111 5.2.2.7", "GET", "", 200, "Cache-Control: private, max-age=60", STORABLE_PRIVATE},
    {"9111 5.2.2.7", "GET", "", 200, "Cache-Control: private=\"set-cookie\", max-age=60",
     STORABLE_YES},
    {"9213 2.2", "GET", "", 200, "Cache-Control: no-store\nCDN-Cache-Control: max-age=60",
     STORABLE_YES},
    {"9213 2.2", "GET", "", 200, "Cache-Control: max-age=60\nCDN-Cache-Control: private",
     STORABLE_PRIVATE},
    {"9213 2.2", "GET", "", 200, "Cache-Control: no-store\nCDN-Cache-Control: max-age=60, &",
     STORABLE_NO_STORE},
    {"9111 3.5", "GET", "Authorization: x", 200, "Cache-Control: max-age=60",
     STORABLE_AUTHORIZATION},
    {"9111 3.5", "GET", "Authorization: x", 200, "Expires: $+60", STORABLE_AUTHORIZATION},
    {"9111 3.5", "GET", "Authorization: x", 200, "Cache-Control: max-age=60, public", STORABLE_YES},
    {"9111 3.5", "GET", "Authorization: x", 200, "Cache-Control: s-maxage=60", STORABLE_YES},
    {"9111 3.5", "GET", "Authorization: x", 200, "Cache-Control: max-age=60, must-revalidate",
     STORABLE_YES},
    {"9111 3.5", "GET", "Authorization: x", 200, "Cache-Control: max-age=60, proxy-revalidate",
     STORABLE_AUTHORIZATION},
    /* Vary */
    {"9111 4.1", "GET", "", 200, "Cache-Control: max-age=60\nVary: *", STORABLE_VARY},
    {"9111 4.1", "GET", "", 200, "Cache-Control: max-age=60\nVary: a, *, b", STORABLE_VARY},
    {"9111 4.1", "GET", "", 200, "Cache-Control: max-age=60\nVary: a\nVary: , *", STORABLE_VARY},
    {"9111 4.1", "GET", "", 200, "Cache-Control: max-age=60\nVary: Accept", STORABLE_YES},
    /* Set-Cookie */
    {"9111 7.3", "GET", "", 200, "Cache-Control: max-age=60\nSet-Cookie: a=b", STORABLE_YES},
    {"9111 7.3", "GET", "", 200, "Last-Modified: $-1000\nSet-Cookie: a=b", STORABLE_SET_COOKIE},
    /* parts */
    {"9111 3.3", "GET", "Range: bytes=0-4", 206,
     "Cache-Control: max-age=60\nContent-Range: bytes 0-4/10", STORABLE_YES},
    {"9111 3.3", "GET", "Range: bytes=0-4", 206, "Cache-Control: max-age=60", STORABLE_RANGE},
    {"9111 3.3", "GET", "Range: lines=0-4", 206,
     "Cache-Control: max-age=60\nContent-Range: lines 0-4/10", STORABLE_RANGE},
    {"9110 14.6", "GET", "Range: bytes=0-4,6-7", 206,
     "Cache-Control: max-age=60\nContent-Type: multipart/byteranges; boundary=x", STORABLE_RANGE},
};

static storable_t check(const char *method, const char *request, unsigned status,
                        const char *response, const storable_options_t *options)
{
    static const reference_target_t target = {STR_INIT("http"), STR_INIT("h"), STR_INIT("/a/b?c")};
    header_list_t asked = tables_fields(request), answered = tables_fields(response);
    cache_control_t asked_cc = tables_request(&asked), cc = tables_response(&answered);
    freshness_t f = freshness_of(status, &answered, &cc, NOW, NOW, &freshness_default);
    storable_request_t q = {parse_method(str_of(method)), &target, &asked, &asked_cc};
    storable_response_t a = {status, &answered, &cc, &f};
    return storable_check(tables_pool, &q, &a, options);
}

Test(storable, obeys_rfc_9111)
{
    storable_options_t none = {0};
    for (size_t i = 0; i < ROWS(rows); i++) {
        storable_t reason =
            check(rows[i].method, rows[i].request, rows[i].status, rows[i].response, &none);
        cr_expect_eq(reason, rows[i].expected, "RFC %s: %s, %u, %s: " STR_FMT, rows[i].rfc,
                     rows[i].method, rows[i].status, rows[i].response,
                     STR_ARG(storable_text(reason)));
    }
}

Test(storable, ignores_what_the_operator_ignores)
{
    storable_options_t all = {true, true, true};
    cr_assert_eq(check("GET", "", 200, "Cache-Control: no-store, private\nExpires: $+9\nVary: *",
                       &all), STORABLE_YES);
    cr_assert_eq(check("GET", "", 200, "Last-Modified: $-1000\nSet-Cookie: a=b", &all),
                 STORABLE_YES);
    cr_assert_eq(check("GET", "Cache-Control: no-store", 200, "Expires: $+9", &all),
                 STORABLE_NO_STORE);
}
