#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    harness_end(h);
}

TestSuite(var, .fini = teardown);

#define HEAD "GET /p?k=v HTTP/1.1\r\nHost: h\r\n\r\n"

static void fails(const char *text, const char *message)
{
    const char *errors = harness_renew(&h, "%s", text);
    cr_assert(strstr(errors, message), "%s: %s", text, errors);
}

static int use(const char *name)
{
    harness_enter(h);
    return var_use(&h->cf, http_conf_read(&h->cf)->vars, NULL, 0, str_of(name));
}

Test(var, names_what_is_unknown_and_what_was_meant)
{
    fails("server { return 200 $hots; }", "unknown \"hots\" variable");
    fails("server { return 200 $hots; }", "did you mean \"$host\"?");
    fails("server { set $colour 1; return 200 $color; }", "did you mean \"$colour\"?");
    fails("server { return 200 $arg_; }", "unknown \"arg_\" variable");
}

Test(var, may_be_used_before_it_is_defined)
{
    h = harness_new("server { listen 80; location / { return 200 [$later]; }"
                    "location /x { set $later 1; } }");
    cr_assert_str_eq(harness_get(h, "h", "/"), "200 []");
}

Test(var, refuses_to_change_what_is_built_in)
{
    fails("server { set $host x; }", "the duplicate \"host\" variable");
    fails("server { set $uri x; }", "the duplicate \"uri\" variable");
    fails("server { set host x; }", "invalid variable name \"host\"");
    fails("server { set $ x; }", "invalid variable name \"$\"");
    fails("map $uri $host { }", "the duplicate \"host\" variable");
}

Test(var, has_one_index_per_name_in_any_case)
{
    h = harness_new("server { listen 80; }");
    cr_assert_eq(use("Host"), use("host"));
    cr_assert_neq(use("host"), use("uri"));
}

Test(var, keeps_what_is_put)
{
    h = harness_new("server { listen 80; set $a 1; }");
    unsigned a = (unsigned)use("a"), field = (unsigned)use("http_x");
    request_t *r = harness_request(h, "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n");
    cr_assert_not(var_known(r, a));
    cr_assert(str_eq(var_get(r, field), STR("y")));
    var_put(r, a, STR("2"));
    cr_assert(var_known(r, a));
    cr_assert(str_eq(var_get(r, a), STR("2")));
    cr_assert(str_eq(var_get_named(r, STR("A")), STR("2")));
}

Test(var, asks_anew_only_where_it_must)
{
    h = harness_new("server { listen 80; }");
    unsigned uri = (unsigned)use("uri"), id = (unsigned)use("request_id");
    request_t *r = harness_request(h, HEAD);
    str_t first = var_get(r, id);
    cr_assert_eq(first.n, 32);
    cr_assert(str_eq(var_get(r, id), first));
    cr_assert(str_eq(var_get(r, uri), STR("/p")));
    r->uri = STR("/other");
    cr_assert(str_eq(var_get(r, uri), STR("/other")));
    first = pool_str(h->pool, first);
    cr_assert_not(str_eq(var_get(harness_request(h, HEAD), id), first));
}

Test(var, stores_args_in_the_request)
{
    h = harness_new("server { listen 80; set $args a=1; return 200 $query_string,$arg_a,$arg_k; }");
    cr_assert_str_eq(harness_get(h, "h", "/?k=v"), "200 a=1,1,");
}

Test(var, finds_names_at_run_time)
{
    h = harness_new("server { listen 80; }");
    request_t *r = harness_request(h, HEAD);
    cr_assert(str_eq(var_get_named(r, STR("Arg_K")), STR("v")));
    cr_assert(str_eq(var_get_named(r, STR("request_uri")), STR("/p?k=v")));
    cr_assert_null(var_get_named(r, STR("nonsense")).p);
    cr_assert_null(var_get_named(r, STR("arg_none")).p);
}

Test(var, cuts_a_cycle)
{
    h = harness_new(
        "map $b $a { default x$b; } map $a $b { default y$a; }"
        "map $v $v { volatile; default z$v; }"
        "server { listen 80; location / { return 200 $a; } location /v { return 200 $v; } }");
    cr_assert_str_eq(harness_get(h, "h", "/"), "200 xy");
    cr_assert_str_eq(harness_get(h, "h", "/v"), "200 z");
}
