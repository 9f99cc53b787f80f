#include <criterion/criterion.h>

#include "tests/unit/core/config/things.h"

TestSuite(conf_lookup, .init = things_setup, .fini = things_teardown);

Test(conf_lookup, nearest_name)
{
    static const char *const names[] = {"limit_req", "limit_rate", "listen", "if", NULL};
    cr_expect_str_eq(conf_nearest(STR("limit_rqe"), names), "limit_req");
    cr_expect_str_eq(conf_nearest(STR("limitrate"), names), "limit_rate");
    cr_expect_str_eq(conf_nearest(STR("lisen"), names), "listen");
    cr_expect_null(conf_nearest(STR("server"), names));
    cr_expect_null(conf_nearest(STR("xy"), names));
}

Test(conf_lookup, unknown_directives)
{
    things_expect_error("http { tiemout 5s; }", "test:1:8: unknown directive \"tiemout\"",
                        "did you mean \"timeout\"?");
    things_expect_error("http {\n  server { lisen 80; } }",
                        "test:2:12: unknown directive \"lisen\"", "did you mean \"listen\"?");
    things_expect_error("listne 80;", "test:1:1: unknown directive \"listne\"",
                        "did you mean \"listen\"?");
    things_expect_error("frobnicate { a; b { } }", "test:1:1: unknown directive \"frobnicate\"",
                        NULL);
}

Test(conf_lookup, include_may_be_meant)
{
    things_expect_error("inclde x;", "test:1:1: unknown directive \"inclde\"",
                        "did you mean \"include\"?");
}

Test(conf_lookup, the_nearest_name_of_the_same_block_is_meant)
{
    things_expect_error("http { serve { } }", "test:1:8: unknown directive \"serve\"",
                        "did you mean \"server\"?");
}

Test(conf_lookup, directives_in_the_wrong_context)
{
    things_expect_error("http { server { location / { listen 80 x; } } }",
                        "test:1:30: \"listen\" is not allowed in location", "allowed in server");
    things_expect_error("gzip on;", "test:1:1: \"gzip\" is not allowed in main",
                        "allowed in http, server, location");
}

Test(conf_lookup, numbers_of_arguments)
{
    things_expect_error("worker_connections;",
                        "test:1:1: invalid number of arguments in \"worker_connections\" directive",
                        "it takes 1 argument");
    things_expect_error("worker_connections 1 2;",
                        "test:1:1: invalid number of arguments in \"worker_connections\" directive",
                        "it takes 1 argument");
    things_expect_error("http x { }", "test:1:1: invalid number of arguments in \"http\" directive",
                        "it takes none");
    things_expect_error("http { header; }",
                        "test:1:8: invalid number of arguments in \"header\" directive",
                        "it takes at least 1 argument");
    things_expect_error("http { rule; }",
                        "test:1:8: invalid number of arguments in \"rule\" directive",
                        "it takes 1 or 2 arguments");
    things_expect_error("http { server { listen 1; } }",
                        "test:1:17: invalid number of arguments in \"listen\" directive",
                        "it takes 2 to 4 arguments");
}

Test(conf_lookup, a_forgotten_semicolon)
{
    things_expect_error("http {\n  size 8k\n  timeout 5s;\n}",
                        "test:2:3: invalid number of arguments in \"size\" directive",
                        "is \";\" missing at the end of line 2?");
}

Test(conf_lookup, braces_and_semicolons)
{
    things_expect_error("http;", "test:1:1: directive \"http\" has no opening \"{\"",
                        "it takes a block { }");
    things_expect_error("http { gzip on { } }",
                        "test:1:8: directive \"gzip\" is not terminated by \";\"",
                        "it takes no block { }");
}
