#include "http/resolve.h"

#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(resolve, .fini = teardown);

static const char *errors_of(const char *text)
{
    return harness_renew(&h, "%s server { listen 80; }", text);
}

Test(resolve, takes_name_servers_and_their_parameters)
{
    static const char *const good[] = {
        "resolver 127.0.0.1;",
        "resolver 127.0.0.1:5353 [::1] [::1]:53 valid=30s ipv6=off;",
        "resolver 10.0.0.1 ipv4=off ipv6=on status_zone=z; resolver_timeout 5s;",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect_str_eq(errors_of(good[i]), "", "%s", good[i]);
}

Test(resolve, refuses_what_is_none)
{
    static const char *const bad[][2] = {
        {"resolver dns.example;", "is not the address of a name server"},
        {"resolver unix:/x;", "is not the address of a name server"},
        {"resolver valid=5s;", "no name servers given"},
        {"resolver 127.0.0.1 valid=soon;", "is not a duration"},
        {"resolver 127.0.0.1 ipv6=maybe;", "is neither on nor off"},
        {"resolver 127.0.0.1 ipv6=off ipv4=off;", "cannot both be off"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *errors = errors_of(bad[i][0]);
        cr_expect(strstr(errors, bad[i][1]), "%s: %s", bad[i][0], errors);
    }
}
