#include <criterion/criterion.h>

#include "tests/unit/core/config/things.h"

TestSuite(conf_set, .init = things_setup, .fini = things_teardown);

Test(conf_set, values_out_of_bounds)
{
    things_expect_error("worker_connections 0;",
                        "test:1:20: worker_connections must be between 1 and 1048576, got 0", NULL);
    things_expect_error("worker_connections 1048577;",
                        "test:1:20: worker_connections must be between 1 and 1048576, got 1048577",
                        NULL);
    things_expect_error("http { timeout 99ms; }",
                        "test:1:16: timeout must be between 100ms and 1h, got 99ms", NULL);
    things_expect_error("http { timeout 61m; }",
                        "test:1:16: timeout must be between 100ms and 1h, got 61m", NULL);
    things_expect_error("http { size 1; }", "test:1:13: size must be at least 1k, got 1", NULL);
}

Test(conf_set, values_of_the_wrong_type)
{
    things_expect_error("worker_connections many;",
                        "test:1:20: worker_connections: \"many\" is not a number",
                        "a whole number, for example 42");
    things_expect_error("http { timeout 10x; }", "test:1:16: timeout: \"10x\" is not a duration",
                        "for example 500ms, 60s, 5m");
    things_expect_error("http { size big; }", "test:1:13: size: \"big\" is not a size",
                        "for example 512, 8k, 1m, 2g");
    things_expect_error(
        "http { gzip yes; }",
        "test:1:13: invalid value \"yes\" in \"gzip\" directive, it must be \"on\" or \"off\"",
        NULL);
    things_expect_error("http { color grene; }",
                        "test:1:14: invalid value \"grene\" in \"color\" directive",
                        "did you mean \"green\"?");
    things_expect_error("http { colors red purple; }",
                        "test:1:19: invalid value \"purple\" in \"colors\" directive",
                        "possible: red, green, blue");
}
