#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "tests/unit/http/harness.h"

static harness_t *h;
static request_t *r;

static void setup(void)
{
    h = harness_new("server { listen 127.0.0.1:8080; server_name first.test second.test; }");
}

static void teardown(void)
{
    harness_end(h);
}

TestSuite(var_core, .init = setup, .fini = teardown);

static void request(const char *head)
{
    r = harness_request(h, head);
}

static void is(const char *name, const char *want)
{
    str_t got = var_get_named(r, str_of(name));
    cr_assert(want ? got.p && str_eq(got, str_of(want)) : !got.p, "$%s: " STR_FMT, name,
              STR_ARG(got));
}

Test(var_core, tells_of_the_request_line)
{
    request("POST /a%20b?x=1&Y=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    is("request", "POST /a%20b?x=1&Y=2 HTTP/1.1");
    is("request_method", "POST");
    is("request_uri", "/a%20b?x=1&Y=2");
    is("uri", "/a b");
    is("document_uri", "/a b");
    is("args", "x=1&Y=2");
    is("query_string", "x=1&Y=2");
    is("is_args", "?");
    is("arg_y", "2");
    is("arg_z", NULL);
    is("server_protocol", "HTTP/1.1");
    is("scheme", "http");
    is("https", "");
    is("content_length", "3");
    is("request_length", "60");
}

Test(var_core, leaves_the_authority_out_of_request_uri)
{
    request("GET http://h:80/p?q HTTP/1.1\r\nHost: h:80\r\n\r\n");
    is("request_uri", "/p?q");
    request("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n");
    is("request_uri", "/?q");
    request("GET http://h HTTP/1.0\r\n\r\n");
    is("request_uri", "/");
    is("server_protocol", "HTTP/1.0");
}

Test(var_core, takes_the_server_s_name_for_a_missing_host)
{
    request("GET / HTTP/1.0\r\n\r\n");
    is("host", "first.test");
    is("server_name", "first.test");
    is("server_port", "8080");
    is("is_args", "");
    is("args", NULL);
}

Test(var_core, joins_fields_of_one_name)
{
    request("GET / HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two: b\r\nCookie: a=1; B=2\r\nX-Empty:\r\n"
            "Cookie: c=3 ; d = 4;e=\r\nUser-Agent: me\r\n\r\n");
    is("http_x_two", "a, b");
    is("http_user_agent", "me");
    is("http_cookie", "a=1; B=2; c=3 ; d = 4;e=");
    is("http_x_empty", "");
    is("http_x", NULL);
    is("cookie_a", "1");
    is("cookie_b", "2");
    is("cookie_c", "3");
    is("cookie_e", "");
    is("cookie_f", NULL);
}

/* RFC 7617 section 2: Aladdin, open sesame. */
Test(var_core, decodes_the_user_of_basic_authentication)
{
    request(
        "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    is("remote_user", "Aladdin");
    request("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic QWxhZGRpbg==\r\n\r\n");
    is("remote_user", NULL);
    request(
        "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    is("remote_user", NULL);
}

Test(var_core, tells_of_the_reply)
{
    request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    is("status", "000");
    is("sent_http_content_length", NULL);
    is("sent_http_connection", NULL);
    reply_reset(r, 404);
    header_add(&r->reply.headers, STR("X-Made"), STR("1"));
    header_add(&r->reply.headers, STR("x-made"), STR("2"));
    header_add(&r->reply.headers, STR("Location"), STR("/l"));
    header_add(&r->reply.trailers, STR("Sum"), STR("s"));
    r->reply.content_type = STR("text/x");
    r->reply.length = 5;
    r->reply.body_sent = 3;
    r->reply.bytes_sent = 103;
    r->reply.started = true;
    is("status", "404");
    is("sent_http_x_made", "1, 2");
    is("sent_http_location", "/l");
    is("sent_http_content_type", "text/x");
    is("sent_http_content_length", "5");
    is("sent_http_transfer_encoding", NULL);
    is("sent_http_connection", "keep-alive");
    is("sent_trailer_sum", "s");
    is("body_bytes_sent", "3");
    is("bytes_sent", "103");
    is("request_completion", "");
    r->reply.finished = r->reply.close = true;
    r->reply.length = REPLY_LENGTH_UNKNOWN;
    is("sent_http_connection", "close");
    is("sent_http_transfer_encoding", "chunked");
    is("request_completion", "OK");
}

Test(var_core, tells_of_the_connection)
{
    request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    h->conn.number = 17;
    r->serial = 4;
    is("connection", "17");
    is("connection_requests", "4");
    is("pipe", ".");
    r->pipelined = true;
    is("pipe", "p");
    cr_assert(net_parse(STR("198.51.100.7:5555"), 0, &r->client));
    r->client_text = STR("198.51.100.7");
    is("remote_addr", "198.51.100.7");
    is("remote_port", "5555");
    is("binary_remote_addr", "\xc6\x33\x64\x07");
    is("server_addr", NULL); /* there is no socket */
    is("tcpinfo_rtt", NULL);
}

static bool has_form(str_t s, const char *form)
{
    if (s.n != strlen(form)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (form[i] == '0' ? !ascii_digit(s.p[i]) : form[i] != s.p[i]) return false;
    return true;
}

Test(var_core, tells_the_time_in_nginx_s_forms)
{
    request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    clock_update();
    r->began_ms = clock_ms() - 1234;
    is("request_time", "1.234");
    cr_assert(has_form(var_get_named(r, STR("msec")), "0000000000.000"));
    cr_assert_eq(var_get_named(r, STR("time_local")).n, strlen("06/Nov/1994:08:49:37 +0000"));
    cr_assert_eq(var_get_named(r, STR("time_iso8601")).n, strlen("1994-11-06T08:49:37+00:00"));
}

Test(var_core, makes_a_random_id)
{
    request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    str_t id = var_get_named(r, STR("request_id"));
    cr_assert_eq(id.n, 32);
    for (size_t i = 0; i < id.n; i++)
        cr_assert(ascii_hex(id.p[i]) >= 0 && !(id.p[i] >= 'A' && id.p[i] <= 'F'));
}
