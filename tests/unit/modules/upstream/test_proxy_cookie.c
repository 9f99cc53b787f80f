#include "modules/upstream/proxy_cookie.h"

#include <criterion/criterion.h>

#include "modules/upstream/proxy.h"
#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(proxy_cookie, .fini = teardown);

static const char *errors_of(const char *text)
{
    return harness_renew(&h, "server { listen 80; %s }", text);
}

static void becomes(const char *value, const char *want)
{
    request_t *r = harness_request(h, "GET /?flag=httponly&name=n HTTP/1.1\r\nHost: h\r\n\r\n");
    const proxy_conf_t *c = request_conf(r, proxy_index);
    r->args = STR("flag=httponly&name=n");
    str_t got = proxy_cookie_flags(&c->cookie_flags, r, str_of(value));
    cr_expect(str_eq(got, str_of(want)), "%s became " STR_FMT, value, STR_ARG(got));
}

/* The examples of nginx's documentation. */
Test(proxy_cookie, the_first_rule_that_fits_counts)
{
    cr_assert_str_eq(errors_of("proxy_cookie_flags one httponly;"
                               "proxy_cookie_flags ~ nosecure samesite=strict;"), "");
    becomes("one=1; Path=/; Secure", "one=1; Path=/; Secure; HttpOnly");
    becomes("two=2; Secure; Path=/", "two=2; Path=/; SameSite=Strict");
    becomes("three=3", "three=3; SameSite=Strict");
}

Test(proxy_cookie, flags_are_added_changed_and_removed)
{
    errors_of("proxy_cookie_flags a secure httponly samesite=none;"
              "proxy_cookie_flags b nosecure nohttponly nosamesite; proxy_cookie_flags c secure;");
    becomes("a=1", "a=1; Secure; HttpOnly; SameSite=None");
    becomes("a=1; samesite=Lax; secure; Max-Age=5",
            "a=1; Max-Age=5; Secure; HttpOnly; SameSite=None");
    becomes("b=1;Secure;HTTPONLY; SameSite = Lax; Path=/", "b=1; Path=/");
    becomes("c=x=y;Path=/;", "c=x=y;Path=/; Secure");
    becomes("A=1", "A=1");
    becomes("d", "d");
    becomes("", "");
}

Test(proxy_cookie, names_and_flags_may_hold_variables)
{
    errors_of("proxy_cookie_flags $arg_name $arg_flag $arg_none; proxy_cookie_flags ~^X secure;");
    becomes("n=1", "n=1; HttpOnly");
    becomes("xyz=1", "xyz=1; Secure");
    becomes("zx=1", "zx=1");
}

Test(proxy_cookie, off_drops_what_was_inherited)
{
    errors_of("proxy_cookie_flags off;");
    becomes("a=1", "a=1");
}

Test(proxy_cookie, a_wrong_flag_is_refused)
{
    cr_expect(strstr(errors_of("proxy_cookie_flags a insecure;"), "invalid flag \"insecure\""));
    cr_expect(strstr(errors_of("proxy_cookie_flags a samesite=some;"), "invalid flag"));
    cr_expect(*errors_of("proxy_cookie_flags ~( secure;"));
}
