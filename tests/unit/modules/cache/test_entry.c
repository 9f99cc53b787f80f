#include <criterion/criterion.h>

#include "modules/cache/entry.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(entry, .init = tables_begin, .fini = tables_end);

static entry_t make(void)
{
    entry_t e = {.decide = {.status = 404, .flags = CACHE_CONTROL_PUBLIC,
                            .freshness = {.lifetime = 60, .response_time = NOW, .date = NOW - 5},
                            .stale_if_error = 7},
                 .reason = STR("Nowhere"),
                 .content_type = STR("text/html"),
                 .no_cache_fields = STR("set-cookie")};
    e.headers = tables_fields("ETag: \"x\"\nX-Own: a b\nSet-Cookie: k=v\nSet-Cookie: l=w\n"
                              "X-Empty:");
    return e;
}

Test(entry, is_read_as_it_was_written)
{
    entry_t e = make(), got;
    cr_assert(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
    cr_expect_eq(got.decide.status, 404);
    cr_expect_eq(got.decide.freshness.lifetime, 60);
    cr_expect_eq(got.decide.freshness.date, NOW - 5);
    cr_expect_eq(got.decide.stale_if_error, 7);
    cr_expect(str_eq(got.reason, STR("Nowhere")));
    cr_expect(str_eq(got.content_type, STR("text/html")));
    cr_expect(str_eq(got.no_cache_fields, STR("set-cookie")));
    cr_expect_eq(got.headers.n, 5);
    cr_expect(str_eq(header_value(&got.headers, HEADER_ETAG), STR("\"x\"")));
    cr_expect(str_eq(header_join(&got.headers, STR("X-Own")), STR("a b")));
    const header_t *cookie = header_next(&got.headers, HEADER_SET_COOKIE, NULL);
    cookie = header_next(&got.headers, HEADER_SET_COOKIE, cookie);
    cr_expect(str_eq(cookie->value, STR("l=w")));
}

Test(entry, tells_no_type_from_an_empty_one)
{
    entry_t e = make(), got;
    e.content_type = (str_t){NULL, 0};
    cr_assert(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
    cr_expect_null(got.content_type.p);
    e.content_type = STR("");
    cr_assert(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
    cr_expect_not_null(got.content_type.p);
}

Test(entry, leaves_out_removed_fields)
{
    entry_t e = make(), got;
    header_remove(&e.headers, HEADER_SET_COOKIE);
    cr_assert(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
    cr_expect_eq(got.headers.n, 3);
    cr_expect_null(header_get(&got.headers, HEADER_SET_COOKIE));
}

/* Every truncation and every changed byte is read without harm; what is cut off is no entry. */
Test(entry, refuses_what_is_damaged)
{
    entry_t e = make(), got;
    str_t whole = entry_write(tables_pool, &e);
    char *copy = pool_bytes(tables_pool, whole.n);
    for (size_t n = 0; n < whole.n; n++)
        cr_expect_not(entry_read(tables_pool, str_sub(whole, 0, n), &got), "%zu bytes", n);
    cr_expect_not(entry_read(tables_pool, pool_concat(tables_pool, whole, STR("x")), &got));
    for (size_t i = 0; i < whole.n; i++) {
        memcpy(copy, whole.p, whole.n);
        copy[i] = (char)~copy[i];
        entry_read(tables_pool, str_make(copy, whole.n), &got);
    }
}

Test(entry, refuses_another_format_and_no_status)
{
    entry_t e = make(), got;
    str_t bytes = entry_write(tables_pool, &e);
    char *first = (char *)(uintptr_t)bytes.p;
    first[0]++;
    cr_expect_not(entry_read(tables_pool, bytes, &got));
    first[0]--;
    cr_expect(entry_read(tables_pool, bytes, &got));
    e.decide.status = 99;
    cr_expect_not(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
    e.decide.status = 1000;
    cr_expect_not(entry_read(tables_pool, entry_write(tables_pool, &e), &got));
}
