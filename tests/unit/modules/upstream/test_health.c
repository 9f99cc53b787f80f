#include "modules/upstream/health.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "modules/upstream/probe_grpc.h"
#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(health, .fini = teardown);

static const char *errors_of(const char *text)
{
    static char out[4096];
    if (h) harness_end(h);
    h = harness_new(text);
    str_t errors = harness_errors(h);
    snprintf(out, sizeof(out), STR_FMT, STR_ARG(errors));
    return out;
}

static const health_all_t *all(void)
{
    return ((const health_conf_t *)conf_get(h->scope, &health_module))->all;
}

#define GROUP(inside) "upstream u { server 10.0.0.1; " inside " } server { listen 80; }"

Test(health, takes_a_check)
{
    cr_assert_str_eq(errors_of("match good { status 200; }" GROUP(
        "health_check uri=/x interval=2s jitter=1s fails=3 passes=2 match=good port=81 "
        "timeout=700ms mandatory persistent;")), "");
    const health_t *c = all()->checks.v[0];
    cr_expect(str_eq(c->uri, STR("/x")));
    cr_expect(c->interval == 2000 && c->jitter == 1000 && c->timeout == 700);
    cr_expect(c->fails == 3 && c->passes == 2 && c->port == 81 && c->mandatory && !c->tcp);
    cr_expect(str_eq(c->match->name, STR("good")));
    cr_expect(str_eq(c->group->name, STR("u")));
    cr_expect(c->group->policy.checked && c->group->policy.mandatory);
    cr_expect(str_eq(c->request, STR("GET /x HTTP/1.1\r\nHost: u\r\nConnection: close\r\n\r\n")));
}

Test(health, needs_no_more_than_its_name)
{
    cr_assert_str_eq(errors_of(GROUP("health_check;")), "");
    const health_t *c = all()->checks.v[0];
    cr_expect(str_eq(c->uri, STR("/")));
    cr_expect(c->interval == 5000 && c->jitter == 0 && c->timeout == 5000);
    cr_expect(c->fails == 1 && c->passes == 1 && c->port == 0 && !c->mandatory && !c->match);
}

Test(health, stands_in_a_location_as_well)
{
    cr_assert_str_eq(errors_of("upstream u { server 10.0.0.1; } server { listen 80; location / {"
                               " health_check type=tcp; proxy_pass http://u; } }"), "");
    const health_t *c = all()->checks.v[0];
    cr_expect(str_eq(c->group->name, STR("u")));
    cr_expect(c->tcp && c->proxy);
}

Test(health, is_one_for_each_group)
{
    cr_assert_str_eq(errors_of("upstream u { server 10.0.0.1; health_check; } server { listen 80;"
                               " location / { health_check; proxy_pass http://u; } }"), "");
    cr_assert_eq(all()->checks.n, 2);
    cr_expect_eq(!all()->checks.v[0]->group + !all()->checks.v[1]->group, 1, "warned of");
}

Test(health, says_what_is_wrong)
{
    static const char *const bad[][2] = {
        {GROUP("health_check uri=x;"), "invalid uri"},
        {GROUP("health_check 'uri=/a b';"), "invalid uri"},
        {GROUP("health_check interval=0;"), "at least 10ms"},
        {GROUP("health_check fails=0;"), "must be between"},
        {GROUP("health_check port=65536;"), "must be between"},
        {GROUP("health_check type=udp;"), "invalid type"},
        {GROUP("health_check often;"), "invalid parameter"},
        {GROUP("health_check match=none;"), "unknown match \"none\""},
        {"match a { }" GROUP("health_check type=tcp match=a;"), "match= is for type=http"},
        {GROUP("health_check type=grpc grpc_status=0;"), "must be"},
        {"server { listen 80; location / { health_check; } }", "needs a proxy_pass to a group"},
        {"server { listen 80; location / { health_check; proxy_pass http://10.0.0.1; } }",
         "needs a proxy_pass to a group"},
        {"server { listen 80; location / { health_check; proxy_pass http://$host; } }",
         "needs a proxy_pass to a group"},
        {"match a { } match a { } server { listen 80; }", "duplicate match"},
        {"match a { status 99; } server { listen 80; }", "invalid status"},
        {"match a { status 300-200; } server { listen 80; }", "invalid status"},
        {"match a { status !; } server { listen 80; }", "no status is given"},
        {"match a { header X > 1; } server { listen 80; }", "invalid \"header\" in match"},
        {"match a { header X ~ '('; } server { listen 80; }", "invalid pattern"},
        {"match a { body = x; } server { listen 80; }", "invalid \"body\" in match"},
        {"match a { size 1; } server { listen 80; }", "unknown directive \"size\" in match"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *errors = errors_of(bad[i][0]);
        cr_expect(strstr(errors, bad[i][1]), "%s: %s", bad[i][0], errors);
    }
}

/* --- match --- */

static bool matches(const char *tests, const char *head)
{
    parse_response_t parsed = {.status = 0};
    size_t used;
    pool_t *pool = pool_create();
    str_t conf = pool_printf(pool, "match m { %s } server { listen 80; }", tests);
    str_t bytes = pool_printf(pool, "HTTP/1.1 %s\r\n\r\n", head);
    cr_assert_str_eq(errors_of(conf.p), "");
    header_list_init(&parsed.headers, pool);
    cr_assert_eq(parse_response(bytes.p, bytes.n, &parsed, &used), PARSE_OK);
    bool right = health_match_head(all()->matches.v[0], &parsed) == 0;
    pool_destroy(pool);
    return right;
}

/* The forms that nginx documents. */
Test(health, matches_status)
{
    cr_expect(matches("status 200;", "200 OK") && !matches("status 200;", "201 Made"));
    cr_expect(!matches("status ! 500;", "500 No") && matches("status ! 500;", "200 OK"));
    cr_expect(matches("status 301-303 307;", "302 Found"));
    cr_expect(matches("status 301-303 307;", "307 Then"));
    cr_expect(!matches("status 301-303 307;", "304 Same"));
    cr_expect(matches("status ! 301-303 307;", "304 Same"));
    cr_expect(!matches("status ! 301-303 307;", "307 Then"));
    cr_expect(matches("", "500 No"), "nothing is asked for");
}

Test(health, matches_fields)
{
    static const char html[] = "200 OK\r\nContent-Type: text/html\r\nVia: a\r\nVia: b";
    cr_expect(matches("header Content-Type = text/html;", html));
    cr_expect(!matches("header content-type = text/htm;", html));
    cr_expect(!matches("header Content-Type != text/html;", html));
    cr_expect(matches("header Content-Type != text/plain;", html));
    cr_expect(matches("header Content-Type ~ ^text/;", html));
    cr_expect(!matches("header Content-Type !~ html$;", html));
    cr_expect(matches("header Via = b;", html), "the second of them");
    cr_expect(!matches("header Via != b;", html));
    cr_expect(matches("header Via;", html) && !matches("header Server;", html));
    cr_expect(!matches("header ! Via;", html) && matches("header ! Server;", html));
    cr_expect(!matches("header Server = x;", html) && matches("header Server != x;", html));
}

Test(health, matches_bodies)
{
    errors_of("match a { body ~ 'all is (well|ok)'; } match b { body !~ lost; } "
              "server { listen 80; }");
    const health_match_t *a = all()->matches.v[0], *b = all()->matches.v[1];
    cr_expect_eq(health_match_body(a, STR("so all is ok")), 0);
    cr_expect_neq(health_match_body(a, STR("all is lost")), 0);
    cr_expect_neq(health_match_body(b, STR("all is lost")), 0);
    cr_expect_eq(health_match_body(b, STR("all is ok")), 0);
    cr_expect_eq(health_match_body(NULL, STR("")), 0);
}

/* --- gRPC --- */

/* The frame that the specification of gRPC over HTTP/2 gives, and the message of health.proto. */
Test(health, asks_as_grpc_does)
{
    pool_t *pool = pool_create();
    cr_expect(str_eq(probe_grpc_body(pool, STR("")), str_make("\0\0\0\0\0", 5)));
    cr_expect(str_eq(probe_grpc_body(pool, STR("abc")), str_make("\0\0\0\0\5\x0a\3abc", 10)));
    pool_destroy(pool);
}

static fault_t judged(const char *grpc_status, const char *body, size_t n, unsigned accepted)
{
    pool_t *pool = pool_create();
    client_t c = {.head.status = 200};
    header_list_init(&c.trailers, pool);
    header_list_init(&c.head.headers, pool);
    if (grpc_status) header_add(&c.trailers, STR("grpc-status"), str_of(grpc_status));
    fault_t fault = probe_grpc_judge(&c, str_make(body, n), accepted);
    pool_destroy(pool);
    return fault;
}

Test(health, judges_as_grpc_does)
{
    static const char serving[] = "\0\0\0\0\2\x08\1";
    cr_expect_eq(judged("0", serving, 7, 0), 0);
    cr_expect_eq(judged("0", "\0\0\0\0\2\x08\2", 7, 0), fault_make(FAULT_NOT_SERVING, 0));
    cr_expect_eq(judged("0", "\0\0\0\0\0", 5, 0), fault_make(FAULT_NOT_SERVING, 0));
    cr_expect_eq(judged("0", "\0", 1, 0), fault_make(FAULT_NOT_SERVING, 0));
    cr_expect_eq(judged("12", "", 0, 0), fault_make(FAULT_GRPC, 12));
    cr_expect_eq(judged("12", "", 0, 12), 0);
    cr_expect_eq(judged(NULL, serving, 7, 0), fault_make(FAULT_INVALID, 0));
    cr_expect_eq(judged("x", serving, 7, 0), fault_make(FAULT_INVALID, 0));
}

Test(health, names_faults)
{
    char text[FAULT_TEXT];
    cr_expect_str_eq(fault_text(fault_of(-ECONNREFUSED), text), "111: Connection refused");
    cr_expect_str_eq(fault_text(fault_of(-ETIMEDOUT), text), "it takes too long");
    cr_expect_str_eq(fault_text(fault_of(-ENODATA), text), "it closes the connection");
    cr_expect_str_eq(fault_text(fault_make(FAULT_STATUS, 503), text), "it answers 503");
    cr_expect_eq(fault_of(0), 0);
    cr_expect(fault_is_ours(fault_of(-EMFILE)) && fault_is_ours(fault_of(-ENOMEM)));
    cr_expect_not(fault_is_ours(fault_of(-ECONNREFUSED)));
    cr_expect_not(fault_is_ours(fault_make(FAULT_STATUS, EMFILE)));
}
