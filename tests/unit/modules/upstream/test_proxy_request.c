#include "modules/upstream/proxy_request.h"

#include <criterion/criterion.h>

#include "tests/unit/http/harness.h"

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(proxy_request, .fini = teardown);

static void configure(const char *text)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool,
                                "upstream group { server 10.0.0.1; } server { listen 80; %s }",
                                text).p);
    pool_destroy(pool);
    str_t errors = harness_errors(h);
    cr_assert_eq(errors.n, 0, STR_FMT, STR_ARG(errors));
}

static bool upgrade; /* of the last head */

/* The head that the origin gets for the client's. */
static const char *asked(const char *head)
{
    request_t *r = harness_request(h, head);
    const site_location_t *slash = NULL;
    proxy_t p = {.r = r};
    r->location = site_find_location(r->server, r->uri, r, &slash);
    cr_assert(r->location);
    request_set_conf(r, r->location->conf);
    p.conf = request_conf(r, proxy_index);
    cr_assert(p.conf->pass);
    cr_assert(proxy_target_find(p.conf->pass, r, &p.target));
    p.http_version = p.conf->http_version;
    r->body.gathered = true; /* of what the head says */
    r->body.size = r->head.content_length;
    p.has_body = r->head.framing != PARSE_NO_BODY && p.conf->pass_body;
    p.body_length = body_length(r);
    if (p.conf->fields.upgrade) p.protocol = proxy_request_protocol(&p);
    buf_t *b = proxy_request_head(&p, proxy_target_uri(&p.target, r));
    const char *text = pool_cstr(r->pool, buf_str(b));
    buf_return(b);
    upgrade = p.upgrade;
    return text;
}

static bool asks_to_upgrade(const char *head)
{
    asked(head);
    return upgrade;
}

#define TO "proxy_pass http://127.0.0.1:8080; proxy_via off; "
#define HEAD "GET / HTTP/1.1\r\nHost: a\r\n"
#define ORIGIN "Host: 127.0.0.1:8080\r\n"

static void becomes(const char *head, const char *want)
{
    const char *got = asked(head);
    cr_assert_str_eq(got, want, "became\n%s", got);
}

static const char *request_line(const char *target)
{
    pool_t *pool = pool_create();
    const char *got = asked(pool_printf(pool, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target).p);
    pool_destroy(pool);
    return pool_printf(h->r->pool, "%.*s", (int)strcspn(got, "\r"), got).p;
}

static void line_is(const char *target, const char *want)
{
    const char *got = request_line(target);
    cr_assert_str_eq(got, want, "%s became %s", target, got);
}

Test(proxy_request, writes_a_head_of_its_own)
{
    configure("location / { " TO "}");
    becomes(HEAD "Accept:  */*  \r\nx-Y:\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "Accept: */*\r\nx-Y: \r\n\r\n");
}

/* RFC 9110 7.6.1, wherever Connection stands and over however many lines. */
Test(proxy_request, drops_what_is_of_this_hop)
{
    configure("location / { " TO "}");
    becomes(HEAD "X-A: 1\r\nConnection: x-a, keep-alive\r\nx-b: 2\r\nConnection: X-B\r\nX-C: 3\r\n"
                 "Cookie: c\r\nConnection: cookie\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "X-C: 3\r\n\r\n");
    becomes(HEAD "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nTrailer: x\r\nUpgrade: x\r\n"
                 "Expect: 100-continue\r\nHTTP2-Settings: AA\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "\r\n");
}

Test(proxy_request, passes_on_that_trailers_are_taken)
{
    configure("location / { " TO "}");
    becomes(HEAD "TE: gzip, trailers\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "TE: trailers\r\nConnection: TE\r\n\r\n");
}

Test(proxy_request, frames_the_body_itself)
{
    configure("location / { " TO "proxy_set_header Content-Length 7; } "
              "location /none { " TO "proxy_pass_request_body off; }");
    becomes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 05\r\n\r\n",
            "POST / HTTP/1.1\r\n" ORIGIN "Content-Length: 5\r\n\r\n");
    becomes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\n" ORIGIN "Content-Length: 0\r\n\r\n");
    becomes("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\n" ORIGIN "Transfer-Encoding: chunked\r\n\r\n");
    becomes("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST /none HTTP/1.1\r\n" ORIGIN "\r\n");
}

Test(proxy_request, sets_and_removes_fields_as_told)
{
    configure("proxy_set_header X-Const c; proxy_set_header Accept ''; "
              "proxy_set_header X-Arg $arg_a; proxy_set_header X-Two \"<$arg_a>\"; "
              "location / { " TO "}");
    becomes("GET /?a=1 HTTP/1.1\r\nHost: a\r\nAccept: x\r\nX-Const: client\r\n"
            "x-arg: client\r\n\r\n",
            "GET /?a=1 HTTP/1.1\r\n" ORIGIN "X-Const: c\r\nX-Arg: 1\r\nX-Two: <1>\r\n\r\n");
    becomes(HEAD "\r\n", "GET / HTTP/1.1\r\n" ORIGIN "X-Const: c\r\nX-Two: <>\r\n\r\n");
}

Test(proxy_request, keeps_line_breaks_of_variables_out_of_the_head)
{
    configure("location / { " TO "proxy_set_header X-Uri $uri; }");
    becomes("GET /a%0d%0aX-Evil:%20b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a%0d%0aX-Evil:%20b HTTP/1.1\r\n" ORIGIN "X-Uri: /a  X-Evil: b\r\n\r\n");
    configure("location / { proxy_pass http://127.0.0.1:8080$uri; }");
    line_is("/a%0d%0ab%20%23%3fc", "GET /a%0D%0Ab%20%23?c HTTP/1.1");
}

Test(proxy_request, says_where_it_came_through)
{
    configure("location / { proxy_pass http://127.0.0.1:8080; } "
              "location /named { proxy_pass http://127.0.0.1:8080; proxy_via edge; }");
    becomes(HEAD "\r\n", "GET / HTTP/1.1\r\n" ORIGIN "Via: 1.1 proxyd\r\n\r\n");
    becomes(HEAD "Via: 1.0 a\r\nX: y\r\nVia: 1.1 b\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "X: y\r\nVia: 1.0 a, 1.1 b, 1.1 proxyd\r\n\r\n");
    becomes("GET /named HTTP/1.0\r\n\r\n",
            "GET /named HTTP/1.1\r\n" ORIGIN "Via: 1.0 edge\r\n\r\n");
}

Test(proxy_request, upgrades_only_when_told_and_never_to_h2c)
{
#define UPGRADE "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    configure("location / { " TO UPGRADE "} location /not { " TO "}");
    becomes(HEAD "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    becomes(HEAD "\r\n", "GET / HTTP/1.1\r\n" ORIGIN "\r\n");
    becomes(HEAD "Upgrade: foo, H2C\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                 "HTTP2-Settings: AA\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "\r\n");
    cr_expect(asks_to_upgrade(HEAD "Upgrade: websocket\r\n\r\n"));
    cr_expect(asks_to_upgrade(HEAD "Upgrade: websocket\r\nContent-Length: 0\r\n\r\n"));
    cr_expect(!asks_to_upgrade(HEAD "Upgrade: websocket\r\nContent-Length: 1\r\n\r\n"));
    configure("location / { " TO UPGRADE "proxy_pass_request_body off; } location /not { " TO "}");
    cr_expect(!asks_to_upgrade(HEAD "Upgrade: websocket\r\nContent-Length: 1\r\n\r\n"),
              "the body would be taken for the tunnel's");
    becomes("GET /not HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "GET /not HTTP/1.1\r\n" ORIGIN "\r\n");
}

Test(proxy_request, counts_hops_down)
{
    configure("location / { " TO "}");
    becomes("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n",
            "OPTIONS / HTTP/1.1\r\n" ORIGIN "Max-Forwards: 9\r\n\r\n");
    becomes(HEAD "Max-Forwards: 10\r\n\r\n",
            "GET / HTTP/1.1\r\n" ORIGIN "Max-Forwards: 10\r\n\r\n");
}

Test(proxy_request, speaks_http_1_0_when_told)
{
    configure("location / { " TO "proxy_http_version 1.0; " UPGRADE "}"
              "location /plain { " TO "proxy_http_version 1.0; }");
    becomes("GET /plain HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n",
            "GET /plain HTTP/1.0\r\n" ORIGIN "Connection: close\r\n\r\n");
    becomes(HEAD "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "GET / HTTP/1.0\r\n" ORIGIN "\r\n");
}

Test(proxy_request, names_the_host_as_proxy_pass_does)
{
    static const char *const cases[][2] = {
        {"http://group", "group"},         {"http://10.1.2.3:80", "10.1.2.3"},
        {"http://h.test:8080/", "h.test:8080"}, {"http://[::1]:81", "[::1]:81"},
        {"http://unix:/run/a", "localhost"},    {"http://$arg_to/", "x.test:99"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pool_t *pool = pool_create();
        configure(pool_printf(pool, "location / { proxy_pass %s; proxy_via off; }", cases[i][0]).p);
        const char *got = asked("GET /?to=x.test:99 HTTP/1.1\r\nHost: a\r\n\r\n");
        const char *host = pool_printf(pool, "\r\nHost: %s\r\n\r\n", cases[i][1]).p;
        cr_expect(strstr(got, host), "%s: %s", cases[i][0], got);
        pool_destroy(pool);
    }
    configure("location / { " TO "proxy_set_header Host $http_host; }");
    becomes("GET / HTTP/1.1\r\nHost: Client\r\n\r\n", "GET / HTTP/1.1\r\nHost: Client\r\n\r\n");
}

Test(proxy_request, may_leave_the_clients_fields_out)
{
    configure("location / { " TO "proxy_pass_request_headers off; proxy_set_header A b; "
              "proxy_method PUT; }");
    becomes(HEAD "X: y\r\nVia: z\r\nTE: trailers\r\n\r\n",
            "PUT / HTTP/1.1\r\n" ORIGIN "A: b\r\n\r\n");
}

/* As nginx: the URI part stands for what the location's name matched; without one nothing is
   touched. */
Test(proxy_request, makes_the_target_of_the_uri)
{
    configure("location /keep { proxy_pass http://h:81; } location /cut/ { proxy_pass http://h:81/;"
              " } "
              "location /sub/ { proxy_pass http://h:81/base/; } "
              "location = /exact { proxy_pass http://h:81/other; } "
              "location ~ ^/re { proxy_pass http://h:81; } "
              "location /unix/ { proxy_pass http://unix:/run/a:/u/; } "
              "location /args { proxy_pass http://h:81/x?y=z; }");
    line_is("/keep/a%20b//../%7e?x=%20", "GET /keep/a%20b//../%7e?x=%20 HTTP/1.1");
    line_is("/keep?", "GET /keep? HTTP/1.1");
    line_is("/cut/a%20b?x", "GET /a%20b?x HTTP/1.1");
    line_is("/cut/a%3fb%25", "GET /a%3Fb%25 HTTP/1.1");
    line_is("/sub/a/../b", "GET /base/b HTTP/1.1");
    line_is("/exact?q", "GET /other?q HTTP/1.1");
    line_is("/re/1?a", "GET /re/1?a HTTP/1.1");
    line_is("/unix/x", "GET /u/x HTTP/1.1");
    line_is("http://other.test/keep/x?y", "GET /keep/x?y HTTP/1.1");
    line_is("/cut/a?", "GET /a HTTP/1.1");
}

static void refused(const char *text, const char *message)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "server { listen 80; %s }", text).p);
    const char *errors = pool_cstr(pool, harness_errors(h));
    cr_expect(strstr(errors, message), "%s: %s", text, errors);
    pool_destroy(pool);
}

Test(proxy_request, refuses_what_cannot_be_asked)
{
    refused("location / { proxy_pass ftp://a; }", "invalid URL prefix");
    refused("location / { proxy_pass http://; }", "invalid host");
    refused("location / { proxy_pass http://a:99999; }", "invalid host");
    refused("location ~ x { proxy_pass http://a/b; }", "cannot have URI part");
    refused("location @x { proxy_pass http://a/b; }", "cannot have URI part");
    refused("location / { proxy_set_header 'a b' c; }", "is not a field name");
    refused("location / { proxy_pass http://$host; proxy_redirect default; }",
            "cannot be used with");
    refused("location / { proxy_pass http://a; proxy_bind nonsense; }", "invalid address");
}
