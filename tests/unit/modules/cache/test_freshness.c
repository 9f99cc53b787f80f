#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/cache/freshness.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(freshness, .init = tables_begin, .fini = tables_end);

enum { UNKNOWN = FRESHNESS_UNKNOWN, GUESS = FRESHNESS_HEURISTIC, SAID = FRESHNESS_EXPLICIT };

static const struct {
    const char *rfc;
    unsigned status;
    const char *fields;
    int source;
    int64_t lifetime;
} lifetimes[] = {
    {"9111 4.2.1", 200, "Cache-Control: max-age=60", SAID, 60},
    {"9111 4.2.1", 200, "Cache-Control: max-age=60, s-maxage=30", SAID, 30},
    {"9111 4.2.1", 200, "Cache-Control: s-maxage=90, max-age=60", SAID, 90},
    {"9111 4.2.1", 200, "Cache-Control: max-age=60\nDate: $+0\nExpires: $+5", SAID, 60},
    {"9111 5.2.2.10", 200, "Cache-Control: s-maxage=0\nExpires: $+99", SAID, 0},
    {"9111 4.2.1", 200, "Date: $+0\nExpires: $+100", SAID, 100},
    {"9111 4.2.1", 200, "Date: $-50\nExpires: $+50", SAID, 100},
    {"9111 4.2.1", 200, "Date: $+50\nExpires: $+70", SAID, 20},
    {"9111 4.2.1 no Date", 200, "Expires: $+100", SAID, 100},
    {"9111 4.2.1 bad Date", 200, "Date: foo\nExpires: $+100", SAID, 100},
    {"9111 4.2.1 equal", 200, "Date: $+0\nExpires: $+0", SAID, 0},
    {"9111 5.3 past", 200, "Date: $+0\nExpires: $-1", SAID, 0},
    {"9111 5.3 invalid", 200, "Expires: 0", SAID, 0},
    {"9111 5.3 invalid", 200, "Expires:", SAID, 0},
    {"9111 5.3 invalid", 200, "Expires: 2024-01-01T00:00:00Z", SAID, 0},
    {"9110 5.6.7 zone", 200, "Expires: Sun, 06 Nov 1994 09:49:37 EST", SAID, 0},
    {"9110 5.6.7 zone", 200, "Expires: Sun, 06 Nov 1994 09:49:37 UTC", SAID, 0},
    {"9110 5.6.7 digits", 200, "Expires: Sun, 06 Nov 1994 9:49:37 GMT", SAID, 0},
    {"9110 5.6.7 digits", 200, "Expires: Sun, 6 Nov 1994 09:49:37 GMT", SAID, 0},
    {"9110 5.6.7 digits", 200, "Expires: Sun, 06 Nov 94 09:49:37 GMT", SAID, 0},
    {"9110 5.6.7 spaces", 200, "Expires: Sun,  06 Nov 1994 09:49:37 GMT", SAID, 0},
    {"9110 5.6.7 dashes", 200, "Expires: Sun, 06-Nov-1994 09:49:37 GMT", SAID, 0},
    {"9110 5.6.7 comma", 200, "Expires: Sun 06 Nov 1994 09:49:37 GMT", SAID, 0},
    {"9110 5.6.7 dots", 200, "Expires: Sun, 06 Nov 1994 09.49.37 GMT", SAID, 0},
    {"9110 5.6.7 case", 200, "Expires: sUn, 06 nOV 1994 09:49:37 gMT", SAID, 3600},
    {"9110 5.6.7 850", 200, "Expires: Sunday, 06-Nov-94 09:49:37 GMT", SAID, 3600},
    {"9110 5.6.7 asctime", 200, "Expires: Sun Nov  6 09:49:37 1994", SAID, 3600},
    {"9110 5.6.7 past 2038", 200, "Expires: Thu, 18 Aug 2050 02:01:18 GMT", SAID,
     2544400878 - NOW},
    {"9111 1.2.2 past 2286", 200, "Expires: Fri, 01 Jan 2300 00:00:00 GMT", SAID, 2147483648},
    {"9111 4.2.1 first", 200, "Date: $+0\nExpires: $+100\nExpires: $+5", SAID, 100},
    {"9111 4.2.1 first", 200, "Date: $+0\nExpires: 0\nExpires: $+5", SAID, 0},
    {"9213 2.2", 200, "CDN-Cache-Control: max-age=9\nCache-Control: max-age=1", SAID, 9},
    {"9213 2.2 Expires", 200, "CDN-Cache-Control: public\nExpires: $+60", UNKNOWN, 0},
    {"9213 2.2 invalid", 200, "CDN-Cache-Control: &\nExpires: $+60", SAID, 60},
    /* heuristics */
    {"9111 4.2.2", 200, "X: y", UNKNOWN, 0},
    {"9111 4.2.2", 200, "Last-Modified: $-1000", GUESS, 100},
    {"9111 4.2.2", 200, "Last-Modified: $-1000\nDate: $-100", GUESS, 90},
    {"9111 4.2.2", 200, "Last-Modified: $-9", UNKNOWN, 0},
    {"9111 4.2.2", 200, "Last-Modified: $+1000", UNKNOWN, 0},
    {"9111 4.2.2", 200, "Last-Modified: yesterday", UNKNOWN, 0},
    {"9111 4.2.2 bounded", 200, "Last-Modified: $-864000", GUESS, 86400},
    {"9111 4.2.2 bounded", 200, "Last-Modified: $-700000000", GUESS, 86400},
    {"9111 4.2.2 explicit", 200, "Last-Modified: $-1000\nExpires: 0", SAID, 0},
    {"9111 4.2.2 explicit", 200, "Last-Modified: $-1000\nCache-Control: max-age=x", SAID, 0},
    {"9110 15.1", 203, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 204, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 206, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 300, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 301, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 308, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 404, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 405, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 410, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 414, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 501, "Last-Modified: $-1000", GUESS, 100},
    {"9110 15.1", 201, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 302, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 307, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 403, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 500, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 503, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9110 15.1", 599, "Last-Modified: $-1000", UNKNOWN, 0},
    {"9111 4.2.2 public", 599, "Last-Modified: $-1000\nCache-Control: public", GUESS, 100},
    {"9111 3 explicit", 599, "Cache-Control: max-age=60", SAID, 60},
};

Test(freshness, knows_lifetimes)
{
    clock_set(1, (uint64_t)NOW * 1000);
    for (size_t i = 0; i < ROWS(lifetimes); i++) {
        header_list_t fields = tables_fields(lifetimes[i].fields);
        cache_control_t cc = tables_response(&fields);
        freshness_t f =
            freshness_of(lifetimes[i].status, &fields, &cc, NOW, NOW, &freshness_default);
        cr_expect(f.source == (freshness_source_t)lifetimes[i].source &&
                      f.lifetime == lifetimes[i].lifetime,
                  "RFC %s: %u, %s: %d, %lld", lifetimes[i].rfc, lifetimes[i].status,
                  lifetimes[i].fields, (int)f.source, (long long)f.lifetime);
    }
}

/* A response asked for `delay` seconds before NOW, looked at `resident` seconds after it. */
static const struct {
    const char *rfc, *fields;
    int64_t delay, resident, age;
} ages[] = {
    {"9111 4.2.3", "Date: $+0", 0, 0, 0},
    {"9111 4.2.3 resident", "Date: $+0", 0, 7, 7},
    {"9111 4.2.3 apparent", "Date: $-10", 0, 0, 10},
    {"9111 4.2.3 apparent", "Date: $+10", 0, 0, 0},
    {"9111 4.2.3 no Date", "X: y", 0, 3, 3},
    {"9111 4.2.3 bad Date", "Date: foo", 0, 3, 3},
    {"9111 4.2.3 delay", "Date: $+0", 4, 0, 4},
    {"9111 4.2.3 delay", "Date: $+0\nAge: 5", 4, 3, 12},
    {"9111 4.2.3 larger", "Date: $-10\nAge: 5", 0, 0, 10},
    {"9111 4.2.3 larger", "Date: $-5\nAge: 10", 0, 0, 10},
    {"9111 5.1", "Age: 10", 0, 0, 10},
    {"9111 5.1", "Age: 0010", 0, 0, 10},
    {"9111 5.1 first", "Age: 10, 20", 0, 0, 10},
    {"9111 5.1 first", "Age: 10\nAge: 20", 0, 0, 10},
    {"9111 5.1 first", "Age: 0\nAge: 20", 0, 0, 0},
    {"9111 5.1 invalid", "Age: abc", 0, 0, 0},
    {"9111 5.1 invalid", "Age: abc, 20", 0, 0, 0},
    {"9111 5.1 invalid", "Age: -10", 0, 0, 0},
    {"9111 5.1 invalid", "Age: 10.0", 0, 0, 0},
    {"9111 5.1 invalid", "Age: 10a", 0, 0, 0},
    {"9111 5.1 invalid", "Age: a10", 0, 0, 0},
    {"9111 5.1 invalid", "Age: 10;x=1", 0, 0, 0},
    {"9111 5.1 invalid", "Age: \"10\"", 0, 0, 0},
    {"9111 5.1 invalid", "Age:", 0, 0, 0},
    {"9111 1.2.2", "Age: 2147483648", 0, 5, 2147483648},
    {"9111 1.2.2", "Age: 99999999999999999999", 9, 5, 2147483648},
    {"9111 4.2.3 clock set back", "Date: $+0", -4, -3, 0},
};

Test(freshness, knows_ages)
{
    for (size_t i = 0; i < ROWS(ages); i++) {
        header_list_t fields = tables_fields(ages[i].fields);
        cache_control_t cc = tables_response(&fields);
        freshness_t f =
            freshness_of(200, &fields, &cc, NOW - ages[i].delay, NOW, &freshness_default);
        int64_t age = freshness_age(&f, NOW + ages[i].resident);
        cr_expect_eq(age, ages[i].age, "RFC %s: %s: %lld", ages[i].rfc, ages[i].fields,
                     (long long)age);
    }
}

/* RFC 9111 4.2: fresh while the lifetime is greater than the age. */
Test(freshness, ends_when_the_age_is_the_lifetime)
{
    freshness_t f = {.lifetime = 10, .initial_age = 3, .response_time = NOW};
    cr_assert_eq(freshness_left(&f, NOW + 6), 1);
    cr_assert_eq(freshness_left(&f, NOW + 7), 0);
    cr_assert_eq(freshness_left(&f, NOW + 17), -10);
}

Test(freshness, ignores_what_the_operator_ignores)
{
    header_list_t fields = tables_fields("Cache-Control: max-age=60\nExpires: $+30\n"
                                         "Last-Modified: $-1000\nCDN-Cache-Control: max-age=7");
    cache_control_t cc = tables_response(&fields);
    freshness_options_t options = freshness_default;
    options.ignore_cache_control = true;
    cr_assert_eq(freshness_of(200, &fields, &cc, NOW, NOW, &options).lifetime, 30);
    options.ignore_expires = true;
    cr_assert_eq(freshness_of(200, &fields, &cc, NOW, NOW, &options).lifetime, 100);
    options.heuristic_percent = 0;
    cr_assert_eq(freshness_of(200, &fields, &cc, NOW, NOW, &options).lifetime, 0);
}
