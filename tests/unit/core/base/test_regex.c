#include <criterion/criterion.h>

#include "core/base/regex.h"

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(regex, .init = setup, .fini = teardown);

static regex_t *compile(const char *pattern, bool fold_case)
{
    char error[REGEX_ERROR_MAX];
    size_t at;
    regex_t *re = regex_compile(pool, str_of(pattern), fold_case, error, &at);
    cr_assert_not_null(re, "%s: %s", pattern, error);
    return re;
}

static void group_is(const regex_match_t *m, unsigned group, const char *want)
{
    str_t s = regex_group(m, group);
    cr_assert(str_eq(s, str_of(want)), "%u: " STR_FMT, group, STR_ARG(s));
}

Test(regex, copies_groups_out)
{
    regex_t *re = compile("(a+)(x)?(b*)$", false);
    regex_match_t m;
    cr_assert_eq(regex_match(re, STR("caab"), &m), 1);
    cr_assert_eq(regex_groups(re), 3);
    cr_assert_eq(m.count, 4);
    group_is(&m, 0, "aab");
    group_is(&m, 1, "aa");
    cr_assert_null(regex_group(&m, 2).p);
    group_is(&m, 3, "b");
    cr_assert_null(regex_group(&m, 4).p);
    cr_assert_null(regex_group(&m, 31).p);
}

Test(regex, knows_an_empty_group_from_an_absent_one)
{
    regex_match_t m;
    cr_assert_eq(regex_match(compile("^(x*)(y)?", false), STR(""), &m), 1);
    cr_assert_not_null(regex_group(&m, 1).p);
    cr_assert_eq(regex_group(&m, 1).n, 0);
    cr_assert_null(regex_group(&m, 2).p);
}

Test(regex, leaves_the_match_alone_when_there_is_none)
{
    regex_match_t m = {.count = 77};
    cr_assert_eq(regex_match(compile("^a$", false), STR("b"), &m), 0);
    cr_assert_eq(m.count, 77);
    cr_assert_eq(regex_match(compile("^$", false), (str_t){NULL, 0}, NULL), 1);
}

Test(regex, folds_case_only_when_asked)
{
    cr_assert_eq(regex_match(compile("^/A$", false), STR("/a"), NULL), 0);
    cr_assert_eq(regex_match(compile("^/A$", true), STR("/a"), NULL), 1);
}

Test(regex, names_groups)
{
    regex_t *re = compile("(?<year>\\d{4})-(\\d\\d)-(?<day>\\d\\d)", false);
    str_t name;
    unsigned group;
    cr_assert(regex_name(re, 0, &name, &group));
    cr_assert(str_eq(name, STR("day")));
    cr_assert_eq(group, 3);
    cr_assert(regex_name(re, 1, &name, &group));
    cr_assert(str_eq(name, STR("year")));
    cr_assert_eq(group, 1);
    cr_assert_not(regex_name(re, 2, &name, &group));
}

Test(regex, says_what_is_wrong_and_where)
{
    char error[REGEX_ERROR_MAX];
    size_t at = 0;
    cr_assert_null(regex_compile(pool, STR("ab(c"), false, error, &at));
    cr_assert_eq(at, 4);
    cr_assert_not_null(strstr(error, "parenthes"), "%s", error);
}

Test(regex, refuses_more_groups_than_a_match_can_hold)
{
    char pattern[3 * REGEX_GROUPS_MAX + 1] = "", error[REGEX_ERROR_MAX];
    size_t at;
    for (int i = 0; i < REGEX_GROUPS_MAX - 1; i++) strcat(pattern, "(a)");
    compile(pattern, false);
    strcat(pattern, "(a)");
    cr_assert_null(regex_compile(pool, str_of(pattern), false, error, &at));
}

Test(regex, gives_up_on_a_pattern_that_runs_away)
{
    char subject[41];
    memset(subject, 'a', 40);
    subject[40] = 'b';
    cr_assert_eq(regex_match(compile("^(a+)+$", false), str_make(subject, 41), NULL), -1);
}

Test(regex, needs_no_stack_of_the_caller_for_a_deep_subject)
{
    size_t n = 60000;
    char *subject = pool_bytes(pool, n);
    memset(subject, 'a', n);
    regex_match_t m;
    cr_assert_neq(regex_match(compile("^(?:(a)|b)*$", false), str_make(subject, n), &m), 0);
}

Test(regex, matches_bytes)
{
    cr_assert_eq(regex_match(compile("^..$", false), STR("\xc3\xa9"), NULL), 1);
    cr_assert_eq(regex_match(compile("^a.b$", false), str_make("a\0b", 3), NULL), 1);
}
