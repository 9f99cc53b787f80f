#include <criterion/criterion.h>

#include "modules/cache/update.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(update, .init = tables_begin, .fini = tables_end);

/* The first field of each response is the one in question. */
static const struct {
    const char *rfc, *response;
    bool stored;
} fields[] = {
    {"9111 3.1", "Content-Type: text/plain", true},
    {"9111 3.1", "Content-Length: 5", true},
    {"9111 3.1", "Set-Cookie: a=b", true},
    {"9111 3.1", "X: y", true},
    {"9110 7.6.1", "Connection: x", false},
    {"9110 7.6.1", "Keep-Alive: timeout=5", false},
    {"9110 7.6.1", "Proxy-Connection: close", false},
    {"9110 7.6.1", "TE: trailers", false},
    {"9110 7.6.1", "Transfer-Encoding: chunked", false},
    {"9110 7.6.1", "Upgrade: h2c", false},
    {"9111 3.1", "Proxy-Authenticate: Basic", false},
    {"9111 3.1", "Proxy-Authentication-Info: x", false},
    {"9111 3.1", "Proxy-Authorization: x", false},
    {"9110 7.6.1 listed", "X: y\nConnection: x", false},
    {"9110 7.6.1 listed", "Foo: y\nConnection: close, X\nConnection: foo", false},
    {"9110 7.6.1 listed", "X: y\nConnection: close", true},
    {"9111 5.2.2.7", "Set-Cookie: a=b\nCache-Control: private=\"foo, SET-COOKIE\"", false},
    {"9111 5.2.2.7", "X: y\nCache-Control: private=\"set-cookie\"", true},
    {"9111 5.2.2.4", "X: y\nCache-Control: no-cache=x", true},
};

Test(update, knows_what_is_stored)
{
    for (size_t i = 0; i < ROWS(fields); i++) {
        header_list_t list = tables_fields(fields[i].response);
        cache_control_t cc = tables_response(&list);
        cr_expect_eq(update_stores(&list, &cc, &list.v[0]), fields[i].stored, "RFC %s: %s",
                     fields[i].rfc, fields[i].response);
    }
}

/* RFC 9111 5.2.2.4 */
Test(update, withholds_what_no_cache_lists)
{
    header_list_t list = tables_fields("A: 1\nB: 2\nCache-Control: no-cache=\"a\", max-age=9");
    cache_control_t cc = tables_response(&list);
    cr_assert_not(update_sends(&cc, &list.v[0]));
    cr_assert(update_sends(&cc, &list.v[1]));
}

static const struct {
    const char *rfc, *stored, *fresh;
    bool only, selected;
} selections[] = {
    {"9111 4.3.4 strong", "ETag: \"a\"", "ETag: \"a\"", false, true},
    {"9111 4.3.4 strong", "ETag: \"b\"", "ETag: \"a\"", true, false},
    {"9111 4.3.4 strong", "ETag: W/\"a\"", "ETag: \"a\"", true, false},
    {"9111 4.3.4 strong", "Last-Modified: $-9", "ETag: \"a\"\nLast-Modified: $-9", true, false},
    {"9111 4.3.4 weak", "ETag: W/\"a\"", "ETag: W/\"a\"", false, true},
    {"9111 4.3.4 weak", "ETag: \"a\"", "ETag: W/\"a\"", false, true},
    {"9111 4.3.4 weak", "ETag: \"b\"", "ETag: W/\"a\"", true, false},
    {"9111 4.3.4 weak", "X: y", "ETag: W/\"a\"", true, false},
    {"9111 4.3.4 weak", "Last-Modified: $-9", "Last-Modified: $-9", false, true},
    {"9111 4.3.4 weak", "Last-Modified: $-9", "Last-Modified: $-8", true, false},
    {"9111 4.3.4 none", "ETag: \"a\"", "X: y", true, true},
    {"9111 4.3.4 none", "X: y", "X: y", true, true},
    {"9111 4.3.4 none", "ETag: \"a\"", "X: y", false, false},
};

Test(update, selects_the_stored_response)
{
    for (size_t i = 0; i < ROWS(selections); i++) {
        header_list_t stored = tables_fields(selections[i].stored);
        header_list_t fresh = tables_fields(selections[i].fresh);
        cr_expect_eq(update_selects(&stored, &fresh, selections[i].only), selections[i].selected,
                     "RFC %s: %s | %s", selections[i].rfc, selections[i].stored,
                     selections[i].fresh);
    }
}

static const struct {
    const char *rfc, *stored, *fresh, *name, *value; /* value NULL: there is none */
} updates[] = {
    {"9111 3.2", "A: 1", "A: 2", "A", "2"},
    {"9111 3.2", "A: 1\nA: 2\nA: 3", "a: 4\na: 5", "A", "4, 5"},
    {"9111 3.2", "A: 1", "B: 2", "A", "1"},
    {"9111 3.2", "A: 1", "B: 2", "B", "2"},
    {"9111 3.2", "Cache-Control: max-age=1", "Cache-Control: max-age=2", "Cache-Control",
     "max-age=2"},
    {"9111 3.2", "Content-Type: text/a", "Content-Type: text/b", "Content-Type", "text/b"},
    {"9111 3.2", "Content-Encoding: a", "Content-Encoding: b", "Content-Encoding", "b"},
    {"9111 3.2", "ETag: \"a\"", "ETag: W/\"a\"", "ETag", "W/\"a\""},
    {"9111 3.2", "Set-Cookie: a=1", "Set-Cookie: a=2", "Set-Cookie", "a=2"},
    {"9111 3.2 length", "Content-Length: 10", "Content-Length: 0", "Content-Length", "10"},
    {"9111 3.2 length", "X: y", "Content-Length: 0", "Content-Length", NULL},
    {"9111 3.1", "X: y", "Transfer-Encoding: chunked", "Transfer-Encoding", NULL},
    {"9111 3.1", "A: 1", "A: 2\nConnection: a", "A", "1"},
    {"9111 3.1", "A: 1", "A: 2\nCache-Control: private=a", "A", "1"},
};

Test(update, takes_over_fields_of_a_304)
{
    for (size_t i = 0; i < ROWS(updates); i++) {
        header_list_t stored = tables_fields(updates[i].stored);
        header_list_t fresh = tables_fields(updates[i].fresh);
        cache_control_t cc = tables_response(&fresh);
        cr_assert(update_apply(&stored, &fresh, &cc));
        str_t value = header_join(&stored, str_of(updates[i].name));
        bool right = updates[i].value ? value.p && str_eq(value, str_of(updates[i].value))
                                      : value.p == NULL;
        cr_expect(right, "RFC %s: %s | %s: " STR_FMT, updates[i].rfc, updates[i].stored,
                  updates[i].fresh, STR_ARG(value));
    }
}
