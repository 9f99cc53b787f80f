#include <criterion/criterion.h>

#include "tests/unit/modules/cache/tables.h"

TestSuite(cache_control, .init = tables_begin, .fini = tables_end);

enum { NONE = -1 };

#define SAME(text, expected) cr_expect(str_eq(text, str_of(expected)), STR_FMT, STR_ARG(text))

static const struct {
    const char *rfc, *fields;
    int64_t max_age, s_maxage;
    unsigned flags;
    const char *no_cache, *private; /* the fields */
} responses[] = {
    {"9111 5.2", "X: y", NONE, NONE, 0, "", ""},
    {"9111 5.2.2.1", "Cache-Control: max-age=60", 60, NONE, 0, "", ""},
    {"9111 5.2.2.1", "Cache-Control: max-age=003600", 3600, NONE, 0, "", ""},
    {"9111 5.2 case", "cache-control: MaX-aGe=60, No-StOrE", 60, NONE, CACHE_CONTROL_NO_STORE, "",
     ""},
    {"9111 5.2 both syntaxes", "Cache-Control: max-age=\"60\"", 60, NONE, 0, "", ""},
    {"9111 5.2 both syntaxes", "Cache-Control: max-age=\"6\\0\"", 60, NONE, 0, "", ""},
    {"9111 5.2.2.10", "Cache-Control: max-age=1, s-maxage=2", 1, 2, 0, "", ""},
    {"9111 5.2 lines", "Cache-Control: max-age=1\nCache-Control: public", 1, NONE,
     CACHE_CONTROL_PUBLIC, "", ""},
    {"9110 5.6.1 empty elements", "Cache-Control: , ,max-age=1 ,, public,", 1, NONE,
     CACHE_CONTROL_PUBLIC, "", ""},
    {"9111 4.2.1 first", "Cache-Control: max-age=1, max-age=2", 1, NONE, 0, "", ""},
    {"9111 4.2.1 first", "Cache-Control: max-age=3\nCache-Control: max-age=2", 3, NONE, 0, "", ""},
    {"9111 4.2.1 first", "Cache-Control: max-age=x, max-age=2", 0, NONE, 0, "", ""},
    {"9111 1.2.2", "Cache-Control: max-age=2147483647", 2147483647, NONE, 0, "", ""},
    {"9111 1.2.2", "Cache-Control: max-age=2147483648", 2147483648, NONE, 0, "", ""},
    {"9111 1.2.2", "Cache-Control: max-age=2147483649", 2147483648, NONE, 0, "", ""},
    {"9111 1.2.2", "Cache-Control: max-age=99999999999999999999999", 2147483648, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=-60", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=60.0", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=60a", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=a60", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age='60'", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age =60", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age= 60", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=\"60", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: max-age=\"60\"x", 0, NONE, 0, "", ""},
    {"9111 4.2.1 invalid", "Cache-Control: s-maxage=1 2", NONE, 0, 0, "", ""},
    {"9111 5.2.3", "Cache-Control: max-ages=5, xmax-age=6, ext=max-age=7", NONE, NONE, 0, "", ""},
    {"9110 5.6.4", "Cache-Control: ext=\"max-age=60, no-store\", max-age=1", 1, NONE, 0, "", ""},
    {"9110 5.6.4", "Cache-Control: ext=\"a\\\", no-store, max-age=60\", max-age=1", 1, NONE, 0, "",
     ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache", NONE, NONE, CACHE_CONTROL_NO_CACHE, "", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=\"a, b\"", NONE, NONE, 0, "a, b", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=a", NONE, NONE, 0, "a", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=\"a\", no-cache=\"b\"", NONE, NONE, 0, "a, b", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=\"a\", no-cache", NONE, NONE, CACHE_CONTROL_NO_CACHE,
     "a", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=\"\"", NONE, NONE, CACHE_CONTROL_NO_CACHE, "", ""},
    {"9111 5.2.2.4", "Cache-Control: no-cache=\"a, max-age=9", NONE, NONE, CACHE_CONTROL_NO_CACHE,
     "", ""},
    {"9111 5.2.2.7", "Cache-Control: private=\"set-cookie\"", NONE, NONE, 0, "", "set-cookie"},
    {"9111 5.2.2.7", "Cache-Control: PRIVATE", NONE, NONE, CACHE_CONTROL_PRIVATE, "", ""},
    {"9111 5.2.2.5", "Cache-Control: no-store=x", NONE, NONE, CACHE_CONTROL_NO_STORE, "", ""},
    {"9111 5.2.2", "Cache-Control: no-store =x, public =x", NONE, NONE, CACHE_CONTROL_NO_STORE, "",
     ""},
    {"9111 5.2.2", "Cache-Control: must-revalidate, proxy-revalidate, must-understand", NONE, NONE,
     CACHE_CONTROL_MUST_REVALIDATE | CACHE_CONTROL_PROXY_REVALIDATE |
         CACHE_CONTROL_MUST_UNDERSTAND, "", ""},
    {"8246 2", "Cache-Control: immutable, no-transform", NONE, NONE,
     CACHE_CONTROL_IMMUTABLE | CACHE_CONTROL_NO_TRANSFORM, "", ""},
    {"9111 5.4", "Pragma: no-cache", NONE, NONE, 0, "", ""},
    /* targeted fields */
    {"9213 2.2", "CDN-Cache-Control: max-age=9\nCache-Control: max-age=1, no-store", 9, NONE,
     CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.2", "Cache-Control: max-age=1\ncdn-cache-control: no-store", NONE, NONE,
     CACHE_CONTROL_TARGETED | CACHE_CONTROL_NO_STORE, "", ""},
    {"9213 2.2 empty", "CDN-Cache-Control:\nCache-Control: max-age=1", 1, NONE, 0, "", ""},
    {"9213 2.2 malformed", "CDN-Cache-Control: max-age=9, &\nCache-Control: max-age=1", 1, NONE, 0,
     "", ""},
    {"9213 2.2 malformed", "CDN-Cache-Control: Max-Age=9\nCache-Control: max-age=1", 1, NONE, 0, "",
     ""},
    {"9213 2.2 malformed", "CDN-Cache-Control: max-age =9\nCache-Control: max-age=1", 1, NONE, 0,
     "", ""},
    {"9213 2.2 malformed", "CDN-Cache-Control: max-age= 9\nCache-Control: max-age=1", 1, NONE, 0,
     "", ""},
    {"9213 2.2 whole", "CDN-Cache-Control: no-store\nCDN-Cache-Control: a=\nCache-Control: public",
     NONE, NONE, CACHE_CONTROL_PUBLIC, "", ""},
    {"9213 2.1 parameters", "CDN-Cache-Control: max-age=9;x=1, ext=(a b)", 9, NONE,
     CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.1 types", "CDN-Cache-Control: max-age=\"9\"", 0, NONE, CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.1 types", "CDN-Cache-Control: max-age=9.5", 0, NONE, CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.1 types", "CDN-Cache-Control: max-age=-9", 0, NONE, CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.1 types", "CDN-Cache-Control: max-age", 0, NONE, CACHE_CONTROL_TARGETED, "", ""},
    {"9213 2.1 types", "CDN-Cache-Control: private=\"a, b\", no-cache=c", NONE, NONE,
     CACHE_CONTROL_TARGETED, "c", "a, b"},
    {"9213 2.1 types", "CDN-Cache-Control: private=5", NONE, NONE,
     CACHE_CONTROL_TARGETED | CACHE_CONTROL_PRIVATE, "", ""},
    {"8941 3.2 last", "CDN-Cache-Control: max-age=1\nCDN-Cache-Control: max-age=2", 2, NONE,
     CACHE_CONTROL_TARGETED, "", ""},
    {"8941 3.2 last", "CDN-Cache-Control: no-store, no-store=?0", NONE, NONE,
     CACHE_CONTROL_TARGETED, "", ""},
    {"9111 1.2.2", "CDN-Cache-Control: max-age=999999999999999", 2147483648, NONE,
     CACHE_CONTROL_TARGETED, "", ""},
};

Test(cache_control, reads_responses)
{
    for (size_t i = 0; i < ROWS(responses); i++) {
        header_list_t fields = tables_fields(responses[i].fields);
        cache_control_t cc = tables_response(&fields);
        const char *what = responses[i].fields;
        cr_expect_eq(cc.max_age, responses[i].max_age, "RFC %s: %s", responses[i].rfc, what);
        cr_expect_eq(cc.s_maxage, responses[i].s_maxage, "RFC %s: %s", responses[i].rfc, what);
        cr_expect_eq(cc.flags, responses[i].flags, "RFC %s: %s: %#x", responses[i].rfc, what,
                     cc.flags);
        SAME(cc.no_cache_fields, responses[i].no_cache);
        SAME(cc.private_fields, responses[i].private);
    }
}

static const struct {
    const char *rfc, *fields;
    int64_t max_age, max_stale, min_fresh;
    unsigned flags;
} requests[] = {
    {"9111 5.2.1", "X: y", NONE, NONE, NONE, 0},
    {"9111 5.2.1.1", "Cache-Control: max-age=5", 5, NONE, NONE, 0},
    {"9111 5.2.1.2", "Cache-Control: max-stale=5", NONE, 5, NONE, 0},
    {"9111 5.2.1.2", "Cache-Control: max-stale", NONE, CACHE_CONTROL_MAX, NONE, 0},
    {"9111 5.2.1.2", "Cache-Control: max-stale=x", NONE, 0, NONE, 0},
    {"9111 5.2.1.3", "Cache-Control: min-fresh=5", NONE, NONE, 5, 0},
    {"9111 5.2.1.4", "Cache-Control: no-cache", NONE, NONE, NONE, CACHE_CONTROL_NO_CACHE},
    {"9111 5.2.1.5", "Cache-Control: no-store", NONE, NONE, NONE, CACHE_CONTROL_NO_STORE},
    {"9111 5.2.1.7", "Cache-Control: only-if-cached", NONE, NONE, NONE,
     CACHE_CONTROL_ONLY_IF_CACHED},
    {"9111 5.4", "Pragma: foo, No-Cache", NONE, NONE, NONE, CACHE_CONTROL_NO_CACHE},
    {"9111 5.4", "Pragma: no-cache\nCache-Control: max-age=5", 5, NONE, NONE, 0},
    {"9213 2", "CDN-Cache-Control: no-cache", NONE, NONE, NONE, 0},
};

Test(cache_control, reads_requests)
{
    for (size_t i = 0; i < ROWS(requests); i++) {
        header_list_t fields = tables_fields(requests[i].fields);
        cache_control_t cc = tables_request(&fields);
        const char *what = requests[i].fields;
        cr_expect_eq(cc.max_age, requests[i].max_age, "RFC %s: %s", requests[i].rfc, what);
        cr_expect_eq(cc.max_stale, requests[i].max_stale, "RFC %s: %s", requests[i].rfc, what);
        cr_expect_eq(cc.min_fresh, requests[i].min_fresh, "RFC %s: %s", requests[i].rfc, what);
        cr_expect_eq(cc.flags, requests[i].flags, "RFC %s: %s", requests[i].rfc, what);
    }
}

/* RFC 5861 3, 4. */
Test(cache_control, reads_the_windows_of_staleness)
{
    header_list_t fields =
        tables_fields("Cache-Control: stale-while-revalidate=5, stale-if-error=7");
    cache_control_t cc = tables_response(&fields);
    cr_assert_eq(cc.stale_while_revalidate, 5);
    cr_assert_eq(cc.stale_if_error, 7);
}

/* RFC 9213 2.2: the first of the target list that is there. */
Test(cache_control, heeds_targets_in_order)
{
    static const str_t targets[] = {STR_INIT("Proxyd-Cache-Control"),
                                    STR_INIT("CDN-Cache-Control")};
    header_list_t fields =
        tables_fields("CDN-Cache-Control: max-age=1\nProxyd-Cache-Control: max-age=2");
    cache_control_t cc;
    cache_control_response(tables_pool, &fields, targets, 2, &cc);
    cr_assert_eq(cc.max_age, 2);
    cache_control_response(tables_pool, &fields, targets, 0, &cc);
    cr_assert_eq(cc.max_age, NONE);
}
