/* What is ambiguous or malformed is answered with 400, the connection is closed, no origin hears of
 * it. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define REST "GET /second HTTP/1.1\r\nHost: h\r\n\r\n"

static origin_t *start(const char *server)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", text("server { listen 127.0.0.1:@http@; %s\n"
                          "location / { proxy_pass http://127.0.0.1:@origin@; } }",
                          server));
    return o;
}

static void refused(origin_t *o, str_t request, int status)
{
    wire_t *w = wire_open("http");
    wire_try_send(w, request);
    reply_t *r = wire_reply(w);
    cr_assert_eq(r->status, status, "%d instead of %d for:\n%s", r->status, status, request.p);
    cr_assert_str_eq(wire_field(r, "Connection"), "close", "kept open:\n%s", request.p);
    cr_assert(wire_closed(w), "still open after:\n%s", request.p);
    cr_assert_eq(origin_requests(o), 0, "passed on:\n%s", request.p);
    wire_close(w);
}

E2E(refused, framing_that_could_be_read_in_two_ways)
{
    static const char *const requests[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" REST,
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" REST,
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" REST,
        "Content-Length: 5, 5\r\n\r\nhello" REST,
        "Content-Length: +5\r\n\r\nhello" REST,
        "Content-Length: -5\r\n\r\nhello" REST,
        "Content-Length: 0x5\r\n\r\nhello" REST,
        "Content-Length: 5 5\r\n\r\nhello" REST,
        "Content-Length: \r\n\r\nhello" REST,
        "Content-Length: five\r\n\r\nhello" REST,
        "Content-Length: 18446744073709551621\r\n\r\nhello" REST,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding:\r\n\r\n0\r\n\r\n" REST,
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" REST,
        "Content-Length : 5\r\n\r\nhello" REST,
        " Content-Length: 5\r\n\r\nhello" REST,
        "X: y\r\n folded\r\n\r\n" REST,
        "X: y\r\n\tfolded: z\r\n\r\n" REST,
        "X: a\rb\r\n\r\n" REST,
        "X: a\nb: c\r\n\r\n" REST,
        "X: a\r\n\nY: b\r\n\r\n" REST,
        "X\x01: a\r\n\r\n" REST,
        "X: a\x01\r\n\r\n" REST,
        "X: a\x7f\r\n\r\n" REST,
        "X y: a\r\n\r\n" REST,
        ": a\r\n\r\n" REST,
        "no colon\r\n\r\n" REST,
        "X(y): a\r\n\r\n" REST,
    };
    origin_t *o = start("");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *r = text("POST / HTTP/1.1\r\nHost: h\r\n%s", requests[i]);
        bool coding = strncmp(requests[i], "Transfer-Encoding: ", 19) == 0;
        bool unknown = coding && (strstr(requests[i], ": identity") || strstr(requests[i], "xch") ||
                                  strstr(requests[i], ": \""));
        refused(o, str_of(r), unknown ? 501 : 400);
    }
}

E2E(refused, transfer_coding_in_http_1_0)
{
    origin_t *o = start("");
    refused(o, STR("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400);
}

E2E(refused, nul_and_bare_line_ends)
{
    static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
    static const char nul_name[] = "GET / HTTP/1.1\r\nHost: h\r\nX\0: b\r\n\r\n";
    static const char nul_target[] = "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n";
    origin_t *o = start("");
    refused(o, str_make(nul, sizeof(nul) - 1), 400);
    refused(o, str_make(nul_name, sizeof(nul_name) - 1), 400);
    refused(o, str_make(nul_target, sizeof(nul_target) - 1), 400);
    refused(o, STR("GET / HTTP/1.1\nHost: h\n\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: h\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\rHost: h\r\r"), 400);
}

E2E(refused, hosts_that_are_none_several_or_invalid)
{
    origin_t *o = start("");
    refused(o, STR("GET / HTTP/1.1\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: ...\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400);
}

E2E(refused, request_lines)
{
    origin_t *o = start("");
    refused(o, STR("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR(" GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.1 \r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET / http/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/1.11\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/x.y\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET nothing HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET /../a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET /a/%2e%2e/../../b HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
    refused(o, STR("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), 505);
    refused(o, STR("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"), 405);
    refused(o, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

E2E(refused, bad_chunks)
{
    static const char *const bodies[] = {
        "x\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhellohello\r\n0\r\n\r\n",
        "10000000000000000\r\nhello\r\n",
        "5;\x01\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    };
    origin_t *o = start("");
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const char *r =
            text("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%s", bodies[i]);
        refused(o, str_of(r), 400);
    }
}

/* The target's authority rules over Host (RFC 9112 3.2.2), and it is what the origin sees. */
E2E(refused, not_the_absolute_form)
{
    origin_t *o = start("proxy_set_header Host $host;");
    reply_t *r = wire_ask("http", "GET http://real.test/p?q HTTP/1.1\r\nHost: fake.test\r\n\r\n");
    cr_assert_eq(r->status, 200);
    assert_text(origin_field(o, 0, "Host"), "real.test");
    cr_assert(strncmp(origin_head(o, 0), "GET /p?q HTTP/1.1\r\n", 19) == 0);
}

E2E(refused, fields_with_underscores_are_dropped_unless_allowed)
{
    origin_t *o = start("location /u {"
                        " proxy_pass http://127.0.0.1:@origin@; }");
    wire_ask("http", "GET / HTTP/1.1\r\nHost: h\r\nX_Y: 1\r\nX-Y: 2\r\n\r\n");
    cr_assert(!origin_field(o, 0, "X_Y"));
    assert_text(origin_field(o, 0, "X-Y"), "2");
}

E2E(refused, the_log_says_why)
{
    origin_t *o = start("");
    refused(o, STR("GET / HTTP/1.1\r\n\r\n"), 400);
    subject_log_await("client sent HTTP/1.1 request without \"Host\" header while reading client "
                      "request headers, client: 127.0.0.1");
    refused(o, STR("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n"), 400);
    subject_log_await("client sent invalid \"Content-Length\" header while reading client request "
                      "headers, client: 127.0.0.1, server: , request: \"GET / HTTP/1.1\"");
}
