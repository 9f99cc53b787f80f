#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"

static void assert_date(time_t t, const char *text)
{
    char out[CLOCK_HTTP_DATE_LEN];
    clock_put_http_date(out, t);
    cr_assert(str_eq(str_make(out, sizeof(out)), str_of(text)), "\"%.*s\" for %s", (int)sizeof(out),
              out, text);
    cr_assert_eq(clock_parse_http_date(str_of(text)), t, "%s", text);
}

Test(clock, writes_and_reads_imf_fixdate)
{
    assert_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110 5.6.7 */
    assert_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_date(4102444799, "Thu, 31 Dec 2099 23:59:59 GMT");
    assert_date(2147483648, "Tue, 19 Jan 2038 03:14:08 GMT");
}

static time_t parsed(const char *text)
{
    return clock_parse_http_date(str_of(text));
}

/* RFC 9110 5.6.7: a recipient accepts all three. */
Test(clock, reads_the_obsolete_forms)
{
    cr_assert_eq(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    cr_assert_eq(parsed("Sun Nov  6 08:49:37 1994"), 784111777);
    cr_assert_eq(parsed("Wed Nov 16 08:49:37 1994"), 784975777);
    cr_assert_eq(parsed("Wednesday, 09-Nov-94 08:49:37 GMT"), 784370977);
    cr_assert_eq(parsed(" sun, 06 nov 1994 08:49:37 gmt\t"), 784111777, "in any case");
}

/* RFC 9110 5.6.7: more than 50 years in the future is the most recent past year with those
   digits. */
Test(clock, takes_far_two_digit_years_as_past)
{
    struct tm tm;
    time_t now = clock_unix();
    gmtime_r(&now, &tm);
    int year = tm.tm_year + 1900;
    for (int ahead = -49; ahead <= 49; ahead += 49) {
        char text[64];
        int full = year + ahead;
        snprintf(text, sizeof(text), "Monday, 01-Jun-%02d 00:00:00 GMT", full % 100);
        struct tm expected = {.tm_year = full - 1900, .tm_mon = 5, .tm_mday = 1};
        cr_assert_eq(parsed(text), timegm(&expected), "%s, meaning %d", text, full);
    }
}

Test(clock, refuses_what_is_not_a_date)
{
    static const char *const wrong[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMTx",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Mon, 29 Feb 1999 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "784111777",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_eq(parsed(wrong[i]), -1, "\"%s\"", wrong[i]);
}

Test(clock, stands_still_between_updates)
{
    uint64_t ms = clock_ms(), unix_ms = clock_unix_ms(), us = clock_us_now();
    while (clock_us_now() < us + 3000) continue;
    cr_assert_eq(clock_ms(), ms);
    cr_assert_eq(clock_unix_ms(), unix_ms);
    clock_update();
    cr_assert_geq(clock_ms(), ms + 2);
    cr_assert_eq(clock_unix(), (time_t)(clock_unix_ms() / 1000));
}

Test(clock, tells_the_time_it_read)
{
    char http[CLOCK_HTTP_DATE_LEN];
    clock_update();
    clock_put_http_date(http, clock_unix());
    cr_assert(str_eq(clock_http_date(), str_make(http, sizeof(http))));
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
    clock_update();
}

/* Reads the local text back by the C library's own rules. */
static void assert_local(str_t text, const char *format)
{
    char z[64] = {0};
    struct tm tm = {0};
    memcpy(z, text.p, text.n);
    const char *end = strptime(z, format, &tm);
    cr_assert(end && *end == '\0', "\"%s\" is not %s", z, format);
    long east = tm.tm_gmtoff; /* timegm overwrites it */
    cr_assert_eq(timegm(&tm) - east, clock_unix(), "%s", z);
}

Test(clock, writes_local_times_for_the_logs)
{
    set_zone("XXX-05:30");
    assert_local(clock_log_time(), "%d/%b/%Y:%H:%M:%S %z");
    assert_local(clock_iso8601(), "%Y-%m-%dT%H:%M:%S%z");
    cr_assert(str_ends(clock_log_time(), STR(" +0530")));
    cr_assert(str_ends(clock_iso8601(), STR("+05:30")));
    cr_assert_eq(clock_error_time().n, strlen("1994/11/06 08:49:37"));
}

Test(clock, writes_zones_west_of_greenwich)
{
    set_zone("XXX+03:30");
    assert_local(clock_log_time(), "%d/%b/%Y:%H:%M:%S %z");
    cr_assert(str_ends(clock_log_time(), STR(" -0330")));
    cr_assert(str_ends(clock_iso8601(), STR("-03:30")));
}

Test(clock, writes_utc_in_the_error_log)
{
    set_zone("UTC0");
    char text[32] = {0};
    struct tm tm = {0};
    memcpy(text, clock_error_time().p, clock_error_time().n);
    cr_assert_not_null(strptime(text, "%Y/%m/%d %H:%M:%S", &tm));
    cr_assert_eq(timegm(&tm), clock_unix());
}

Test(clock, dates_are_those_of_the_c_library)
{
    char ours[CLOCK_HTTP_DATE_LEN + 1] = "", theirs[64];
    struct tm tm;
    /* From the year 0 to 9999, in steps that hit every day of a year and second of a day. */
    for (time_t t = -62167219200; t < 253402300800; t += 86400 * 97 + 7919) {
        clock_put_http_date(ours, t);
        gmtime_r(&t, &tm);
        strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        if (tm.tm_year + 1900 < 1000) continue; /* strftime does not pad years */
        cr_assert(strcmp(ours, theirs) == 0, "%lld: %s, not %s", (long long)t, ours, theirs);
    }
    for (int i = 0; i < 800; i++) { /* around the ends of February */
        time_t t = 946684799 + (time_t)i * 86400 / 2;
        clock_put_http_date(ours, t);
        strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
        cr_assert(strcmp(ours, theirs) == 0, "%lld: %s, not %s", (long long)t, ours, theirs);
    }
}
