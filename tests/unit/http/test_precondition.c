#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "http/precondition.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The representation: modified at the date of RFC 9110 5.6.7, seen an hour later. */
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
enum { MODIFIED = 784111777 };

enum { PASS = PRECONDITION_PASS, KNOWN = PRECONDITION_NOT_MODIFIED, FAILED = PRECONDITION_FAILED };

static pool_t *pool;

static void begin(void)
{
    pool = pool_create();
}

static void end(void)
{
    pool_destroy(pool);
}

TestSuite(precondition, .init = begin, .fini = end);

/* "Name: value\nName: value" */
static header_list_t fields(const char *text)
{
    header_list_t list;
    str_t rest = str_of(text), line;
    header_list_init(&list, pool);
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        header_add(&list, str_sub(line, 0, colon), str_sub(line, colon + 2, line.n));
    }
    return list;
}

typedef struct row {
    const char *fields;
    parse_method_t method;
    int expected;
    const char *why;
} row_t;

static void check(const row_t *row, const precondition_target_t *target)
{
    header_list_t list = fields(row->fields);
    bool range;
    int got = (int)precondition_check(&list, row->method, target, &range);
    cr_expect_eq(got, row->expected, "%s: got %d instead of %d for %s", row->why, got,
                 row->expected, row->fields);
}

static precondition_target_t target_of(const char *etag)
{
    return (precondition_target_t){.etag = etag ? str_of(etag) : (str_t){NULL, 0},
                                   .last_modified = MODIFIED,
                                   .now = MODIFIED + 3600,
                                   .since = PRECONDITION_SINCE_BEFORE};
}

Test(precondition, judges_entity_tags)
{
    static const row_t rows[] = {
        {"If-Match: \"a\"", METHOD_GET, PASS, "RFC 9110 13.1.1"},
        {"If-Match: \"b\"", METHOD_GET, FAILED, "13.1.1"},
        {"If-Match: \"b\", \"a\"", METHOD_PUT, PASS, "13.1.1: any of the list"},
        {"If-Match: \"b\"\nIf-Match: \"a\"", METHOD_PUT, PASS, "5.3: several lines are one list"},
        {"If-Match: *", METHOD_GET, PASS, "13.1.1: there is a representation"},
        {"If-Match: W/\"a\"", METHOD_GET, FAILED, "13.1.1: strong comparison"},
        {"If-Match: a", METHOD_GET, FAILED, "8.8.3: quotes are part of it"},
        {"If-Match: ", METHOD_GET, FAILED, "13.1.1"},
        {"If-None-Match: \"a\"", METHOD_GET, KNOWN, "13.1.2"},
        {"If-None-Match: \"a\"", METHOD_HEAD, KNOWN, "13.1.2"},
        {"If-None-Match: \"a\"", METHOD_PUT, FAILED, "13.1.2: other methods get 412"},
        {"If-None-Match: W/\"a\"", METHOD_GET, KNOWN, "13.1.2: weak comparison"},
        {"If-None-Match: \"b\"", METHOD_GET, PASS, "13.1.2"},
        {"If-None-Match: *", METHOD_GET, KNOWN, "13.1.2"},
        {"If-None-Match: *", METHOD_PUT, FAILED, "13.1.2"},
        {"If-None-Match: \"x,\\\", \"a\"", METHOD_GET, KNOWN, "8.8.3: no escapes; commas inside"},
        {"If-None-Match: ,, \"b\" ,\t\"a\",", METHOD_GET, KNOWN, "5.6.1.2: empty members"},
        {"If-None-Match: \"b\" \"a\"", METHOD_GET, PASS, "malformed: nothing behind it counts"},
        {"If-None-Match: \"a", METHOD_GET, PASS, "malformed"},
        {"If-None-Match: w/\"a\"", METHOD_GET, PASS, "8.8.3: W is case-sensitive"},
    };
    precondition_target_t strong = target_of("\"a\"");
    for (size_t i = 0; i < COUNT(rows); i++) check(&rows[i], &strong);
}

Test(precondition, compares_weak_tags_of_its_own)
{
    static const row_t rows[] = {
        {"If-Match: W/\"a\"", METHOD_GET, FAILED, "RFC 9110 8.8.3.2: both weak"},
        {"If-Match: \"a\"", METHOD_GET, FAILED, "8.8.3.2: one weak"},
        {"If-None-Match: \"a\"", METHOD_GET, KNOWN, "8.8.3.2: weak comparison"},
    }, none[] = {
        {"If-Match: \"a\"", METHOD_GET, FAILED, "13.1.1: nothing to match"},
        {"If-Match: *", METHOD_GET, PASS, "13.1.1"},
        {"If-None-Match: \"\"", METHOD_GET, PASS, "13.1.2: no tag is not the empty tag"},
    };
    precondition_target_t weak = target_of("W/\"a\""), without = target_of(NULL);
    for (size_t i = 0; i < COUNT(rows); i++) check(&rows[i], &weak);
    for (size_t i = 0; i < COUNT(none); i++) check(&none[i], &without);
}

Test(precondition, judges_dates)
{
    static const row_t rows[] = {
        {"If-Modified-Since: " BEFORE, METHOD_GET, PASS, "RFC 9110 13.1.3"},
        {"If-Modified-Since: " SAME, METHOD_GET, KNOWN, "13.1.3"},
        {"If-Modified-Since: " AFTER, METHOD_GET, KNOWN, "13.1.3: earlier or equal"},
        {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", METHOD_GET, KNOWN, "5.6.7: rfc850"},
        {"If-Modified-Since: yesterday", METHOD_GET, PASS, "13.1.3: no date, no condition"},
        {"If-Modified-Since: " SAME "\nIf-Modified-Since: " SAME, METHOD_GET, PASS,
         "13.1.3: one only"},
        {"If-Modified-Since: " SAME, METHOD_POST, PASS, "13.1.3: GET and HEAD only"},
        {"If-Unmodified-Since: " BEFORE, METHOD_GET, FAILED, "13.1.4"},
        {"If-Unmodified-Since: " SAME, METHOD_GET, PASS, "13.1.4"},
        {"If-Unmodified-Since: " AFTER, METHOD_PUT, PASS, "13.1.4"},
        {"If-Unmodified-Since: " BEFORE, METHOD_PUT, FAILED, "13.1.4"},
        {"If-Unmodified-Since: x", METHOD_PUT, PASS, "13.1.4: no date, no condition"},
    };
    precondition_target_t target = target_of("\"a\"");
    for (size_t i = 0; i < COUNT(rows); i++) check(&rows[i], &target);
    target.last_modified = -1;
    check(&(row_t){"If-Modified-Since: " SAME, METHOD_GET, PASS, "13.1.3: no date"}, &target);
    check(&(row_t){"If-Unmodified-Since: " BEFORE, METHOD_GET, PASS, "13.1.4: no date"}, &target);
}

Test(precondition, takes_if_modified_since_as_it_is_told)
{
    precondition_target_t target = target_of(NULL);
    target.since = PRECONDITION_SINCE_EXACT;
    check(&(row_t){"If-Modified-Since: " AFTER, METHOD_GET, PASS, "exact"}, &target);
    check(&(row_t){"If-Modified-Since: " SAME, METHOD_GET, KNOWN, "exact"}, &target);
    target.since = PRECONDITION_SINCE_OFF;
    check(&(row_t){"If-Modified-Since: " SAME, METHOD_GET, PASS, "off"}, &target);
}

Test(precondition, keeps_the_order_of_13_2_2)
{
    static const row_t rows[] = {
        {"If-Match: \"a\"\nIf-Unmodified-Since: " BEFORE, METHOD_GET, PASS,
         "step 2 needs no step 1"},
        {"If-Match: \"b\"\nIf-None-Match: \"a\"", METHOD_GET, FAILED, "1 before 3"},
        {"If-Match: \"a\"\nIf-None-Match: \"a\"", METHOD_GET, KNOWN, "1, then 3"},
        {"If-Unmodified-Since: " BEFORE "\nIf-None-Match: \"a\"", METHOD_GET, FAILED, "2 before 3"},
        {"If-None-Match: \"b\"\nIf-Modified-Since: " SAME, METHOD_GET, PASS, "4 needs no step 3"},
        {"If-None-Match: \"a\"\nIf-Modified-Since: " BEFORE, METHOD_GET, KNOWN, "3, not 4"},
    };
    precondition_target_t target = target_of("\"a\"");
    for (size_t i = 0; i < COUNT(rows); i++) check(&rows[i], &target);
}

Test(precondition, says_whether_range_counts)
{
    static const struct {
        const char *fields;
        parse_method_t method;
        bool counts;
        const char *why;
    } rows[] = {
        {"X: y", METHOD_GET, false, "there is none"},
        {"Range: bytes=0-1", METHOD_GET, true, "RFC 9110 14.2"},
        {"Range: bytes=0-1", METHOD_HEAD, false, "14.2: GET only"},
        {"Range: bytes=0-1", METHOD_POST, false, "14.2: GET only"},
        {"Range: bytes=0-1\nRange: bytes=4-5", METHOD_GET, false, "5.3: not a list"},
        {"Range: bytes=0-1\nIf-Range: \"a\"", METHOD_GET, true, "13.1.5"},
        {"Range: bytes=0-1\nIf-Range: \"b\"", METHOD_GET, false, "13.1.5"},
        {"Range: bytes=0-1\nIf-Range: W/\"a\"", METHOD_GET, false, "13.1.5: strong comparison"},
        {"Range: bytes=0-1\nIf-Range: \"a\", \"b\"", METHOD_GET, false, "13.1.5: not a list"},
        {"Range: bytes=0-1\nIf-Range: \"a\"\nIf-Range: \"a\"", METHOD_GET, false, "13.1.5: once"},
        {"Range: bytes=0-1\nIf-Range: " SAME, METHOD_GET, true, "13.1.5: a date"},
        {"Range: bytes=0-1\nIf-Range: " AFTER, METHOD_GET, false, "13.1.5: exact match"},
        {"Range: bytes=0-1\nIf-Range: " BEFORE, METHOD_GET, false, "13.1.5: exact match"},
        {"Range: bytes=0-1\nIf-Range: Wed", METHOD_GET, false, "13.1.5: neither"},
        {"Range: bytes=0-1\nIf-Range: ", METHOD_GET, false, "13.1.5: neither"},
    };
    precondition_target_t target = target_of("\"a\"");
    for (size_t i = 0; i < COUNT(rows); i++) {
        header_list_t list = fields(rows[i].fields);
        bool range = !rows[i].counts;
        precondition_check(&list, rows[i].method, &target, &range);
        cr_expect_eq(range, rows[i].counts, "%s: %s", rows[i].why, rows[i].fields);
    }
}

Test(precondition, takes_a_fresh_date_for_no_strong_validator)
{
    header_list_t list = fields("Range: bytes=0-1\nIf-Range: " SAME);
    precondition_target_t target = target_of(NULL);
    bool range;
    target.now = MODIFIED; /* RFC 9110 8.8.2.2: it may change again within the second */
    precondition_check(&list, METHOD_GET, &target, &range);
    cr_expect(!range);
    target.now = MODIFIED + 1;
    precondition_check(&list, METHOD_GET, &target, &range);
    cr_expect(range);
}
