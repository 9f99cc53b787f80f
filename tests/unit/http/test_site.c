#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    harness_end(h);
}

TestSuite(site, .fini = teardown);

static void gives(const char *target, const char *want)
{
    const char *got = harness_get(h, "one", target);
    cr_assert_str_eq(got, want, "%s: %s", target, got);
}

static void host_gives(const char *host, const char *want)
{
    const char *got = harness_get(h, host, "/");
    cr_assert_str_eq(got, want, "%s: %s", host, got);
}

static void fails(const char *text, const char *message)
{
    const char *errors = harness_renew(&h, "%s", text);
    cr_assert(strstr(errors, message), "%s: %s", text, errors);
}

/* http://nginx.org/en/docs/http/ngx_http_core_module.html#location */
Test(site, finds_locations_in_nginx_s_order)
{
    h = harness_new("server { listen 80;"
                    "location = / { return 200 A; }"
                    "location / { return 200 B; }"
                    "location /documents/ { return 200 C; }"
                    "location ^~ /images/ { return 200 D; }"
                    "location ~* \\.(gif|jpg|jpeg)$ { return 200 E; }"
                    "location ~ \\.gif$ { return 200 F; } }");
    gives("/", "200 A");
    gives("/index.html", "200 B");
    gives("/documents/document.html", "200 C");
    gives("/images/1.gif", "200 D");
    gives("/documents/1.jpg", "200 E");
    gives("/documents/1.GIF", "200 E");
}

#define NEST \
    "location /nest/ { location /nest/a/ { return 200 a; }" \
    "  location ~ \\.x$ { return 200 nested-x; }" \
    "  location = /nest/eq { return 200 eq; } return 200 nest; }" \
    "location ~ \\.x$ { return 200 outer-x; }"

/* As nginx 1.22.1 answers the same. */
Test(site, asks_the_regular_expressions_of_a_nested_level_first)
{
    h = harness_new(
        "server { listen 80;" NEST
        "location ^~ /strong/ { location ~ \\.y$ { return 200 nested-y; } return 200 s; }"
        "location ~ \\.y$ { location /sub { return 200 no; } return 200 outer-y; }"
        "}");
    cr_assert(harness_errors(h).n > 0); /* /sub is outside of its parent */
    harness_end(h);
    h = harness_new(
        "server { listen 80;" NEST
        "location ^~ /strong/ { location ~ \\.y$ { return 200 nested-y; }"
        "  location /strong/in/ { return 200 in; } return 200 s; }"
        "location ~ \\.y$ { location ~ /deep { return 200 deep-y; } return 200 outer-y; }"
        "location ~ ^/user/(?<id>\\d+)$ { return 200 $id-$1; } }");
    gives("/nest/", "200 nest");
    gives("/nest/a/", "200 a");
    gives("/nest/a/q.x", "200 nested-x");
    gives("/nest/q.y", "200 outer-y");
    gives("/nest/eq", "200 eq");
    gives("/q.x", "200 outer-x");
    gives("/strong/q.y", "200 nested-y");
    gives("/strong/q.x", "200 s");
    gives("/strong/in/q.y", "200 nested-y");
    gives("/strong/in/", "200 in");
    gives("/deep/q.y", "200 deep-y");
    gives("/user/17", "200 17-17");
}

Test(site, says_what_is_wrong_with_locations)
{
    fails("server { location ^ /x { } }", "invalid location modifier \"^\"");
    fails("server { location /x { } location ^~ /x { } }", "duplicate location \"/x\"");
    fails("server { location = /x { location /x/y { } } }",
          "cannot be inside the exact location \"/x\"");
    fails("server { location @x { location /x { } } }",
          "cannot be inside the named location \"@x\"");
    fails("server { location /x { location @y { } } }", "can be on the server level only");
    fails("server { location /x { location /y { } } }", "is outside location \"/x\"");
    fails("server { location @x { } location @x { } }", "duplicate location \"@x\"");
    fails("server { location ~ ( { } }", "regular expression \"(\"");
    fails("server { location ~ ^/(?<host>x) { } }", "the duplicate \"host\" variable");
}

Test(site, takes_modifiers_written_at_one_with_the_name)
{
    h = harness_new("server { listen 80; location =/x { return 200 exact; }"
                    "location ~*\\.A$ { return 200 fold; } location ~\\.B$ { return 200 case; }"
                    "location ^~/y { return 200 strong; } location / { return 200 root; } }");
    gives("/x", "200 exact");
    gives("/q.a", "200 fold");
    gives("/q.b", "200 root");
    gives("/q.B", "200 case");
    gives("/y.a", "200 strong");
}

/* http://nginx.org/en/docs/http/server_names.html */
Test(site, finds_servers_in_nginx_s_order)
{
    h = harness_new(
        "server { listen 80; server_name first; return 200 fallback; }"
        "server { listen 80; server_name ~^www\\.(?<who>.+)\\.test$; return 200 re-$who; }"
        "server { listen 80; server_name ~test; return 200 later; }"
        "server { listen 80; server_name www.*; return 200 trailing; }"
        "server { listen 80; server_name *.Example.org; return 200 leading; }"
        "server { listen 80; server_name www.example.org .both.net; return 200 exact; }");
    host_gives("www.example.org", "200 exact");
    host_gives("WWW.EXAMPLE.ORG.", "200 exact");
    host_gives("www.example.org:8080", "200 exact");
    host_gives("a.example.org", "200 leading");
    host_gives("both.net", "200 exact");
    host_gives("x.both.net", "200 exact");
    host_gives("www.x.test", "200 trailing");
    host_gives("x.test", "200 later");
    host_gives("other", "200 fallback");
}

Test(site, takes_the_captures_of_a_server_name)
{
    h = harness_new("server { listen 80; server_name ~^(?<sub>\\w+)\\.(x)$; return 200 $sub-$2; }");
    host_gives("abc.x", "200 abc-x");
}

Test(site, prefers_the_default_server_over_the_first)
{
    h = harness_new("server { listen 80; server_name a; return 200 a; }"
                    "server { listen 80 default_server; server_name b; return 200 b; }");
    host_gives("zzz", "200 b");
    host_gives("a", "200 a");
}

Test(site, says_what_is_wrong_with_names)
{
    fails("server { server_name a.*.b; }", "invalid server name or wildcard \"a.*.b\"");
    fails("server { server_name ~; }", "empty regex in server name");
    fails("server { server_name ~(; }", "regular expression \"(\"");
}

Test(site, refuses_the_request_on_which_a_pattern_runs_away)
{
    h = harness_new("server { listen 80; location ~ ^/(a+)+$ { return 200 no; }"
                    "location / { return 200 no; } }");
    const char *got = harness_get(h, "one", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    cr_assert(strncmp(got, "500", 3) == 0, "%s", got);
}

static str_t many_servers(pool_t *pool, unsigned count)
{
    str_t all = {pool_bytes(pool, count * 96), 0};
    for (unsigned i = 0; i < count; i++)
        all.n +=
            (size_t)sprintf((char *)(uintptr_t)all.p + all.n,
                            "server { listen 80; server_name n%u.test; return 200 %u; }", i, i);
    return all;
}

/* Ten thousand names stand in a table that is at most half full, so a lookup is a few comparisons.
 */
Test(site, keeps_its_names_in_a_hash)
{
    pool_t *pool = pool_create();
    h = harness_new(many_servers(pool, 10000).p);
    host_gives("n0.test", "200 0");
    host_gives("n9999.test", "200 9999");
    const site_address_t *address = h->generation.listens.first->data;
    cr_assert_eq(address->names.exact.count, 10000);
    cr_assert_geq(address->names.exact.mask + 1, 2 * 10000);
    pool_destroy(pool);
}
