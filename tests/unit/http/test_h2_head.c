#include "http/h2_head.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static pool_t *pool;
static h2_head_t head;
static parse_request_t out;
static bool extended;

static void begin(void)
{
    pool = pool_create();
    head = (h2_head_t){.n = 0};
}

static void end(void)
{
    free(head.text);
    pool_destroy(pool);
}

static void add(const char *name, const char *value)
{
    h2_head_add(&head, str_of(name), str_of(value), 100, 1000);
}

static void add_get(void)
{
    add(":method", "GET");
    add(":scheme", "https");
    add(":authority", "example.org");
    add(":path", "/a?b");
}

static parse_error_t read_head(bool ended)
{
    out = (parse_request_t){.minor = 0};
    header_list_init(&out.headers, pool);
    return h2_head_read(&head, ended, &out, &extended);
}

#define assert_str(actual, expected) \
    cr_assert(str_eq(actual, STR(expected)), "%.*s", (int)(actual).n, (actual).p)

Test(h2_head, a_request_is_what_http_1_would_have, .init = begin, .fini = end)
{
    add_get();
    add("x-own", "");
    cr_assert_eq(read_head(true), PARSE_OK);
    assert_str(out.line, "GET /a?b HTTP/2.0");
    assert_str(out.method, "GET");
    assert_str(out.target, "/a?b");
    assert_str(out.host, "example.org");
    assert_str(header_value(&out.headers, HEADER_HOST), "example.org");
    cr_assert(out.method_id == METHOD_GET && out.http2 && out.minor == 1);
    cr_assert(out.framing == PARSE_NO_BODY && !extended);
    cr_assert_eq(out.headers.n, 2);
}

Test(h2_head, the_end_and_the_length_make_the_framing, .init = begin, .fini = end)
{
    add_get();
    cr_assert(read_head(false) == PARSE_OK && out.framing == PARSE_CHUNKED);
    add("content-length", "7");
    cr_assert(read_head(false) == PARSE_OK && out.framing == PARSE_LENGTH);
    cr_assert_eq(out.content_length, 7);
    cr_assert_eq(read_head(true), PARSE_BAD_LENGTH);
}

/* Whether there is really nothing behind it is known at the end only. */
Test(h2_head, a_length_of_nothing_is_believed_when_it_has_ended, .init = begin, .fini = end)
{
    add_get();
    add("content-length", "0");
    cr_assert(read_head(true) == PARSE_OK && out.framing == PARSE_LENGTH);
    cr_assert(read_head(false) == PARSE_OK && out.framing == PARSE_CHUNKED);
}

/* RFC 9113 8.2.3 */
Test(h2_head, cookies_are_joined, .init = begin, .fini = end)
{
    add_get();
    add("cookie", "a=b");
    add("x", "y");
    add("cookie", "c=d");
    add("cookie", "e=f");
    cr_assert_eq(read_head(true), PARSE_OK);
    const header_t *cookie = header_get(&out.headers, HEADER_COOKIE);
    assert_str(cookie->value, "a=b; c=d; e=f");
    cr_assert_null(header_next(&out.headers, HEADER_COOKIE, cookie));
}

/* RFC 8441 5 */
Test(h2_head, an_extended_connect_is_an_upgrade, .init = begin, .fini = end)
{
    add(":method", "CONNECT");
    add(":protocol", "websocket");
    add(":scheme", "https");
    add(":path", "/chat");
    add(":authority", "server.example.com");
    cr_assert_eq(read_head(false), PARSE_OK);
    cr_assert(extended && out.method_id == METHOD_GET && out.framing == PARSE_NO_BODY);
    assert_str(out.line, "CONNECT /chat HTTP/2.0");
    assert_str(header_value(&out.headers, HEADER_UPGRADE), "websocket");
    cr_assert_eq(header_value(&out.headers, HEADER_SEC_WEBSOCKET_KEY).n, 24);
}

Test(h2_head, a_connect_names_its_authority, .init = begin, .fini = end)
{
    add(":method", "CONNECT");
    add(":authority", "example.org:443");
    cr_assert_eq(read_head(true), PARSE_OK);
    cr_assert_eq(out.method_id, METHOD_CONNECT);
    assert_str(out.target, "example.org:443");
}

Test(h2_head, too_much_is_not_kept, .init = begin, .fini = end)
{
    char large[128];
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    add(":path", large);
    cr_assert(head.large && head.large_path && head.n == 0);
    add("x", "y");
    cr_assert_eq(head.n, 0);
    head = (h2_head_t){.n = 0};
    for (int i = 0; i < 1000; i++) add("name", "value");
    cr_assert(head.large && !head.large_path && head.n < 3000);
}
