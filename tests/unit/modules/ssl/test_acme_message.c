#include "modules/ssl/acme_message.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "modules/ssl/acme_http.h"
#include "modules/ssl/acme_session.h"

static void expect_text(str_t got, const char *want)
{
    cr_expect(str_eq(got, str_of(want)), "got \"" STR_FMT "\"", STR_ARG(got));
}

/* --- URLs --- */

Test(acme_http, urls)
{
    acme_url_t u;
    cr_assert(acme_http_url(STR("https://ca.test/dir?a=b"), false, &u));
    cr_expect(u.tls && u.port == 443);
    expect_text(u.host, "ca.test");
    expect_text(u.target, "/dir?a=b");
    cr_assert(acme_http_url(STR("https://127.0.0.1:14000/dir"), false, &u));
    expect_text(u.authority, "127.0.0.1:14000");
    cr_expect_eq(u.port, 14000);
    cr_assert(acme_http_url(STR("https://ca.test"), false, &u));
    expect_text(u.target, "/");
    cr_assert(acme_http_url(STR("http://[::1]:8080/x"), true, &u));
    cr_expect(!u.tls && u.port == 8080);
    cr_expect(acme_http_url(STR("http://localhost/x"), true, &u));
    cr_expect(acme_http_url(STR("https://ca.test/x"), true, &u));
}

Test(acme_http, urls_that_are_not_followed)
{
    static const char *const bad[] = {
        "", "ca.test/dir", "/dir", "*", "ftp://ca.test/", "https://", "https:///x",
        "https://a b/", "https://a/\r\nHost: b", "https://a/\"", "https://a/\\", "https://a/\x80",
        "https://user@a/", "https://a:99999/", "https://a/#b",
    };
    acme_url_t u;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(!acme_http_url(str_of(bad[i]), true, &u), "%s", bad[i]);
    cr_expect(!acme_http_url(STR("http://ca.test/"), true, &u));
    cr_expect(!acme_http_url(STR("http://127.ca.test/"), true, &u));
    cr_expect(!acme_http_url(STR("http://192.0.2.1/"), true, &u));
    cr_expect(!acme_http_url(STR("http://[2001:db8::1]/"), true, &u));
    cr_expect(!acme_http_url(STR("http://127.0.0.1/"), false, &u));
    char *longest = malloc(ACME_HTTP_URL_MOST + 1);
    memset(longest, 'a', ACME_HTTP_URL_MOST + 1);
    memcpy(longest, "https://a/", 10);
    cr_expect(acme_http_url(str_make(longest, ACME_HTTP_URL_MOST), false, &u));
    cr_expect(!acme_http_url(str_make(longest, ACME_HTTP_URL_MOST + 1), false, &u));
    free(longest);
}

/* --- directories --- */

#define DIRECTORY \
    "{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/c\",\"newOrder\":\"https://a/o\"%s}"

static const char *read_directory(pool_t *pool, const char *more, acme_directory_t *out)
{
    return acme_message_directory(pool, pool_printf(pool, DIRECTORY, more), false, out);
}

Test(acme_message, a_directory)
{
    pool_t *pool = pool_create();
    acme_directory_t d;
    cr_expect_null(read_directory(pool, "", &d));
    expect_text(d.new_nonce, "https://a/n");
    expect_text(d.new_account, "https://a/c");
    expect_text(d.new_order, "https://a/o");
    expect_text(d.terms, "");
    cr_expect_null(read_directory(pool, ",\"meta\":{\"termsOfService\":\"https://a/t\"},\"x\":[1]",
                                  &d));
    expect_text(d.terms, "https://a/t");
    static const char *const bad[] = {
        "", "[]", "7", "{", "null", "\"a\"", "{}",
        "{\"newNonce\":\"http://a/n\",\"newAccount\":\"https://a/c\",\"newOrder\":\"https://a/o\"}",
        "{\"newNonce\":7,\"newAccount\":\"https://a/c\",\"newOrder\":\"https://a/o\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(acme_message_directory(pool, str_of(bad[i]), false, &d), "%s", bad[i]);
    cr_expect_not_null(read_directory(pool, ",\"newOrder\":\"https://b/o\"", &d)); /* twice */
    pool_destroy(pool);
}

/* A reader that recurses must not be led down. */
Test(acme_message, nesting_is_bounded)
{
    enum { DEEP = 100000 };
    pool_t *pool = pool_create();
    acme_directory_t d;
    char *deep = pool_bytes(pool, DEEP + 1);
    for (int i = 0; i < DEEP; i++) deep[i] = i % 5 ? '[' : ']';
    deep[DEEP] = '\0';
    cr_expect_not_null(acme_message_directory(pool, str_make(deep, DEEP), false, &d));
    cr_expect_not_null(read_directory(pool, ",\"x\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", &d));
    cr_expect_null(read_directory(pool, ",\"x\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]", &d));
    cr_expect_null(read_directory(pool, ",\"x\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"", &d));
    pool_destroy(pool);
}

/* --- orders --- */

static const char *read_order(pool_t *pool, const char *json, acme_order_t *out)
{
    return acme_message_order(pool, str_of(json), false, out);
}

Test(acme_message, an_order)
{
    pool_t *pool = pool_create();
    acme_order_t o;
    cr_assert_null(read_order(pool, "{\"status\":\"pending\",\"authorizations\":[\"https://a/1\","
                                    "\"https://a/2\"],\"finalize\":\"https://a/f\"}", &o));
    cr_expect_eq(o.status, ACME_PENDING);
    cr_expect_eq(o.count, 2u);
    expect_text(o.authorizations[1], "https://a/2");
    expect_text(o.finalize, "https://a/f");
    expect_text(o.certificate, "");
    cr_assert_null(read_order(pool, "{\"status\":\"valid\",\"authorizations\":[\"https://a/1\"],"
                                    "\"finalize\":\"https://a/f\","
                                    "\"certificate\":\"https://a/c\"}", &o));
    cr_expect_eq(o.status, ACME_VALID);
    expect_text(o.certificate, "https://a/c");
    cr_assert_null(read_order(pool, "{\"status\":\"lost\",\"authorizations\":[\"https://a/1\"],"
                                    "\"finalize\":\"https://a/f\",\"error\":{\"detail\":\"no\"},"
                                    "\"certificate\":\"http://a/c\"}", &o));
    cr_expect_eq(o.status, ACME_INVALID);
    expect_text(o.error, "no");
    expect_text(o.certificate, "");
    cr_expect_not_null(read_order(pool, "{\"status\":\"ready\",\"finalize\":\"https://a/f\"}", &o));
    cr_expect_not_null(read_order(pool, "{\"status\":\"ready\",\"authorizations\":[7],"
                                        "\"finalize\":\"https://a/f\"}", &o));
    cr_expect_not_null(read_order(pool, "{\"authorizations\":[\"https://a/1\"]}", &o));
    cr_expect_not_null(read_order(pool, "{\"authorizations\":[\"http://a/1\"],"
                                        "\"finalize\":\"https://a/f\"}", &o));
    pool_destroy(pool);
}

Test(acme_message, an_order_of_too_much)
{
    pool_t *pool = pool_create();
    acme_order_t o;
    strbuf_t json = {.pool = pool};
    strbuf_add(&json, STR("{\"finalize\":\"https://a/f\",\"authorizations\":[\"https://a/1\""));
    for (int i = 0; i < ACME_MESSAGE_AUTHORIZATIONS; i++)
        strbuf_add(&json, STR(",\"https://a/1\""));
    strbuf_add(&json, STR("]}"));
    cr_expect_not_null(acme_message_order(pool, strbuf_text(&json), false, &o));
    pool_destroy(pool);
}

/* --- authorizations --- */

#define CHALLENGE(type, token) \
    "{\"type\":\"" type "\",\"url\":\"https://a/" type "\",\"token\":\"" token "\"," \
    "\"status\":\"pending\"}"
#define AUTHORIZATION(challenges) \
    "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"A.test\"}," \
    "\"challenges\":[" challenges "]}"

static const char *read_authorization(pool_t *pool, const char *json, acme_challenge_t kind,
                                      acme_authorization_t *out)
{
    return acme_message_authorization(pool, str_of(json), false, kind, out);
}

Test(acme_message, an_authorization)
{
    static const char both[] = AUTHORIZATION(CHALLENGE("dns-01", "d") ","
                                             CHALLENGE("http-01", "h-_1") ","
                                             CHALLENGE("tls-alpn-01", "t"));
    pool_t *pool = pool_create();
    acme_authorization_t a;
    cr_assert_null(read_authorization(pool, both, ACME_HTTP_01, &a));
    cr_expect_eq(a.status, ACME_PENDING);
    expect_text(a.name, "a.test");
    expect_text(a.url, "https://a/http-01");
    expect_text(a.token, "h-_1");
    cr_expect_eq(a.challenge, ACME_PENDING);
    cr_assert_null(read_authorization(pool, both, ACME_TLS_ALPN_01, &a));
    expect_text(a.token, "t");
    cr_assert_null(read_authorization(pool, AUTHORIZATION(CHALLENGE("dns-01", "d")), ACME_HTTP_01,
                                      &a));
    expect_text(a.url, "");
    cr_assert_null(read_authorization(pool, "{\"identifier\":{\"type\":\"ip\",\"value\":\"::1\"}}",
                                      ACME_HTTP_01, &a));
    expect_text(a.name, "");
    cr_expect_eq(a.status, ACME_INVALID);
    pool_destroy(pool);
}

/* It would stand in a path, in a body, in JSON. */
Test(acme_message, tokens_that_are_none)
{
    pool_t *pool = pool_create();
    acme_authorization_t a;
    static const char *const bad[] = {
        AUTHORIZATION(CHALLENGE("http-01", "")),
        AUTHORIZATION(CHALLENGE("http-01", "a/b")),
        AUTHORIZATION(CHALLENGE("http-01", "a.b")),
        AUTHORIZATION(CHALLENGE("http-01", "a b")),
        AUTHORIZATION(CHALLENGE("http-01", "a\\r\\nb")),
        AUTHORIZATION(CHALLENGE("http-01", "a=")),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(read_authorization(pool, bad[i], ACME_HTTP_01, &a), "%s", bad[i]);
    pool_destroy(pool);
}

/* --- problems --- */

Test(acme_message, problems)
{
    pool_t *pool = pool_create();
    acme_problem_t p;
    acme_message_problem(pool, STR("{\"type\":\"urn:ietf:params:acme:error:badNonce\","
                                   "\"detail\":\"old\"}"), &p);
    expect_text(p.type, "badNonce");
    expect_text(p.text, "badNonce: old");
    acme_message_problem(pool, STR("{\"type\":\"about:blank\",\"detail\":\"x\"}"), &p);
    expect_text(p.type, "");
    expect_text(p.text, "about:blank: x");
    acme_message_problem(pool, STR("<html>"), &p);
    expect_text(p.text, "");
    acme_message_problem(pool, STR("{\"detail\":7}"), &p);
    expect_text(p.text, "");

    strbuf_t json = {.pool = pool}; /* a long one, cut between characters */
    strbuf_add(&json, STR("{\"detail\":\"x"));
    for (int i = 0; i < 300; i++) strbuf_add(&json, STR("\xc3\xa4"));
    strbuf_add(&json, STR("\"}"));
    acme_message_problem(pool, strbuf_text(&json), &p);
    cr_expect(p.text.n > 100 && p.text.n <= ACME_BOARD_ERROR);
    cr_expect_eq(p.text.p[p.text.n - 1], '\xa4');
    pool_destroy(pool);
}

Test(acme_message, what_is_sent)
{
    pool_t *pool = pool_create();
    str_t names[] = {STR("a.test"), STR("b.test")}, contacts[] = {STR("mailto:\"a\"@b")};
    conf_strs_t two = {names, 2, 2}, one = {contacts, 1, 1}, none = {NULL, 0, 0};
    expect_text(acme_message_new_order(pool, &two),
                "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"},"
                "{\"type\":\"dns\",\"value\":\"b.test\"}]}");
    expect_text(acme_message_account(pool, &none, false, STR("")), "{}");
    expect_text(acme_message_account(pool, &one, true, STR("{\"a\":\"b\"}")),
                "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:\\\"a\\\"@b\"],"
                "\"externalAccountBinding\":{\"a\":\"b\"}}");
    pool_destroy(pool);
}

/* RFC 9110 10.2.3. */
Test(acme_session, retry_after)
{
    clock_set(1000, 784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */
    cr_expect_eq(acme_session_retry_after(STR("120")), 120000u);
    cr_expect_eq(acme_session_retry_after(STR("Sun, 06 Nov 1994 08:49:40 GMT")), 3000u);
    cr_expect_eq(acme_session_retry_after(STR("Sun, 06 Nov 1994 08:49:30 GMT")), 0u);
    cr_expect_eq(acme_session_retry_after(STR("")), 0u);
    cr_expect_eq(acme_session_retry_after(STR("soon")), 0u);
    cr_expect(acme_session_retry_after(STR("18446744073709551615")) > 0);
}
