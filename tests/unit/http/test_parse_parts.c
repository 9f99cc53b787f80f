/* What parse gives of a valid head, and of single parts. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "http/parse.h"
#include "tests/unit/http/guarded.h"

static pool_t *pool;
static parse_request_t req;
static parse_response_t res;
static size_t used;

static void setup(void)
{
    pool = pool_create();
    header_list_init(&req.headers, pool);
    header_list_init(&res.headers, pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(parse_parts, .init = setup, .fini = teardown);

static parse_error_t request(const char *text)
{
    str_t copy = guarded_copy(str_of(text));
    return parse_request(copy.p, copy.n, &req, &used);
}

static parse_error_t response(const char *text)
{
    str_t copy = guarded_copy(str_of(text));
    return parse_response(copy.p, copy.n, &res, &used);
}

Test(parse_parts, request_gives_its_parts)
{
    cr_assert_eq(request("\r\nPOST /a?b HTTP/1.1\r\nhost:\t x:1 \r\nX-Y:\r\nAccept: */*\r\n"
                         "Content-Length: 12\r\n\r\nmore"),
                 PARSE_OK);
    cr_expect_eq(used, 76);
    cr_expect(str_eq(req.line, STR("POST /a?b HTTP/1.1")));
    cr_expect(str_eq(req.method, STR("POST")));
    cr_expect_eq(req.method_id, METHOD_POST);
    cr_expect(str_eq(req.target, STR("/a?b")));
    cr_expect_eq(req.minor, 1);
    cr_expect_eq(req.framing, PARSE_LENGTH);
    cr_expect_eq(req.content_length, 12);
    cr_expect(str_eq(req.host, STR("x:1")));
    cr_expect_eq(req.headers.n, 4);
    cr_expect(str_eq(req.headers.v[0].name, STR("host")));
    cr_expect_eq(req.headers.v[0].id, HEADER_HOST);
    cr_expect(str_eq(req.headers.v[1].name, STR("X-Y")));
    cr_expect_eq(req.headers.v[1].value.n, 0);
    cr_expect(str_eq(header_value(&req.headers, HEADER_ACCEPT), STR("*/*")));
}

Test(parse_parts, request_takes_host_from_the_right_place)
{
    static const struct {
        const char *head, *host, *why;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a:8\r\n\r\n", "a:8", "RFC 9112 3.3"},
        {"GET http://b:9/x HTTP/1.1\r\nHost: a\r\n\r\n", "b:9", "3.2.2: the target wins"},
        {"GET http://b/x HTTP/1.0\r\n\r\n", "b", "3.2.2"},
        {"CONNECT c:443 HTTP/1.1\r\nHost: a\r\n\r\n", "c:443", "3.3"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", "3.3"},
        {"GET / HTTP/1.1\r\nHost: \r\n\r\n", "", "3.3"},
        {"GET / HTTP/1.0\r\n\r\n", NULL, "3.3"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(request(rows[i].head), PARSE_OK, "%s", rows[i].why);
        cr_expect_eq(req.host.p == NULL, rows[i].host == NULL, "%s", rows[i].why);
        if (rows[i].host) cr_expect(str_eq(req.host, str_of(rows[i].host)), "%s", rows[i].why);
        const header_t *field = header_get(&req.headers, HEADER_HOST);
        if (field) cr_expect(str_eq(field->value, req.host), "%s", rows[i].why);
    }
}

Test(parse_parts, judges_keep_alive)
{
    static const struct {
        const char *version, *fields;
        bool keep;
        const char *why;
    } rows[] = {
        {"1.1", "", true, "RFC 9112 9.3"},
        {"1.0", "", false, "9.3"},
        {"1.1", "Connection: close\r\n", false, "9.6"},
        {"1.1", "Connection: keep-alive\r\n", true, "9.3"},
        {"1.1", "Connection: x, CLOSE\r\n", false, "9.6: a list, case folded"},
        {"1.1", "Connection: x\r\nConnection: close\r\n", false, "9.6: over several lines"},
        {"1.1", "Connection: closed\r\n", true, "a whole token"},
        {"1.0", "Connection: Keep-Alive\r\n", true, "9.3"},
        {"1.0", "Connection: x\r\nConnection: keep-alive\r\n", true, "9.3"},
        {"1.0", "Connection: keep-alive, close\r\n", false, "9.3: close wins"},
        {"1.0", "Connection: close\r\nConnection: keep-alive\r\n", false, "9.3: close wins"},
        {"1.0", "Keep-Alive: 5\r\n", false, "9.3: not the Keep-Alive field"},
        {"1.1", "Proxy-Connection: close\r\n", true, "9.3: not that field"},
        {"1.9", "", true, "2.5"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", rows[i].version,
                 rows[i].fields);
        cr_assert_eq(request(text), PARSE_OK);
        cr_expect_eq(req.keep_alive, rows[i].keep, "request %zu: %s", i, rows[i].why);
        snprintf(text, sizeof(text), "HTTP/%s 200 OK\r\n%s\r\n", rows[i].version, rows[i].fields);
        cr_assert_eq(response(text), PARSE_OK);
        cr_expect_eq(res.keep_alive, rows[i].keep, "response %zu: %s", i, rows[i].why);
    }
}

Test(parse_parts, response_gives_its_parts)
{
    cr_assert_eq(response("HTTP/1.1 404 Not  Found \r\nServer: x\r\nContent-Length: 7\r\n\r\nmore"),
                 PARSE_OK);
    cr_expect_eq(used, 58);
    cr_expect(str_eq(res.line, STR("HTTP/1.1 404 Not  Found ")));
    cr_expect_eq(res.status, 404);
    cr_expect(str_eq(res.reason, STR("Not  Found ")));
    cr_expect_eq(res.minor, 1);
    cr_expect_eq(res.framing, PARSE_LENGTH);
    cr_expect_eq(res.content_length, 7);
    cr_assert_eq(response("HTTP/1.0 200\r\n\r\n"), PARSE_OK);
    cr_expect_eq(res.reason.n, 0);
    cr_expect_eq(res.minor, 0);
}

/* RFC 9112 6.3, one row for each of its cases that the head alone decides. */
Test(parse_parts, frames_bodies)
{
    cr_assert_eq(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), PARSE_OK);
    cr_expect_eq(req.framing, PARSE_NO_BODY);
    cr_assert_eq(request("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                 PARSE_OK);
    cr_expect_eq(req.framing, PARSE_CHUNKED);
    cr_assert_eq(request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), PARSE_OK);
    cr_expect(req.framing == PARSE_LENGTH && req.content_length == 0);
    cr_assert_eq(response("HTTP/1.1 200 OK\r\n\r\n"), PARSE_OK);
    cr_expect_eq(res.framing, PARSE_UNTIL_CLOSE);
    cr_assert_eq(response("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"), PARSE_OK);
    cr_expect_eq(res.framing, PARSE_CHUNKED);
    cr_assert_eq(response("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n"), PARSE_OK);
    cr_expect(res.framing == PARSE_LENGTH && res.content_length == 3);
}

Test(parse_parts, forgets_the_head_before)
{
    cr_assert_eq(request("GET http://b/ HTTP/1.1\r\nHost: a\r\nVia: x\r\n"
                         "Content-Length: 3\r\n\r\n"),
                 PARSE_OK);
    cr_assert_eq(request("GET / HTTP/1.0\r\nAge: 1\r\n\r\n"), PARSE_OK);
    cr_expect_eq(req.headers.n, 1);
    cr_expect(header_get(&req.headers, HEADER_VIA) == NULL);
    cr_expect(req.host.p == NULL);
    cr_expect_eq(req.framing, PARSE_NO_BODY);
}

/* ---- methods, errors, single parts ---- */

Test(parse_parts, knows_methods)
{
    for (unsigned m = METHOD_GET; m <= METHOD_PURGE; m++) {
        str_t name = parse_method_name((parse_method_t)m);
        cr_expect(name.n > 0);
        cr_expect_eq(parse_method(name), m);
        cr_expect_eq(parse_method(pool_lower(pool, name)), METHOD_OTHER, "RFC 9110 9.1");
    }
    cr_expect_eq(parse_method(STR("PROPPATCH")), METHOD_PROPPATCH);
    cr_expect_eq(parse_method(STR("GE")), METHOD_OTHER);
    cr_expect_eq(parse_method(STR("")), METHOD_OTHER);
    cr_expect_eq(parse_method_name(METHOD_OTHER).n, 0);
}

Test(parse_parts, has_a_text_and_a_status_for_every_error)
{
    for (unsigned e = 0; e < PARSE_ERROR_COUNT; e++) {
        cr_assert(parse_error_text((parse_error_t)e), "%u", e);
        cr_expect(parse_error_status((parse_error_t)e) >= 200, "%u", e);
    }
    cr_expect_eq(parse_error_status(PARSE_UNKNOWN_CODING), 501, "RFC 9112 6.1");
    cr_expect_eq(parse_error_status(PARSE_UNSUPPORTED_VERSION), 505, "RFC 9110 15.6.6");
    cr_expect_eq(parse_error_status(PARSE_BAD_CODING), 400);
    cr_expect_eq(parse_error_status(PARSE_NO_HOST), 400, "RFC 9112 3.2");
}

Test(parse_parts, judges_single_parts)
{
    cr_expect(parse_is_token(STR("X-Name~")) && !parse_is_token(STR("")));
    cr_expect(!parse_is_token(STR("a b")) && !parse_is_token(STR("a:")));
    cr_expect(!parse_is_token(STR("a-name-that-is-longer-than-one-vector-of-bytes\x80")));
    cr_expect(parse_is_field_value(STR("")) && parse_is_field_value(STR("a \t\xff")) == true);
    cr_expect(!parse_is_field_value(STR(" a")) && !parse_is_field_value(STR("a\t")));
    cr_expect(!parse_is_field_value(STR("a\r\nb")) && !parse_is_field_value(STR("a\0b")));
    cr_expect(parse_is_host(STR("a:1")) && !parse_is_host(STR("")) && !parse_is_host(STR("a@b")));
}
