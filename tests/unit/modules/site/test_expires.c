#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "modules/site/expires.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { NOW = 784111777, DAY = 86400 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

Test(expires, parses_values)
{
    static const struct {
        const char *text;
        int kind; /* -1: refused */
        int64_t seconds;
    } rows[] = {
        {"off", EXPIRES_OFF, 0},
        {"epoch", EXPIRES_EPOCH, 0},
        {"max", EXPIRES_MAX, 0},
        {"24h", EXPIRES_TIME, DAY},
        {"+24h", EXPIRES_TIME, DAY},
        {"-1", EXPIRES_TIME, -1},
        {"0", EXPIRES_TIME, 0},
        {"42d", EXPIRES_TIME, 42 * DAY},
        {"-1h30m", EXPIRES_TIME, -5400},
        {"@15h30m", EXPIRES_DAILY, 55800},
        {"@0", EXPIRES_DAILY, 0},
        {"@24h", -1, 0},
        {"", -1, 0},
        {"@", -1, 0},
        {"soon", -1, 0},
        {"--1", -1, 0},
        {"1x", -1, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        expires_spec_t spec;
        const char *hint = expires_parse(str_of(rows[i].text), &spec);
        cr_expect_eq(hint ? -1 : (int)spec.kind, rows[i].kind, "%s", rows[i].text);
        if (!hint) cr_expect_eq(spec.seconds, rows[i].seconds, "%s", rows[i].text);
    }
}

Test(expires, counts_from_now_or_from_the_last_change)
{
    expires_spec_t hour = {EXPIRES_TIME, 3600}, past = {EXPIRES_TIME, -1};
    cr_expect_eq(expires_at(&hour, false, NOW - DAY, NOW), NOW + 3600);
    cr_expect_eq(expires_at(&hour, true, NOW - DAY, NOW), NOW - DAY + 3600);
    cr_expect_eq(expires_at(&hour, true, -1, NOW), NOW + 3600);
    cr_expect_eq(expires_at(&past, false, -1, NOW), NOW - 1);
}

Test(expires, knows_the_next_time_of_day)
{
    expires_spec_t later = {EXPIRES_DAILY, 15 * 3600 + 30 * 60}, earlier = {EXPIRES_DAILY, 3600};
    setenv("TZ", "UTC", 1);
    tzset();
    time_t midnight = NOW - NOW % DAY;
    cr_expect_eq(expires_at(&later, false, -1, NOW), midnight + later.seconds);
    cr_expect_eq(expires_at(&earlier, false, -1, NOW), midnight + DAY + earlier.seconds);
}
