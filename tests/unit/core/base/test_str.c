#include <criterion/criterion.h>

#include "core/base/str.h"

Test(str, compares_equal_text)
{
    cr_assert(str_eq(STR("abc"), STR("abc")));
    cr_assert(!str_eq(STR("abc"), STR("abd")));
    cr_assert(!str_eq(STR("abc"), STR("ab")));
    cr_assert(str_eq((str_t){NULL, 0}, STR("")));
    cr_assert(str_eq(STR("a\0b"), STR("a\0b")));
    cr_assert(!str_eq(STR("a\0b"), STR("a\0c")));
}

Test(str, knows_prefix_and_suffix)
{
    cr_assert(str_starts(STR("/api/v1"), STR("/api")));
    cr_assert(str_starts(STR("/api"), STR("/api")));
    cr_assert(str_starts(STR("x"), (str_t){NULL, 0}));
    cr_assert(!str_starts(STR("/ap"), STR("/api")));
    cr_assert(str_ends(STR("www.example.org"), STR(".org")));
    cr_assert(str_ends(STR("x"), (str_t){NULL, 0}));
    cr_assert(!str_ends(STR("org"), STR(".org")));
    cr_assert(!str_ends(STR("example.orG"), STR(".org")));
}

Test(str, folds_ascii_case_alone)
{
    cr_assert(str_ieq(STR("Content-Length"), STR("cONTENT-lENGTH")));
    cr_assert(!str_ieq(STR("abc"), STR("abcd")));
    cr_assert(!str_ieq(STR("@"), STR("`")), "0x40 and 0x60 differ in the case bit only");
    cr_assert(!str_ieq(STR("["), STR("{")));
    cr_assert(!str_ieq(STR("\xc4"), STR("\xe4")), "bytes above 0x7f have no case");
    cr_assert(str_istarts(STR("CHUNKED, x"), STR("chunked")));
    cr_assert(!str_istarts(STR("chunk"), STR("chunked")));
}

Test(str, classifies_every_byte)
{
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool digit = i >= 0x30 && i <= 0x39;
        bool upper = i >= 0x41 && i <= 0x5a, lower = i >= 0x61 && i <= 0x7a;
        int hex = digit ? i - 0x30 : -1;
        if (i >= 0x41 && i <= 0x46) hex = i - 0x41 + 10;
        if (i >= 0x61 && i <= 0x66) hex = i - 0x61 + 10;
        cr_assert_eq(ascii_digit(c), digit, "byte %d", i);
        cr_assert_eq(ascii_alpha(c), upper || lower, "byte %d", i);
        cr_assert_eq(ascii_hex(c), hex, "byte %d", i);
        cr_assert_eq((unsigned char)ascii_lower(c), upper ? i + 0x20 : i, "byte %d", i);
    }
}

Test(str, orders_bytewise)
{
    cr_assert_lt(str_cmp(STR("a"), STR("b")), 0);
    cr_assert_gt(str_cmp(STR("b"), STR("a")), 0);
    cr_assert_eq(str_cmp(STR("ab"), STR("ab")), 0);
    cr_assert_lt(str_cmp(STR("ab"), STR("abc")), 0);
    cr_assert_gt(str_cmp(STR("b"), STR("abc")), 0);
    cr_assert_gt(str_cmp(STR("\xff"), STR("a")), 0, "bytes are unsigned");
    cr_assert_lt(str_cmp((str_t){NULL, 0}, STR("a")), 0);
    cr_assert_eq(str_cmp((str_t){NULL, 0}, STR("")), 0);
}

Test(str, finds_a_byte)
{
    cr_assert_eq(str_find(STR("a:b:c"), 0, ':'), 1);
    cr_assert_eq(str_find(STR("a:b:c"), 1, ':'), 1);
    cr_assert_eq(str_find(STR("a:b:c"), 2, ':'), 3);
    cr_assert_eq(str_find(STR("a:b:c"), 4, ':'), 5);
    cr_assert_eq(str_find(STR("abc"), 99, 'a'), 3);
    cr_assert_eq(str_find((str_t){NULL, 0}, 0, 'a'), 0);
    cr_assert_eq(str_find(str_make("ab:", 2), 0, ':'), 2, "what lies behind the slice is not seen");
}

Test(str, finds_a_needle)
{
    cr_assert_eq(str_search(STR("aaab"), STR("aab")), 1);
    cr_assert_eq(str_search(STR("abc"), STR("c")), 2);
    cr_assert_eq(str_search(STR("abc"), STR("")), 0);
    cr_assert_eq(str_search(STR("abc"), STR("abcd")), 3);
    cr_assert_eq(str_search(STR("abc"), STR("x")), 3);
    cr_assert_eq(str_search((str_t){NULL, 0}, STR("x")), 0);
    cr_assert_eq(str_search(str_make("abcd", 3), STR("cd")), 3);
}

Test(str, trims_space_and_tab_alone)
{
    cr_assert(str_eq(str_trim(STR(" \t a b \t")), STR("a b")));
    cr_assert(str_eq(str_trim(STR("a")), STR("a")));
    cr_assert_eq(str_trim(STR(" \t ")).n, 0);
    cr_assert_eq(str_trim((str_t){NULL, 0}).n, 0);
    cr_assert(str_eq(str_trim(STR("\r\n\v\f")), STR("\r\n\v\f")), "OWS is SP and HTAB");
}

static void assert_pieces(str_t text, const char *const *expected, size_t count)
{
    str_t piece, rest = text;
    size_t n = 0;
    while (str_cut(&rest, ',', &piece)) {
        cr_assert_lt(n, count, "more pieces than expected in \"%.*s\"", STR_ARG(text));
        cr_assert(str_eq(piece, str_of(expected[n])), "piece %zu of \"%.*s\"", n, STR_ARG(text));
        n++;
    }
    cr_assert_eq(n, count, "%zu pieces in \"%.*s\"", n, STR_ARG(text));
}

Test(str, cuts_into_pieces)
{
    assert_pieces(STR("a,,b"), (const char *[]){"a", "", "b"}, 3);
    assert_pieces(STR("a,"), (const char *[]){"a"}, 1);
    assert_pieces(STR(","), (const char *[]){""}, 1);
    assert_pieces(STR(",a"), (const char *[]){"", "a"}, 2);
    assert_pieces(STR("abc"), (const char *[]){"abc"}, 1);
    assert_pieces(STR(""), NULL, 0);
}

static void assert_number(const char *text, bool valid, uint64_t expected)
{
    uint64_t v = 4711;
    cr_assert_eq(str_to_u64(str_of(text), &v), valid, "\"%s\"", text);
    cr_assert_eq(v, valid ? expected : 4711, "\"%s\" gave %llu", text, (unsigned long long)v);
}

Test(str, reads_decimal_numbers)
{
    assert_number("0", true, 0);
    assert_number("007", true, 7);
    assert_number("18446744073709551615", true, UINT64_MAX);
    assert_number("000000000000000000000000000001", true, 1);
    assert_number("18446744073709551616", false, 0);
    assert_number("18446744073709551620", false, 0);
    assert_number("99999999999999999999999", false, 0);
    assert_number("", false, 0);
    assert_number("+1", false, 0);
    assert_number("-1", false, 0);
    assert_number(" 1", false, 0);
    assert_number("1 ", false, 0);
    assert_number("1a", false, 0);
    assert_number("0x1", false, 0);
}

Test(str, reads_hexadecimal_numbers)
{
    uint64_t v = 4711;
    cr_assert(str_hex_to_u64(STR("fF"), &v) && v == 255);
    cr_assert(str_hex_to_u64(STR("ffffffffffffffff"), &v) && v == UINT64_MAX);
    cr_assert(str_hex_to_u64(STR("00000000000000000a"), &v) && v == 10);
    v = 4711;
    cr_assert(!str_hex_to_u64(STR("10000000000000000"), &v));
    cr_assert(!str_hex_to_u64(STR("0x1"), &v));
    cr_assert(!str_hex_to_u64(STR("g"), &v));
    cr_assert(!str_hex_to_u64(STR(""), &v));
    cr_assert_eq(v, 4711, "a failure leaves the value alone");
}

Test(str, measures_edit_distance)
{
    cr_assert_eq(str_distance(STR("limit_req"), STR("limit_req")), 0);
    cr_assert_eq(str_distance(STR("limit_rqe"), STR("limit_req")), 1, "neighbours swapped");
    cr_assert_eq(str_distance(STR("kitten"), STR("sitting")), 3);
    cr_assert_eq(str_distance(STR(""), STR("abc")), 3);
    cr_assert_eq(str_distance(STR("abc"), STR("")), 3);
    cr_assert_eq(str_distance(STR("ca"), STR("abc")), 3, "3, not 2: optimal string alignment");
    char longest[65];
    memset(longest, 'x', sizeof(longest));
    cr_assert_eq(str_distance(str_make(longest, 64), STR("")), 64);
    cr_assert_eq(str_distance(str_make(longest, 65), str_make(longest, 65)), 64, "too long");
}

Test(str, writes_decimal_numbers)
{
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char out[20];
        cr_assert(str_eq(str_make(out, str_put_u64(out, cases[i].v)), str_of(cases[i].text)));
    }
}
