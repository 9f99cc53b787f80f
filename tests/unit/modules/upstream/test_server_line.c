#include "modules/upstream/server_line.h"

#include <criterion/criterion.h>

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(server_line, .init = setup, .fini = teardown);

static upstream_server_t parsed(const char *text)
{
    upstream_server_t s;
    str_t why;
    cr_assert(server_line_parse(pool, str_of(text), &s, &why), "%s: " STR_FMT, text, STR_ARG(why));
    return s;
}

Test(server_line, is_what_the_configuration_would_have)
{
    upstream_server_t s = parsed("server 10.0.0.1:81 weight=3 max_conns=7 max_fails=0 "
                                 "fail_timeout=5s slow_start=1m backup route=r;");
    cr_assert_eq(net_port(&s.addr), 81);
    cr_assert_null(s.host.p);
    cr_assert(s.weight == 3 && s.max_conns == 7 && s.max_fails == 0 && s.backup && !s.down);
    cr_assert(s.fail_timeout == 5000 && s.slow_start == 60000);
    cr_assert(str_eq(s.route, STR("r")));
    s = parsed("server app.test:81 resolve down;");
    cr_assert(str_eq(s.host, STR("app.test")) && s.port == 81 && s.down);
}

Test(server_line, names_of_services)
{
    cr_assert(str_eq(parsed("server app.test service=http;").service, STR("_http._tcp.app.test")));
    cr_assert(str_eq(parsed("server app.test service=_http._tcp;").service,
                     STR("_http._tcp.app.test")));
    cr_assert(str_eq(parsed("server test service=s1.app;").service, STR("s1.app.test")));
}

Test(server_line, can_be_written_and_read_again)
{
    str_t words[] = {STR("unix:/run/a \"b\"\\c;{}"), STR("weight=2")};
    str_t line = server_line_of(pool, words, 2);
    cr_assert(str_eq(line, STR("server \"unix:/run/a \\\"b\\\"\\\\c;{}\" \"weight=2\";")));
    upstream_server_t s = parsed(pool_cstr(pool, line));
    cr_assert(str_eq(s.name, words[0]));
    cr_assert_eq(s.weight, 2);
}

Test(server_line, what_is_wrong_is_told_with_the_way_out)
{
    static const char *const bad[][2] = {
        {"server 10.0.0.1 weight=0;", "must be between 1 and 65535"},
        {"server 10.0.0.1 wait=1;", "invalid parameter \"wait=1\" (weight= max_conns="},
        {"server 10.0.0.1; server 10.0.0.2;", "that is no \"server ADDRESS ...\""},
        {"server 10.0.0.1 { }", "that is no"},
        {"listen 10.0.0.1;", "that is no"},
        {"server;", "that is no"},
        {"", "that is no"},
        {"server \"10.0.0.1;", "closing"},
        {"server 10.0.0.1 service=http;", "a name without a port (server app.internal"},
        {"server a.test:80 service=http;", "a name without a port"},
        {"server a.test service=;", "service= has no name"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        upstream_server_t s;
        str_t why;
        cr_expect_not(server_line_parse(pool, str_of(bad[i][0]), &s, &why), "%s", bad[i][0]);
        cr_expect(str_search(why, str_of(bad[i][1])) < why.n, "%s: " STR_FMT, bad[i][0],
                  STR_ARG(why));
    }
}
