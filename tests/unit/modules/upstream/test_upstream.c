#include "modules/upstream/discover.h"
#include "modules/upstream/upstream.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(upstream, .fini = teardown);

static const char *errors_of(const char *text)
{
    return harness_renew(&h, "%s server { listen 80; }", text);
}

static upstream_t *find(const char *name)
{
    const upstream_conf_t *c = conf_get(h->scope, &upstream_module);
    return upstream_find(c->groups, str_of(name));
}

Test(upstream, reads_groups_and_their_servers)
{
    const char *errors = errors_of(
        "upstream Some { keepalive 7; keepalive_timeout 5s;"
        " server 10.0.0.1:81 weight=5 max_fails=0 fail_timeout=30s;"
        " server app.test; server unix:/run/a backup; server [::1]:82 down; }"
        "upstream other { server 10.0.0.1; }");
    cr_assert_str_eq(errors, "");
    upstream_t *g = find("SOME");
    cr_assert(g);
    cr_assert_eq(g->servers.n, 4);
    const upstream_server_t *s = g->servers.v;
    cr_expect_eq(s[0].weight, 5);
    cr_expect_eq(s[0].max_fails, 0);
    cr_expect_eq(s[0].fail_timeout, 30000);
    cr_expect_eq(net_port(&s[0].addr), 81);
    cr_expect(str_eq(s[1].host, STR("app.test")));
    cr_expect_eq(s[1].port, 80);
    cr_expect_eq(s[1].max_fails, 1);
    cr_expect(s[2].backup && !s[2].down);
    cr_expect(s[3].down && !s[3].backup);
    cr_expect(g->has_names);
    cr_expect_eq(g->keepalive.keep, 7);
    cr_expect_eq(g->keepalive.timeout, 5000);
    cr_expect_eq(find("other")->keepalive.keep, 64, "kept without being told");
    cr_expect_null(find("none"));
}

Test(upstream, keeps_two_connections_for_each_of_many_servers)
{
    pool_t *pool = pool_create();
    str_t servers = STR("");
    for (unsigned i = 1; i <= 100; i++)
        servers = pool_printf(pool, STR_FMT "server 10.0.0.%u;", STR_ARG(servers), i);
    errors_of(pool_printf(pool, "upstream a { " STR_FMT " } upstream b { " STR_FMT
                          " keepalive 9; }", STR_ARG(servers), STR_ARG(servers)).p);
    cr_expect_eq(find("a")->keepalive.keep, 200);
    cr_expect_eq(find("b")->keepalive.keep, 9);
    pool_destroy(pool);
}

Test(upstream, says_what_is_wrong_with_a_group)
{
    static const char *const bad[][2] = {
        {"upstream a { }", "no servers are inside upstream"},
        {"upstream a { server 10.0.0.1 backup; }", "no servers are inside upstream"},
        {"upstream a { server 10.0.0.1; } upstream A { server 10.0.0.2; }", "duplicate upstream"},
        {"upstream a { server 10.0.0.1 wieght=5; }", "invalid parameter"},
        {"upstream a { server 10.0.0.1 weight=0; }", "must be between"},
        {"upstream a { server 10.0.0.1:99999; }", "invalid host in upstream"},
        {"upstream a { server 'a b'; }", "invalid host in upstream"},
        {"upstream a { server 10.0.0.1 fail_timeout=x; }", "is not a duration"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *errors = errors_of(bad[i][0]);
        cr_expect(strstr(errors, bad[i][1]), "%s: %s", bad[i][0], errors);
    }
}

Test(upstream, makes_peers_of_known_addresses)
{
    errors_of("upstream a { server 10.0.0.1:81; server unix:/run/a; }");
    upstream_t *g = find("a");
    cr_assert_eq(discover(g, NULL), 0);
    cr_assert_eq(discover(g, NULL), 0);
    cr_assert_eq(g->peers.n, 2);
    cr_expect(str_eq(g->peers.v[0]->name, STR("10.0.0.1:81")));
    cr_expect(str_eq(g->peers.v[1]->name, STR("unix:/run/a")));
}

static const char *variable(const char *name)
{
    str_t value = var_get_named(h->r, str_of(name));
    return value.p ? pool_cstr(h->pool, value) : "(none)";
}

/* The separators and forms that nginx documents. */
Test(upstream, tells_of_several_attempts)
{
    errors_of("map $upstream_addr$upstream_status$upstream_response_time$upstream_bytes_sent $m"
              " { }");
    request_t *r = harness_request(h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect_str_eq(variable("upstream_addr"), "(none)");
    *VEC_PUSH(r->pool, &r->attempts) = (upstream_attempt_t){
        .address = STR("10.0.0.1:80"), .status = 502, .connect_us = -1, .header_us = -1,
        .response_us = 1500};
    cr_expect_str_eq(variable("upstream_addr"), "10.0.0.1:80");
    *VEC_PUSH(r->pool, &r->attempts) = (upstream_attempt_t){
        .address = STR("unix:/run/a"), .status = 200, .connect_us = 2999, .header_us = 1002000,
        .response_us = 61002999, .sent = 80, .redirected = true};
    *VEC_PUSH(r->pool, &r->attempts) = (upstream_attempt_t){.address = STR("b"), .response_us = -1};
    cr_expect_str_eq(variable("upstream_addr"), "10.0.0.1:80, unix:/run/a : b");
    cr_expect_str_eq(variable("upstream_status"), "502, 200 : -");
    cr_expect_str_eq(variable("upstream_response_time"), "0.001, 61.002 : -");
    cr_expect_str_eq(variable("upstream_bytes_sent"), "0, 80 : 0");
}

Test(upstream, takes_methods_and_limits)
{
    static const char *const good[] = {
        "least_conn;", "ip_hash;", "random;", "random two;", "random two least_conn;",
        "random two least_time=header;", "least_time last_byte;", "hash $uri;",
        "hash $uri consistent;", "hash $uri consistent bounded=1.25;", "zone any 64k;", "zone any;",
        "queue 10;", "queue 10 timeout=5s;", "eject_outliers 5 min=50ms time=10s max_ejected=30;",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        pool_t *pool = pool_create();
        const char *text = pool_printf(pool, "upstream a { %s server 10.0.0.1 max_conns=3 "
                                             "slow_start=30s; server 10.0.0.2 drain; }", good[i]).p;
        cr_expect_str_eq(errors_of(text), "", "%s", good[i]);
        cr_expect(find("a")->zone, "%s", good[i]);
        discover(find("a"), NULL);
        cr_expect(find("a")->limited);
        pool_destroy(pool);
    }
    cr_expect_eq(find("a")->policy.outlier_share, 30);
    errors_of("upstream a { hash $uri consistent bounded=1.5; server 10.0.0.1; }");
    cr_expect_eq(find("a")->policy.bound, 150);
    cr_expect_eq(find("a")->ring.points.n, RING_POINTS);
}

Test(upstream, says_what_is_wrong_with_a_method)
{
    static const char *const bad[][2] = {
        {"random three;", "invalid parameter"},    {"random two best;", "invalid parameter"},
        {"least_time soon;", "invalid parameter"}, {"hash $uri ring;", "invalid parameter"},
        {"hash $uri consistent bounded=1;", "invalid bound"},
        {"hash $nothing_such;", "nothing_such"},   {"queue 0;", "must be"},
        {"queue 5 patience=3;", "invalid parameter"}, {"eject_outliers 1;", "must be between"},
        {"eject_outliers 5 max_ejected=101;", "must be between"},
        {"server 10.0.0.2 service=http;", "service= goes with a name without a port"},
        {"least_conn; ip_hash; server 10.0.0.3 max_conns=x;", "max_conns"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pool_t *pool = pool_create();
        const char *errors = errors_of(
            pool_printf(pool, "upstream a { server 10.0.0.1; %s }", bad[i][0]).p);
        cr_expect(strstr(errors, bad[i][1]), "%s: %s", bad[i][0], errors);
        pool_destroy(pool);
    }
}

Test(upstream, takes_sticky_in_all_its_forms)
{
    static const char *const good[] = {
        "cookie srv", "cookie srv expires=1h domain=.a.b path=/ httponly secure samesite=strict",
        "cookie srv expires=max samesite=$arg_x secret=0123456789abcdef", "route $arg_a $cookie_b",
        "learn create=$upstream_cookie_a lookup=$cookie_a zone=a:64k timeout=1h header sync",
        "learn zone=a:64k create=$upstream_cookie_a create=$sent_http_x lookup=$cookie_a$arg_a",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "upstream a { server 10.0.0.1 route=x; sticky %s; }", good[i]);
        cr_expect_str_eq(errors_of(text), "");
        cr_expect(find("a")->policy.sticky);
    }
}

Test(upstream, says_what_is_wrong_with_sticky)
{
    static const char *const bad[][2] = {
        {"sessions", "invalid parameter"},      {"cookie", "invalid parameter"},
        {"cookie a=b", "invalid parameter"},    {"cookie srv secret=short", "can be guessed"},
        {"cookie srv expires=soon", "is not a duration"},
        {"cookie srv expires=10ms", "must be between"},
        {"cookie srv samesite=maybe", "invalid value"},
        {"cookie srv 'path=/;x'", "invalid parameter"},
        {"route", "invalid parameter"},         {"route fixed", "holds no variable"},
        {"learn create=$arg_a lookup=$arg_a", "needs create=, lookup= and zone="},
        {"learn create=$arg_a zone=a:64k", "needs create=, lookup= and zone="},
        {"learn create=$arg_a lookup=$arg_a zone=a:4k", "must be between"},
        {"learn create=$arg_a lookup=$arg_a zone=a", "invalid parameter"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "upstream a { server 10.0.0.1; sticky %s; }", bad[i][0]);
        const char *errors = errors_of(text);
        cr_expect(strstr(errors, bad[i][1]), "%s: %s", bad[i][0], errors);
    }
}
