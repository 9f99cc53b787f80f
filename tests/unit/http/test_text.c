#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void setup(void)
{
    h = harness_new("server { listen 80; set $a A; set $long_name L; set $empty \"\"; }");
}

static void teardown(void)
{
    harness_end(h);
}

TestSuite(text, .init = setup, .fini = teardown);

static text_t compile(const char *source)
{
    text_t t;
    harness_enter(h);
    cr_assert(text_compile(&h->cf, NULL, 0, str_of(source), &t), "%s", source);
    return t;
}

static void fails(const char *source, const char *message)
{
    text_t t;
    harness_enter(h);
    cr_assert_not(text_compile(&h->cf, NULL, 0, str_of(source), &t), "%s", source);
    str_t errors = harness_errors(h);
    cr_assert(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, source,
              STR_ARG(errors));
}

static void gives(const char *source, const char *want)
{
    text_t t = compile(source);
    request_t *r = harness_request(h, "GET /p%20q?k=v&arr=2 HTTP/1.1\r\nHost: h\r\n\r\n");
    var_put(r, (unsigned)compile("$a").parts->var, STR("A"));
    var_put(r, (unsigned)compile("$long_name").parts->var, STR("L"));
    str_t got = text_eval(&t, r);
    cr_assert(str_eq(got, str_of(want)), "%s: " STR_FMT, source, STR_ARG(got));
}

Test(text, puts_variables_in)
{
    gives("x$a", "xA");
    gives("${a}x", "Ax");
    gives("$a$a-${long_name}", "AA-L");
    gives("$a.$long_name/", "A.L/");
    gives("$A", "A");
    gives("$uri$is_args$args", "/p q?k=v&arr=2");
    gives("$arg_k$arg_nope!", "v!");
}

Test(text, keeps_a_constant_as_it_is)
{
    text_t t = compile("a {b} \\ \" }");
    cr_assert(text_is_constant(&t));
    gives("a {b} \\ \" }", "a {b} \\ \" }");
    cr_assert_eq(text_eval(&t, NULL).p, t.source.p);
    gives("", "");
}

Test(text, gives_a_single_variable_without_a_copy)
{
    text_t uri = compile("$uri"), none = compile("$arg_none");
    request_t *r = harness_request(h, "GET /abc HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(text_eval(&uri, r).p, r->uri.p);
    cr_assert_not_null(text_eval(&none, r).p);
}

Test(text, joins_more_parts_than_fit_its_array)
{
    gives("$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a.$a",
          "A.A.A.A.A.A.A.A.A.A.A.A.A.A.A.A.A.A.A.A");
}

Test(text, knows_groups)
{
    char error[REGEX_ERROR_MAX];
    size_t at;
    regex_t *re = regex_compile(h->pool, STR("(.)(.)(x)?"), false, error, &at);
    text_t t = compile("$1-${2}0$3$20");
    request_t *r = harness_request(h, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(str_eq(text_eval(&t, r), STR("-00")));
    r->captures = POOL_NEW(r->pool, regex_match_t);
    cr_assert_eq(regex_match(re, STR("a?"), r->captures), 1);
    cr_assert(str_eq(text_eval(&t, r), STR("a-?0?0")));
    cr_assert(str_eq(text_eval_escaped(&t, r, URI_ESCAPE_PATH), STR("a-%3F0%3F0")));
}

Test(text, says_what_is_wrong)
{
    fails("a$", "invalid variable name");
    fails("$-", "invalid variable name");
    fails("$$", "invalid variable name");
    fails("${}", "invalid variable name");
    fails("${a", "the closing bracket in \"a\" variable is missing");
    fails("${a-}", "the closing bracket in \"a\" variable is missing");
}

Test(text, is_true_unless_empty_or_0)
{
    static const struct {
        const char *source;
        bool want;
    } cases[] = {{"0", false}, {"", false},   {"00", true},
                 {"1", true},  {"off", true}, {"$arg_no", false}};
    request_t *r = harness_request(h, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        text_t t = compile(cases[i].source);
        cr_assert_eq(text_true(&t, r), cases[i].want, "%s", cases[i].source);
    }
}
