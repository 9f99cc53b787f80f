#include <criterion/criterion.h>

#include "modules/cache/vary.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(vary, .init = tables_begin, .fini = tables_end);

static const struct {
    const char *rfc, *response, *text; /* text NULL: nothing can be selected */
} lists[] = {
    {"9110 12.5.5", "X: y", ""},
    {"9110 12.5.5", "Vary:", ""},
    {"9110 12.5.5", "Vary: Accept-Encoding", "accept-encoding"},
    {"9110 12.5.5", "Vary: b, A , ,a", "a,b"},
    {"9110 12.5.5", "Vary: b\nVary: a\nvary: B", "a,b"},
    {"9111 4.1", "Vary: *", NULL},
    {"9111 4.1", "Vary: a, *", NULL},
    {"9111 4.1", "Vary: *, a", NULL},
    {"9111 4.1", "Vary: a\nVary: *", NULL},
    {"9111 4.1", "Vary: *a", "*a"},
};

Test(vary, lists_selecting_fields)
{
    for (size_t i = 0; i < ROWS(lists); i++) {
        header_list_t response = tables_fields(lists[i].response);
        vary_t vary;
        vary_parse(tables_pool, &response, &vary);
        cr_expect_eq(vary.any, lists[i].text == NULL, "RFC %s: %s", lists[i].rfc,
                     lists[i].response);
        if (!lists[i].text) continue;
        str_t text = vary_text(tables_pool, &vary);
        cr_expect(str_eq(text, str_of(lists[i].text)), "RFC %s: %s: " STR_FMT, lists[i].rfc,
                  lists[i].response, STR_ARG(text));
    }
}

static const struct {
    const char *rfc, *vary, *a, *b;
    bool same;
} pairs[] = {
    {"9111 4.1", "Foo", "Foo: 1", "Foo: 1", true},
    {"9111 4.1", "Foo", "Foo: 1", "Foo: 2", false},
    {"9111 4.1", "Foo", "Foo: 1", "foo: 1", true},
    {"9111 4.1", "Foo", "Foo: a", "Foo: A", false},
    {"9111 4.1", "Foo", "Foo: 1\nBar: 1", "Foo: 1\nBar: 2", true},
    {"9111 4.1", "Foo, Bar", "Foo: 1\nBar: 1", "Foo: 1\nBar: 2", false},
    {"9111 4.1", "Foo, Bar", "Foo: 1\nBar: 2", "Bar: 2\nFoo: 1", true},
    {"9111 4.1", "Foo, Bar", "Foo: 1", "Bar: 1", false},
    {"9111 4.1 absent", "Foo", "X: y", "X: z", true},
    {"9111 4.1 absent", "Foo", "X: y", "Foo: 1", false},
    {"9111 4.1 absent", "Foo", "X: y", "Foo:", false},
    {"9111 4.1 white space", "Foo", "Foo: 1,2", "Foo: 1 ,\t2", true},
    {"9111 4.1 white space", "Foo", "Foo: 1,2", "Foo: 1, 2", true},
    {"9111 4.1 lines", "Foo", "Foo: 1, 2", "Foo: 1\nFoo: 2", true},
    {"9111 4.1 lines", "Foo", "Foo: 1, 2", "Foo: 2\nFoo: 1", false},
    {"9110 5.6.1", "Foo", "Foo: 1, 2", "Foo: ,1,, 2,", true},
    {"9110 5.6.4", "Foo", "Foo: \"a, b\"", "Foo: \"a,b\"", false},
    {"9110 12.5.3 order", "Accept-Encoding", "Accept-Encoding: gzip, br",
     "Accept-Encoding: br, gzip", true},
    {"9110 12.5.3 order", "Accept-Encoding", "Accept-Encoding: gzip, br",
     "Accept-Encoding: br\nAccept-Encoding: gzip", true},
    {"9110 8.4.1 case", "Accept-Encoding", "Accept-Encoding: GZip", "Accept-Encoding: gzip", true},
    {"9110 8.4.1.3", "Accept-Encoding", "Accept-Encoding: x-gzip", "Accept-Encoding: gzip", true},
    {"9110 12.4.2", "Accept-Encoding", "Accept-Encoding: gzip;q=1.0", "Accept-Encoding: gzip",
     true},
    {"9110 12.4.2", "Accept-Encoding", "Accept-Encoding: gzip ; Q=0.5",
     "Accept-Encoding: gzip;q=0.5", true},
    {"9110 12.4.2", "Accept-Encoding", "Accept-Encoding: gzip;q=0", "Accept-Encoding: gzip", false},
    {"9110 12.5.3", "Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: br", false},
    {"9110 12.5.3", "Accept-Encoding", "Accept-Encoding:", "X: y", false},
    {"9110 8.5.1 case", "Accept-Language", "Accept-Language: EN, de", "Accept-Language: en,DE",
     true},
    {"9110 12.5.4 order", "Accept-Language", "Accept-Language: en, de", "Accept-Language: de, en",
     true},
    {"9110 12.5.4 order", "Accept-Language", "Accept-Language: de, en;q=0.8",
     "Accept-Language: en; q=0.8\nAccept-Language: DE;q=1.0", true},
    {"9110 12.4.2", "Accept-Language", "Accept-Language: de, en;q=0.8",
     "Accept-Language: de;q=0.8, en", false},
    {"9110 12.5.2", "Accept-Charset", "Accept-Charset: utf-8, *;q=0.1",
     "Accept-Charset: *;q=0.1, UTF-8", true},
    {"9110 12.5.1", "Accept", "Accept: text/html, text/plain", "Accept: text/plain, text/html",
     false},
    {"6265 5.4", "Cookie", "Cookie: a=1, b", "Cookie: a=1,b", false},
    {"9110 10.1.5", "User-Agent", "User-Agent: a (x, y)", "User-Agent: a (x,y)", false},
};

Test(vary, selects_variants)
{
    for (size_t i = 0; i < ROWS(pairs); i++) {
        header_list_t a = tables_fields(pairs[i].a), b = tables_fields(pairs[i].b);
        header_list_t response = tables_fields("X: y");
        vary_t vary;
        header_add_id(&response, HEADER_VARY, str_of(pairs[i].vary));
        vary_parse(tables_pool, &response, &vary);
        str_t key_a = vary_key(tables_pool, &vary, &a), key_b = vary_key(tables_pool, &vary, &b);
        cr_expect_eq(str_eq(key_a, key_b), pairs[i].same, "RFC %s: %s | %s", pairs[i].rfc,
                     pairs[i].a, pairs[i].b);
    }
}

Test(vary, has_bounds)
{
    header_list_t response = tables_fields("X: y");
    vary_t vary;
    for (int i = 0; i <= VARY_FIELDS_MAX; i++)
        header_add_id(&response, HEADER_VARY, pool_printf(tables_pool, "f%d", i));
    vary_parse(tables_pool, &response, &vary);
    cr_assert(vary.any);
    cr_assert_eq(vary.fields.n, VARY_FIELDS_MAX);
}
