#include <criterion/criterion.h>

#include "modules/cache/partial.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(partial, .init = tables_begin, .fini = tables_end);

static const struct {
    const char *rfc, *value;
    bool good;
    uint64_t from, n, length;
} values[] = {
    {"9110 14.4", "bytes 0-499/1234", true, 0, 500, 1234},
    {"9110 14.4", "bytes 500-999/1234", true, 500, 500, 1234},
    {"9110 14.4", "bytes 734-1233/1234", true, 734, 500, 1234},
    {"9110 14.4", "bytes 0-0/1", true, 0, 1, 1},
    {"9110 14.1", "BYTES 42-1233/1234", true, 42, 1192, 1234},
    {"9110 14.4 unknown length", "bytes 42-1233/*", false, 0, 0, 0},
    {"9110 14.4 unsatisfied", "bytes */1234", false, 0, 0, 0},
    {"9110 14.4 last-pos < first-pos", "bytes 5-4/10", false, 0, 0, 0},
    {"9110 14.4 length <= last-pos", "bytes 0-10/10", false, 0, 0, 0},
    {"9110 14.1 other unit", "lines 0-1/10", false, 0, 0, 0},
    {"syntax", "", false, 0, 0, 0},
    {"syntax", "bytes", false, 0, 0, 0},
    {"syntax", "bytes ", false, 0, 0, 0},
    {"syntax", "bytes 0", false, 0, 0, 0},
    {"syntax", "bytes 0-", false, 0, 0, 0},
    {"syntax", "bytes 0-1", false, 0, 0, 0},
    {"syntax", "bytes 0-1/", false, 0, 0, 0},
    {"syntax", "bytes -1/10", false, 0, 0, 0},
    {"syntax", "bytes 0--1/10", false, 0, 0, 0},
    {"syntax", "bytes=0-1/10", false, 0, 0, 0},
    {"syntax", "bytes 0-1/10, 2-3/10", false, 0, 0, 0},
    {"too large", "bytes 0-1/9223372036854775808", false, 0, 0, 0},
    {"too large", "bytes 0-1/99999999999999999999", false, 0, 0, 0},
    {"large", "bytes 0-9223372036854775806/9223372036854775807", true, 0, 9223372036854775807u,
     9223372036854775807u},
};

Test(partial, content_range)
{
    for (size_t i = 0; i < ROWS(values); i++) {
        partial_t p;
        bool good = partial_parse(str_of(values[i].value), &p);
        cr_expect_eq(good, values[i].good, "%s: %s", values[i].rfc, values[i].value);
        if (!good || !values[i].good) continue;
        cr_expect_eq(p.range.from, values[i].from, "%s", values[i].value);
        cr_expect_eq(p.range.n, values[i].n, "%s", values[i].value);
        cr_expect_eq(p.length, values[i].length, "%s", values[i].value);
    }
}

/* RFC 9110 15.3.7: a server may send other ranges than it was asked for. */
static const struct {
    const char *value;
    range_t wanted;
    int64_t body;
    bool fits;
} fits[] = {
    {"bytes 0-9/45", {0, 10}, 10, true},   {"bytes 40-44/45", {40, 10}, 5, true},
    {"bytes 0-44/45", {0, 100}, 45, true}, {"bytes 10-19/45", {10, 10}, -1, true},
    {"bytes 0-9/45", {0, 10}, 9, false},   {"bytes 0-9/45", {0, 10}, 11, false},
    {"bytes 1-9/45", {0, 10}, 9, false},   {"bytes 0-8/45", {0, 10}, 9, false},
    {"bytes 0-19/45", {0, 10}, 20, false}, {"bytes 40-43/45", {40, 10}, 4, false},
    {"bytes 0-9/*", {0, 10}, 10, false},   {"", {0, 10}, 10, false},
};

Test(partial, holds_what_was_asked_for)
{
    for (size_t i = 0; i < ROWS(fits); i++) {
        partial_t p;
        header_list_t fields = tables_fields(*fits[i].value ? pool_cstr(tables_pool,
            pool_printf(tables_pool, "Content-Range: %s", fits[i].value)) : "X: y");
        cr_expect_eq(partial_fits(&fields, &fits[i].wanted, fits[i].body, &p), fits[i].fits,
                     "%s, %ld", fits[i].value, (long)fits[i].body);
    }
}

/* RFC 9110 8.8.1, 8.8.2.2, 13.1.5, 15.3.7.3. */
static const struct {
    const char *fields, *validator; /* NULL: none */
} validators[] = {
    {"ETag: \"a\"", "\"a\""},
    {"ETag: \"\"", "\"\""},
    {"ETag: W/\"a\"", NULL},
    {"ETag: a", NULL},
    {"X: y", NULL},
    {"ETag: \"a\"\nLast-Modified: $-60", "\"a\""},
    {"Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"},
    {"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", NULL},
    {"Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT", NULL},
    {"Last-Modified: yesterday", NULL},
    {"ETag: W/\"a\"\nLast-Modified: Sun, 06 Nov 1994 08:49:36 GMT",
     "Sun, 06 Nov 1994 08:49:36 GMT"},
};

Test(partial, strong_validators)
{
    for (size_t i = 0; i < ROWS(validators); i++) {
        header_list_t fields = tables_fields(validators[i].fields);
        str_t v = partial_validator(&fields, NOW);
        cr_expect_eq(v.p != NULL, validators[i].validator != NULL, "%s", validators[i].fields);
        if (v.p && validators[i].validator)
            cr_expect(str_eq(v, str_of(validators[i].validator)), "%s", validators[i].fields);
    }
}

/* What is stored says `content_range` and has so many bytes. */
static const struct {
    const char *rfc, *content_range;
    int64_t body;
    const char *range;
    bool held;
} holds[] = {
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=5-9", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=6-7", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=9-", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=-5", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=-1", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=7-99", true},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=4-9", false},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=0-1", false},
    {"9111 3.3", "bytes 5-9/10", 5, "bytes=-6", false},
    {"9111 3.3", "bytes 2-4/10", 3, "bytes=4-5", false},
    {"9111 3.3", "bytes 2-4/10", 3, "bytes=2-", false},
    {"9111 3.3 incomplete", "bytes 4-9/10", 5, "bytes=6-8", true},
    {"9111 3.3 incomplete", "bytes 4-9/10", 5, "bytes=6-9", false},
    {"9111 3.3 incomplete", "bytes 4-9/10", 5, "bytes=-1", false},
    {"9111 3.3 incomplete", "bytes 4-9/10", 0, "bytes=4-4", false},
    {"9110 14.4 too long", "bytes 5-9/10", 6, "bytes=5-9", false},
    {"9110 14.4", "bytes 5-9/*", 5, "bytes=5-9", false},
    {"9110 14.4", "bytes 9-5/10", 5, "bytes=5-9", false},
    {"9110 14.4", "lines 5-9/10", 5, "bytes=5-9", false},
    {"9110 14.2 several", "bytes 5-9/10", 5, "bytes=5-5,7-7", false},
    {"9110 14.1.2 behind", "bytes 5-9/10", 5, "bytes=10-", false},
    {"9110 14.2 malformed", "bytes 5-9/10", 5, "bytes=x", false},
    {"9110 14.1.1 large", "bytes 5-9/10", 5, "bytes=18446744073709551615-", false},
    {"9111 3.3 on its way", "bytes 5-9/10", -1, "bytes=5-9", false},
};

Test(partial, knows_what_lies_within)
{
    for (size_t i = 0; i < ROWS(holds); i++) {
        header_list_t fields = tables_fields("X: y");
        header_add_id(&fields, HEADER_CONTENT_RANGE, str_of(holds[i].content_range));
        partial_t got;
        cr_expect_eq(partial_holds(tables_pool, &fields, holds[i].body, str_of(holds[i].range),
                                   &got), holds[i].held, "RFC %s: %s, %lld, %s", holds[i].rfc,
                     holds[i].content_range, (long long)holds[i].body, holds[i].range);
    }
}
