#include "modules/upstream/proxy_redirect.h"

#include <criterion/criterion.h>

#include "modules/upstream/proxy.h"
#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(proxy_redirect, .fini = teardown);

static const proxy_conf_t *configure(const char *text)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "server { listen 80; %s }", text).p);
    pool_destroy(pool);
    request_t *r = harness_request(h, "GET /?a=b HTTP/1.1\r\nHost: h.test\r\n\r\n");
    r->host = STR("h.test");
    return request_conf(r, proxy_index);
}

static const proxy_redirect_default_t none;

static void location_is(const proxy_conf_t *c, const char *value, const char *want)
{
    str_t got = proxy_redirect_location(&c->redirects, &none, h->r, str_of(value));
    cr_expect(str_eq(got, str_of(want)), "%s became " STR_FMT, value, STR_ARG(got));
}

/* The examples of nginx's documentation. */
Test(proxy_redirect, rewrites_location_by_the_first_rule_that_fits)
{
    const proxy_conf_t *c = configure("proxy_redirect http://localhost:8000/two/ "
                                      "http://frontend/one/;"
                                      "proxy_redirect http://localhost:8000/ /;"
                                      "proxy_redirect ~^(http://[^:]+):\\d+(/.+)$ $1$2;"
                                      "proxy_redirect ~*/user/([^/]+)/(.+)$ "
                                      "http://$1.example.com/$2;"
                                      "proxy_redirect http://$host/ /self/;");
    location_is(c, "http://localhost:8000/two/some/uri/", "http://frontend/one/some/uri/");
    location_is(c, "http://localhost:8000/x", "/x");
    location_is(c, "http://other:99/x", "http://other/x");
    location_is(c, "http://s/USER/joe/home", "http://joe.example.com/home");
    location_is(c, "http://h.test/a", "/self/a");
    location_is(c, "http://elsewhere/a", "http://elsewhere/a");
    location_is(c, "/relative", "/relative");
}

Test(proxy_redirect, falls_back_to_the_usual_rule)
{
    const proxy_conf_t *c = configure("");
    proxy_redirect_default_t usual = {STR("http://up:80/two/"), STR("/one/")};
    str_t got = proxy_redirect_location(&c->redirects, &usual, h->r, STR("http://up:80/two/x"));
    cr_expect(str_eq(got, STR("/one/x")));
    got = proxy_redirect_location(&c->redirects, &usual, h->r, STR("http://up:80/three"));
    cr_expect(str_eq(got, STR("http://up:80/three")));
}

Test(proxy_redirect, rewrites_the_url_in_refresh)
{
    const proxy_conf_t *c = configure("proxy_redirect http://a/ http://b/;");
    static const char *const cases[][2] = {
        {"5; url=http://a/x", "5; url=http://b/x"},
        {"5; URL=http://a/x", "5; URL=http://b/x"},
        {"5", "5"},
        {"5; url=http://c/", "5; url=http://c/"},
        {"0;url=", "0;url="},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str_t got = proxy_redirect_refresh(&c->redirects, &none, h->r, str_of(cases[i][0]));
        cr_expect(str_eq(got, str_of(cases[i][1])), STR_FMT, STR_ARG(got));
    }
}

Test(proxy_redirect, rewrites_domain_and_path_of_cookies)
{
    const proxy_conf_t *c = configure("proxy_cookie_domain localhost example.org;"
                                      "proxy_cookie_domain ~\\.([a-z]+\\.com)$ $1;"
                                      "proxy_cookie_path /two/ /;"
                                      "proxy_cookie_path ~*^/USER/(.+) /u/$1;");
    static const char *const cases[][2] = {
        {"a=b", "a=b"},
        {"a=b; Domain=localhost; Path=/two/x", "a=b; Domain=example.org; Path=/x"},
        {"a=b; domain=.LOCALHOST; Secure; HttpOnly", "a=b; domain=.example.org; Secure; HttpOnly"},
        {"a=b; Path=/user/joe;Max-Age=5", "a=b; Path=/u/joe;Max-Age=5"},
        {"a=b; Domain=www.shop.com", "a=b; Domain=shop.com"},
        {"path=/two/; Path=/three/", "path=/two/; Path=/three/"},
        {"a=b; Domain=notlocalhost; Path=/twofold", "a=b; Domain=notlocalhost; Path=/twofold"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str_t got = proxy_redirect_cookie(&c->cookie_domains, &c->cookie_paths, h->r,
                                          str_of(cases[i][0]));
        cr_expect(str_eq(got, str_of(cases[i][1])), STR_FMT, STR_ARG(got));
    }
}

Test(proxy_redirect, off_drops_what_was_inherited)
{
    const proxy_conf_t *c = configure("proxy_redirect off; proxy_cookie_path off;");
    cr_expect(c->redirects.given);
    cr_expect_eq(c->redirects.list.n, 0);
    cr_expect_not(c->redirects.automatic);
}
