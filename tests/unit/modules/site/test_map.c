#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(map, .fini = teardown);

static void map(const char *text)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool,
                                "%s server { listen 80; location / { return 200 $m; }"
                                "location ~ ^/re/(.*) { return 200 $1,$m,$1; }"
                                "location /twice { set $a $m; set $args k=b; return 200 $a,$m; } }",
                                text)
                        .p);
    pool_destroy(pool);
}

static void gives(const char *host, const char *target, const char *want)
{
    const char *got = harness_get(h, host, target);
    cr_assert_str_eq(got, want, "%s: %s", target, got);
}

static void fails(const char *text, const char *message)
{
    map(text);
    str_t errors = harness_errors(h);
    cr_assert(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, text,
              STR_ARG(errors));
}

/* http://nginx.org/en/docs/http/ngx_http_map_module.html */
Test(map, looks_up_exact_keys_without_case_then_patterns_in_order_then_the_default)
{
    map("map $arg_k $m { default d; a A; Bb $arg_v; ~^x(\\d+)$ n$1; ~*^X y; ~^x z; \"\" empty; "
        "\\default e; }");
    gives("h", "/?k=a", "200 A");
    gives("h", "/?k=A", "200 A");
    gives("h", "/?k=bB&v=V", "200 V");
    gives("h", "/?k=x42", "200 n42");
    gives("h", "/?k=xq", "200 y");
    gives("h", "/?k=XQ", "200 y");
    gives("h", "/?k=other", "200 d");
    gives("h", "/", "200 empty");
    gives("h", "/?k=default", "200 e");
}

Test(map, is_empty_without_a_default)
{
    map("map $arg_k $m { a A; }");
    gives("h", "/?k=b", "200 ");
}

Test(map, knows_host_names_and_wildcards)
{
    map("map $http_host $m { hostnames; default none; a.example.org exact; *.example.org lead;"
        "example.* trail; .both.net both; ~net re; }");
    gives("a.example.org", "/", "200 exact");
    gives("a.example.org.", "/", "200 exact");
    gives("B.Example.ORG", "/", "200 lead");
    gives("example.com", "/", "200 trail");
    gives("both.net", "/", "200 both");
    gives("x.both.net", "/", "200 both");
    gives("other.net", "/", "200 re");
    gives("x.y", "/", "200 none");
}

Test(map, leaves_the_groups_of_the_request_alone)
{
    map("map $uri $m { ~(.)$ last-$1; }");
    gives("h", "/re/abc", "200 abc,last-c,abc");
}

Test(map, is_asked_once_unless_volatile)
{
    map("map $arg_k $m { a A; b B; }");
    gives("h", "/twice?k=a", "200 A,A");
    map("map $arg_k $m { volatile; a A; b B; }");
    gives("h", "/twice?k=a", "200 A,B");
}

Test(map, takes_a_text_for_its_source)
{
    map("map $arg_a-$arg_b $m { 1-2 yes; default no; }");
    gives("h", "/?a=1&b=2", "200 yes");
    gives("h", "/?a=1", "200 no");
}

Test(map, says_what_is_wrong)
{
    fails("map $arg_k $m { a 1; A 2; }", "conflicting parameter \"A\"");
    fails("map $arg_k $m { default 1; default 2; }", "duplicate default map parameter");
    fails("map $arg_k $m { a; }", "invalid number of the map parameters");
    fails("map $arg_k $m { a b c; }", "invalid number of the map parameters");
    fails("map $arg_k $m { a { } }", "invalid number of the map parameters");
    fails("map $arg_k $m { ~( x; }", "regular expression \"(\"");
    fails("map $arg_k $m { hostnames; a*b x; }", "invalid hostname or wildcard \"a*b\"");
    fails("map $arg_k m { }", "invalid variable name \"m\"");
    fails("map $arg_k $m { a $no; }", "unknown \"no\" variable");
}
