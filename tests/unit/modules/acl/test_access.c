#include <criterion/criterion.h>

#include "http/flow.h"
#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(access, .fini = teardown);

static void serve(const char *server)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "server { listen 80; %s }", server).p);
    pool_destroy(pool);
}

static int status(const char *client, const char *method, const char *target)
{
    str_t head = pool_printf(h->pool, "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, target);
    request_t *r = harness_request_from(h, client, head.p);
    flow_run(r);
    return r->reply.status;
}

/* Who is let in is answered by nobody: 404. */
static void lets_in(const char *client, const char *target)
{
    int got = status(client, "GET", target);
    cr_expect_eq(got, 404, "%s %s: %d", client, target, got);
}

static void keeps_out(const char *client, const char *target)
{
    int got = status(client, "GET", target);
    cr_expect_eq(got, 403, "%s %s: %d", client, target, got);
}

static void fails(const char *server, const char *message)
{
    serve(server);
    str_t errors = harness_errors(h);
    cr_expect(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, server,
              STR_ARG(errors));
}

Test(access, counts_the_first_rule_that_fits)
{
    serve("deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32;"
          "allow unix:; deny all;");
    keeps_out("192.168.1.1", "/");
    lets_in("192.168.1.2", "/");
    lets_in("10.1.9.9", "/");
    lets_in("::ffff:10.1.9.9", "/");
    keeps_out("10.2.0.1", "/");
    lets_in("2001:db8::7", "/");
    keeps_out("2001:db9::7", "/");
    lets_in("unix:/x", "/");
}

Test(access, lets_in_whom_no_rule_fits)
{
    serve("deny 10.0.0.0/8; deny unix:;");
    lets_in("11.0.0.1", "/");
    lets_in("::1", "/");
    keeps_out("10.0.0.1", "/");
    keeps_out("unix:/x", "/");
}

Test(access, is_inherited_whole_or_not_at_all)
{
    serve("deny all; location /in { location /in/in { } } location /own { allow 10.0.0.0/8; }");
    keeps_out("10.0.0.1", "/in/in");
    lets_in("10.0.0.1", "/own");
    lets_in("11.0.0.1", "/own");
}

Test(access, limits_the_methods_that_are_not_named)
{
    serve("location / { limit_except GET PROPFIND { allow 10.0.0.0/8; deny all; } }"
          "location /post { deny all; limit_except POST { allow all; } }");
    cr_expect_eq(status("1.1.1.1", "GET", "/"), 404);
    cr_expect_eq(status("1.1.1.1", "HEAD", "/"), 404);
    cr_expect_eq(status("1.1.1.1", "PROPFIND", "/"), 404);
    cr_expect_eq(status("1.1.1.1", "POST", "/"), 403);
    cr_expect_eq(status("1.1.1.1", "BREW", "/"), 403);
    cr_expect_eq(status("10.1.1.1", "POST", "/"), 404);
    cr_expect_eq(status("1.1.1.1", "GET", "/post"), 404);
    cr_expect_eq(status("1.1.1.1", "POST", "/post"), 403);
}

/* Rewriting would go before access, and an "if" would leave the block. */
Test(access, is_not_rewritten_away_in_limit_except)
{
    serve("location / { limit_except GET { deny all; }"
          " set $x 1; if ($x) { set $y 1; } return 200; }");
    cr_expect_eq(status("1.1.1.1", "GET", "/"), 200);
    cr_expect_eq(status("1.1.1.1", "POST", "/"), 403);
}

Test(access, says_what_is_wrong)
{
    fails("deny nobody;", "invalid parameter \"nobody\"");
    fails("allow 10.0.0.0/33;", "invalid parameter \"10.0.0.0/33\"");
    fails("location / { limit_except FETCH { deny all; } }", "invalid method \"FETCH\"");
    fails("limit_except GET { deny all; }", "limit_except");
}
