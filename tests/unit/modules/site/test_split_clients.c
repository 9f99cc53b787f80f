#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(split_clients, .fini = teardown);

static void split(const char *lines)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "split_clients \"$arg_s\" $v { %s }"
                                      "server { listen 80; return 200 $v; }", lines).p);
    pool_destroy(pool);
}

static void gives(const char *key, const char *want)
{
    const char *got = harness_get(h, "h", pool_printf(h->pool, "/?s=%s", key).p);
    cr_assert_str_eq(got + 4, want, "%s: %s", key, got);
}

static void fails(const char *lines, const char *message)
{
    split(lines);
    str_t errors = harness_errors(h);
    cr_assert(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, lines,
              STR_ARG(errors));
}

/* Known answers: nginx 1.22.1 with the same lines. */
Test(split_clients, divides_as_nginx_does)
{
    split("10% a; 20.5% b; 0.25% c; 30% d; * rest;");
    gives("", "a"), gives("a", "d"), gives("ab", "b"), gives("abc", "a"), gives("abcd", "b");
    gives("abcde", "d"), gives("hello", "rest"), gives("127.0.0.1", "rest"), gives("foo", "d");
    gives("bar", "b"), gives("baz", "rest"), gives("quux", "b"), gives("user1", "a");
    gives("user2", "b"), gives("user3", "rest"), gives("user4", "d"), gives("user8", "d");
    gives("session-1234567", "d");
}

Test(split_clients, is_empty_where_no_share_is_left)
{
    split("10% a;");
    gives("abc", "a");
    gives("hello", "");
}

Test(split_clients, says_what_is_wrong)
{
    fails("60% a; 40.01% b;", "percent total is greater than 100%");
    fails("0% a;", "invalid percent value \"0%\"");
    fails("10 a;", "invalid percent value \"10\"");
    fails("1.234% a;", "invalid percent value \"1.234%\"");
    fails("1.% a;", "invalid percent value \"1.%\"");
    fails("101% a;", "invalid percent value \"101%\"");
    fails("10%;", "a share and a value are needed");
}
