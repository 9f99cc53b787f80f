#include <criterion/criterion.h>
#include <limits.h>

#include "http/range.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static pool_t *pool;

static void begin(void)
{
    pool = pool_create();
}

static void end(void)
{
    pool_destroy(pool);
}

TestSuite(range, .init = begin, .fini = end);

/* "first+n first+n", "whole" or "unsatisfied". */
static const char *parsed(str_t value, uint64_t length, unsigned max)
{
    range_set_t set;
    str_t text = STR("");
    range_result_t result = range_parse(pool, value, length, max, &set);
    if (result == RANGE_WHOLE) return "whole";
    if (result == RANGE_UNSATISFIED) return "unsatisfied";
    VEC_EACH(const range_t, it, &set.ranges)
        text = pool_printf(pool, STR_FMT "%s%llu+%llu", STR_ARG(text), text.n ? " " : "",
                           (unsigned long long)it->from, (unsigned long long)it->n);
    return pool_cstr(pool, text);
}

Test(range, parses_sets)
{
    static const struct {
        const char *value;
        uint64_t length;
        const char *expected, *why;
    } rows[] = {
        {"bytes=0-499", 10000, "0+500", "RFC 9110 14.1.2: its own examples"},
        {"bytes=500-999", 10000, "500+500", "14.1.2"},
        {"bytes=-500", 10000, "9500+500", "14.1.2"},
        {"bytes=9500-", 10000, "9500+500", "14.1.2"},
        {"bytes=0-0,-1", 10000, "0+1 9999+1", "14.1.2: first and last byte"},
        {"bytes= 0-999, 4500-5499, -1000", 10000, "0+1000 4500+1000 9000+1000", "14.1.2"},
        {"bytes=500-600,601-999", 10000, "500+500", "14.1.2: adjacent ones"},
        {"bytes=500-700,601-999", 10000, "500+500", "14.1.2: overlapping ones"},
        {"BYTES=0-1", 10, "0+2", "14.1: unit names fold case"},
        {"bytes=0-", 10, "0+10", "all of it is still a range"},
        {"bytes=-20", 10, "0+10", "14.1.2: a suffix longer than the whole"},
        {"bytes=0-99", 10, "0+10", "14.1.2: last-pos beyond the end"},
        {"bytes=5-4", 10, "whole", "14.1.1: invalid"},
        {"bytes=0-1,5-4", 10, "whole", "14.2: one invalid member spoils it"},
        {"bytes=10-", 10, "unsatisfied", "14.1.2"},
        {"bytes=10-,20-30", 10, "unsatisfied", "14.1.2: none can be satisfied"},
        {"bytes=10-,0-0", 10, "0+1", "14.1.2: one can"},
        {"bytes=-0", 10, "unsatisfied", "14.1.2: suffix-length zero"},
        {"bytes=0-0", 0, "unsatisfied", "14.1.2: nothing there"},
        {"bytes=-1", 0, "whole", "14.1.2: satisfiable, but no Content-Range says it"},
        {"bytes=18446744073709551616-", 10, "unsatisfied", "2^64"},
        {"bytes=1-18446744073709551617", 10, "1+9", "2^64+1"},
        {"bytes=-99999999999999999999999", 10, "0+10", "many digits"},
        {"bytes=9223372036854775806-9223372036854775807", INT64_MAX, "9223372036854775806+1",
         "large"},
        {"items=0-1", 10, "whole", "14.2: another unit"},
        {"bytes", 10, "whole", "malformed"},
        {"bytes=", 10, "whole", "malformed"},
        {"bytes=,", 10, "whole", "no member"},
        {"bytes=-", 10, "whole", "malformed"},
        {"bytes=a-b", 10, "whole", "malformed"},
        {"bytes=1", 10, "whole", "malformed"},
        {"bytes=1-2-3", 10, "whole", "malformed"},
        {"bytes=1 -2", 10, "whole", "malformed: no space inside"},
        {"bytes=+1-2", 10, "whole", "malformed"},
        {"bytes=--1", 10, "whole", "malformed"},
        {"bytes=,0-1, ,3-4,", 10, "0+2 3+2", "5.6.1.2: empty members"},
        {"", 10, "whole", "empty"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = parsed(str_of(rows[i].value), rows[i].length, UINT_MAX);
        cr_expect_str_eq(got, rows[i].expected, "%s: %s is %s", rows[i].why, rows[i].value, got);
    }
}

Test(range, joins_what_overlaps_in_any_order)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"bytes=0-9,20-29,10-19", "0+30"},
        {"bytes=20-29,0-9,5-24", "0+30"},
        {"bytes=50-59,0-9,20-29,8-21", "50+10 0+30"},
        {"bytes=0-9,20-29,40-49,15-45", "0+10 15+35"},
        {"bytes=0-99,10-19", "0+100"},
        {"bytes=10-19,0-99", "0+100"},
        {"bytes=0-9,11-19", "0+10 11+9"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = parsed(str_of(rows[i].value), 100, UINT_MAX);
        cr_expect_str_eq(got, rows[i].expected, "%s is %s", rows[i].value, got);
    }
}

/* RFC 9110 17.15 */
Test(range, never_makes_more_than_there_is)
{
    str_t value = STR("bytes=0-");
    range_set_t set;
    for (int i = 0; i < RANGE_SPECS_MAX - 1; i++) value = pool_concat(pool, value, STR(",0-"));
    cr_assert_str_eq(parsed(value, 1000, UINT_MAX), "0+1000");
    value = pool_concat(pool, value, STR(",0-"));
    cr_assert_str_eq(parsed(value, 1000, UINT_MAX), "whole");
    cr_assert_eq(range_parse(pool, STR("bytes=0-9,50-,40-60,1-2"), 100, UINT_MAX, &set),
                 RANGE_PARTIAL);
    uint64_t sum = 0;
    VEC_EACH(const range_t, it, &set.ranges) sum += it->n;
    cr_assert_eq(sum, 70);
}

Test(range, holds_max_ranges)
{
    cr_expect_str_eq(parsed(STR("bytes=0-0,2-2"), 10, 2), "0+1 2+1");
    cr_expect_str_eq(parsed(STR("bytes=0-0,2-2,4-4"), 10, 2), "whole");
    cr_expect_str_eq(parsed(STR("bytes=0-0"), 10, 0), "whole");
}

Test(range, writes_content_range)
{
    range_t range = {42, 1192};
    str_t partial = range_content_range(pool, &range, 1234), none = range_unsatisfied(pool, 47022);
    cr_expect(str_eq(partial, STR("bytes 42-1233/1234")), "RFC 9110 14.4: its own example");
    cr_expect(str_eq(none, STR("bytes */47022")), "15.5.17: its own example");
}

static str_t joined(const piece_t *pieces, unsigned n)
{
    str_t all = STR("");
    for (unsigned i = 0; i < n; i++)
        all = pool_concat(pool, all, str_make(pieces[i].p, pieces[i].n));
    return all;
}

Test(range, cuts_one_range_out)
{
    piece_t whole = PIECE_MEMORY(STR("0123456789"));
    range_set_t set;
    unsigned n;
    uint64_t size;
    cr_assert_eq(range_parse(pool, STR("bytes=2-4"), 10, 9, &set), RANGE_PARTIAL);
    piece_t *pieces = range_pieces(pool, &set, &whole, STR("B"), STR("text/plain"), &n, &size);
    cr_expect(str_eq(joined(pieces, n), STR("234")));
    cr_expect_eq(size, 3);
}

/* RFC 9110 14.6, RFC 2046 5.1.1 */
Test(range, writes_parts)
{
    static const char expected[] =
        "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10"
        "\r\n\r\n01\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: "
        "bytes 8-9/10\r\n\r\n89\r\n--B--\r\n";
    piece_t whole = PIECE_MEMORY(STR("0123456789"));
    range_set_t set;
    unsigned n;
    uint64_t size;
    cr_assert_eq(range_parse(pool, STR("bytes=0-1,-2"), 10, 9, &set), RANGE_PARTIAL);
    piece_t *pieces = range_pieces(pool, &set, &whole, STR("B"), STR("text/plain"), &n, &size);
    cr_expect(str_eq(joined(pieces, n), str_of(expected)), STR_FMT, STR_ARG(joined(pieces, n)));
    cr_expect_eq(size, sizeof(expected) - 1);
    pieces = range_pieces(pool, &set, &whole, STR("B"), (str_t){NULL, 0}, &n, &size);
    str_t untyped = joined(pieces, n);
    cr_expect_eq(str_search(untyped, STR("Content-Type")), untyped.n);
}

Test(range, cuts_files_by_offset)
{
    piece_t whole = {.n = 1000, .fd = 7, .at = 50};
    range_set_t set;
    unsigned n;
    uint64_t size;
    cr_assert_eq(range_parse(pool, STR("bytes=10-19,30-39"), 1000, 9, &set), RANGE_PARTIAL);
    piece_t *pieces = range_pieces(pool, &set, &whole, STR("B"), (str_t){NULL, 0}, &n, &size);
    cr_assert_eq(n, 5);
    cr_expect(pieces[1].fd == 7 && pieces[1].at == 60 && pieces[1].n == 10);
    cr_expect(pieces[3].fd == 7 && pieces[3].at == 80 && pieces[3].n == 10);
}

Test(range, makes_boundaries_that_differ)
{
    str_t a = range_boundary(pool), b = range_boundary(pool), type = range_multipart_type(pool, a);
    cr_expect_eq(a.n, RANGE_BOUNDARY);
    cr_expect(!str_eq(a, b));
    cr_expect(str_starts(type, STR("multipart/byteranges; boundary=")) && str_ends(type, a));
}
