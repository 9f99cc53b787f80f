#include <criterion/criterion.h>

#include "http/flow.h"
#include "http/proxy_protocol.h"
#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(realip, .fini = teardown);

#define TELL "return 200 '$remote_addr:$remote_port $realip_remote_addr:$realip_remote_port';"

static void serve(const char *directives)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "server { listen 80; %s " TELL " }", directives).p);
    pool_destroy(pool);
}

static void gives(const char *peer, const char *fields, const char *want)
{
    str_t head = pool_printf(h->pool, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    request_t *r = harness_request_from(h, peer, head.p);
    flow_run(r);
    cr_expect(str_eq(h->body, str_of(want)), "%s %s: " STR_FMT, peer, fields, STR_ARG(h->body));
}

Test(realip, believes_whom_it_trusts)
{
    serve("set_real_ip_from 10.0.0.0/8; set_real_ip_from 2001:db8::/32; set_real_ip_from unix:;");
    gives("10.0.0.1", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Real-IP: 192.0.2.1:99\r\n", "192.0.2.1:99 10.0.0.1:4711");
    gives("10.0.0.1", "X-Real-IP: [2001:db8::5]:99\r\n", "2001:db8::5:99 10.0.0.1:4711");
    gives("2001:db8::1", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1: 2001:db8::1:4711");
    gives("::ffff:10.0.0.1", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1: ::ffff:10.0.0.1:4711");
    gives("unix:/x", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1: unix::");
    gives("11.0.0.1", "X-Real-IP: 192.0.2.1\r\n", "11.0.0.1:4711 11.0.0.1:4711");
    gives("10.0.0.1", "", "10.0.0.1:4711 10.0.0.1:4711");
    gives("10.0.0.1", "X-Real-IP: nonsense\r\n", "10.0.0.1:4711 10.0.0.1:4711");
    gives("10.0.0.1", "X-Real-IP: unix:/x\r\n", "10.0.0.1:4711 10.0.0.1:4711");
    gives("10.0.0.1", "X-Real-IP:\r\n", "10.0.0.1:4711 10.0.0.1:4711");
}

Test(realip, takes_the_last_of_a_list)
{
    serve("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;");
    gives("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.2\r\n",
          "10.0.0.2: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n",
          "2.2.2.2: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Forwarded-For: 1.1.1.1 , 2.2.2.2 ,\r\n", "2.2.2.2: 10.0.0.1:4711");
}

Test(realip, passes_over_the_trusted_recursively)
{
    serve("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;");
    gives("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.2\r\n",
          "2.2.2.2: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-For: 10.0.0.2\r\n",
          "2.2.2.2: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3: 10.0.0.1:4711");
    gives("10.0.0.1", "X-Forwarded-For: 1.1.1.1, junk, 10.0.0.2\r\n", "10.0.0.2: 10.0.0.1:4711");
}

Test(realip, takes_any_field)
{
    serve("set_real_ip_from 10.0.0.0/8; real_ip_header CF-Connecting-IP;");
    gives("10.0.0.1", "cf-connecting-ip: 1.1.1.1\r\nX-Real-IP: 2.2.2.2\r\n",
          "1.1.1.1: 10.0.0.1:4711");
}

Test(realip, takes_the_proxy_protocol)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 192.0.2.2 99 80\r\n";
    proxy_protocol_t header;
    size_t used;
    serve("set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;");
    gives("10.0.0.1", "X-Real-IP: 1.1.1.1\r\n", "10.0.0.1:4711 10.0.0.1:4711");
    proxy_protocol_parse(line, sizeof(line) - 1, &header, &used);
    h->conn.proxied = &header;
    gives("10.0.0.1", "", "192.0.2.1:99 10.0.0.1:4711");
    gives("11.0.0.1", "", "11.0.0.1:4711 11.0.0.1:4711");
    header.size = 0;
    gives("10.0.0.1", "", "10.0.0.1:4711 10.0.0.1:4711");
}

static int status(const char *peer, const char *target, const char *fields)
{
    str_t head = pool_printf(h->pool, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, fields);
    request_t *r = harness_request_from(h, peer, head.p);
    flow_run(r);
    return r->reply.status;
}

Test(realip, comes_before_access_also_in_a_location)
{
    if (h) harness_end(h);
    h = harness_new("server { listen 80; allow 10.0.0.0/8; deny all;"
                    " location /x { set_real_ip_from 10.0.0.0/8; } }");
    cr_expect_eq(status("10.0.0.1", "/", "X-Real-IP: 1.1.1.1\r\n"), 404);
    cr_expect_eq(status("10.0.0.1", "/x", "X-Real-IP: 1.1.1.1\r\n"), 403);
    cr_expect_eq(status("10.0.0.1", "/x", "X-Real-IP: 10.9.9.9\r\n"), 404);
    cr_expect_eq(status("1.1.1.1", "/x", "X-Real-IP: 10.9.9.9\r\n"), 403);
}

Test(realip, says_what_is_wrong)
{
    h = harness_new("server { listen 80; set_real_ip_from nobody; real_ip_header 'a b'; }");
    str_t errors = harness_errors(h);
    cr_expect(str_search(errors, STR("invalid network \"nobody\"")) < errors.n);
    cr_expect(str_search(errors, STR("\"a b\" is not a field name")) < errors.n);
}
