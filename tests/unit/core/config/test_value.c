#include <criterion/criterion.h>
#include <limits.h>

#include "core/config/value.h"

Test(value, flags)
{
    bool v = false;
    cr_expect_null(value_flag(STR("on"), &v));
    cr_expect(v);
    cr_expect_null(value_flag(STR("off"), &v));
    cr_expect_not(v);
    cr_expect_not_null(value_flag(STR("On"), &v));
    cr_expect_not_null(value_flag(STR(""), &v));
    cr_expect_not_null(value_flag(STR("onn"), &v));
}

Test(value, numbers)
{
    unsigned long long v = 7;
    cr_expect_null(value_number(STR("18446744073709551615"), &v));
    cr_expect_eq(v, ULLONG_MAX);
    v = 7;
    static const char *const bad[] = {"",   "-1", "+1",  " 1",
                                      "1 ", "1x", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(value_number(str_of(bad[i]), &v), "%s", bad[i]);
    cr_expect_eq(v, 7);
}

static void expect_size(const char *text, unsigned long long expected)
{
    unsigned long long v = 0;
    cr_expect_null(value_size(str_of(text), &v), "%s", text);
    cr_expect_eq(v, expected, "%s: %llu", text, v);
}

Test(value, sizes)
{
    expect_size("0", 0);
    expect_size("512", 512);
    expect_size("8k", 8192);
    expect_size("8K", 8192);
    expect_size("1m", 1048576);
    expect_size("1M", 1048576);
    expect_size("2g", 2147483648ull);
    expect_size("2G", 2147483648ull);
    expect_size("17179869183g", 17179869183ull << 30);
}

Test(value, bad_sizes)
{
    unsigned long long v = 7;
    static const char *const bad[] = {
        "", "k", "-1k", "8kk", "8 k", "8t", "1.5m", "17179869184g", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(value_size(str_of(bad[i]), &v), "%s", bad[i]);
    cr_expect_eq(v, 7);
}

static void expect_msec(const char *text, msec_t expected)
{
    msec_t v = 0;
    cr_expect_null(value_msec(str_of(text), &v), "%s", text);
    cr_expect_eq(v, expected, "%s: %llu", text, v);
}

/* The units of nginx's configuration measurement units. */
Test(value, durations)
{
    expect_msec("0", 0);
    expect_msec("30", 30000);
    expect_msec("500ms", 500);
    expect_msec("60s", 60000);
    expect_msec("5m", 300000);
    expect_msec("1h", 3600000);
    expect_msec("2d", 172800000);
    expect_msec("1w", 604800000);
    expect_msec("1M", 2592000000);
    expect_msec("1y", 31536000000);
    expect_msec("1h30m", 5400000);
    expect_msec("1d 12h", 129600000);
    expect_msec("1h 30", 3630000);
    expect_msec("1s500ms", 1500);
    expect_msec("1y1M1w1d1h1m1s1ms", 31536000000 + 2592000000 + 604800000 + 86400000 + 3661001);
}

Test(value, bad_durations)
{
    msec_t v = 7;
    static const char *const bad[] = {
        "",
        " ",
        "s",
        "10x",
        "-1s",
        "1s1m",
        "1m1m",
        "1ms1s",
        "1 m",
        "1.5s",
        "1s ms",
        "30 30",
        "1H",
        "18446744073709551616",
        "18446744073709551615",
        "9223372036854775808ms",
        "292471209y",
        "9223372036854775807ms1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(value_msec(str_of(bad[i]), &v), "%s", bad[i]);
    cr_expect_eq(v, 7);
    expect_msec("9223372036854775807ms", LLONG_MAX);
}

Test(value, keyed)
{
    str_t rest = {NULL, 0};
    cr_expect(value_keyed(STR("zone=a"), "zone", &rest));
    cr_expect(str_eq(rest, STR("a")));
    cr_expect(value_keyed(STR("zone="), "zone", &rest));
    cr_expect_eq(rest.n, 0);
    cr_expect_not(value_keyed(STR("zone"), "zone", &rest));
    cr_expect_not(value_keyed(STR("zones=a"), "zone", &rest));
    cr_expect_not(value_keyed(STR("a=zone"), "zone", &rest));
}

Test(value, shows_what_one_would_write)
{
    char out[VALUE_TEXT_MAX];
    cr_expect_str_eq(value_show_number(out, ULLONG_MAX), "18446744073709551615");
    cr_expect_str_eq(value_show_size(out, 0), "0");
    cr_expect_str_eq(value_show_size(out, 1000), "1000");
    cr_expect_str_eq(value_show_size(out, 8192), "8k");
    cr_expect_str_eq(value_show_size(out, 1536 * 1024), "1536k");
    cr_expect_str_eq(value_show_size(out, 2147483648ull), "2g");
    cr_expect_str_eq(value_show_size(out, ULLONG_MAX), "18446744073709551615");
    cr_expect_str_eq(value_show_msec(out, 0), "0s");
    cr_expect_str_eq(value_show_msec(out, 500), "500ms");
    cr_expect_str_eq(value_show_msec(out, 60000), "1m");
    cr_expect_str_eq(value_show_msec(out, 90000), "90s");
    cr_expect_str_eq(value_show_msec(out, ULLONG_MAX), "18446744073709551615ms");
}
