#include <criterion/criterion.h>

#include "http/header.h"

static pool_t *pool;
static header_list_t list;

static void setup(void)
{
    pool = pool_create();
    header_list_init(&list, pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(header, .init = setup, .fini = teardown);

#define ADD(name, value) cr_assert(header_add(&list, STR(name), STR(value)))

Test(header, knows_every_name_in_any_case)
{
    for (unsigned id = 1; id < HEADER_ID_COUNT; id++) {
        str_t name = header_name((header_id_t)id);
        char text[64];
        cr_assert(name.n > 0 && name.n < sizeof(text));
        cr_expect_eq(header_id(name), id, STR_FMT, STR_ARG(name));
        cr_expect_eq(header_id(pool_lower(pool, name)), id, STR_FMT, STR_ARG(name));
        for (size_t i = 0; i < name.n; i++)
            text[i] = ascii_alpha(name.p[i]) ? (char)(name.p[i] & ~0x20) : name.p[i];
        cr_expect_eq(header_id(str_make(text, name.n)), id, STR_FMT, STR_ARG(name));
    }
}

/* A name with one byte changed in any way but case must not pass for it. */
Test(header, knows_no_name_with_a_byte_changed)
{
    for (unsigned id = 1; id < HEADER_ID_COUNT; id++) {
        str_t name = header_name((header_id_t)id);
        char text[64];
        memcpy(text, name.p, name.n);
        for (size_t i = 0; i < name.n; i++) {
            for (int c = 0; c < 256; c++) {
                text[i] = (char)c;
                bool same = str_ieq(str_make(text, name.n), name);
                cr_expect_eq(header_id(str_make(text, name.n)) == id, same, STR_FMT " %zu %d",
                             STR_ARG(name), i, c);
            }
            text[i] = name.p[i];
        }
        cr_expect_neq(header_id(str_sub(name, 0, name.n - 1)), id);
        text[name.n] = 's';
        cr_expect_neq(header_id(str_make(text, name.n + 1)), id);
    }
}

Test(header, leaves_other_names)
{
    static const char *const names[] = {
        "", "X", "Hos", "Hosts", "X-Other", "Sec-Fetch-Mode", "DNT",
        "a-very-long-name-that-nobody-uses-at-all",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_expect_eq(header_id(str_of(names[i])), HEADER_OTHER, "%s", names[i]);
}

Test(header, keeps_order_and_spelling)
{
    ADD("hOST", "a");
    ADD("X-One", "1");
    ADD("Accept", "*/*");
    static const char *const names[] = {"hOST", "X-One", "Accept"};
    size_t i = 0;
    HEADER_EACH(h, &list) cr_expect(str_eq(h->name, str_of(names[i++])));
    cr_expect_eq(i, 3);
    cr_expect(str_eq(header_value(&list, HEADER_HOST), STR("a")));
    cr_expect(header_value(&list, HEADER_COOKIE).p == NULL);
    cr_expect(header_get(&list, HEADER_COOKIE) == NULL);
}

Test(header, walks_fields_of_a_name)
{
    ADD("Via", "1");
    ADD("X-A", "a");
    ADD("VIA", "2");
    ADD("x-a", "b");
    ADD("via", "3");
    const header_t *h = header_next(&list, HEADER_VIA, NULL);
    cr_expect(h == header_get(&list, HEADER_VIA) && str_eq(h->value, STR("1")));
    h = header_next(&list, HEADER_VIA, h);
    cr_expect(str_eq(h->value, STR("2")));
    h = header_next_named(&list, STR("vIa"), h);
    cr_expect(str_eq(h->value, STR("3")));
    cr_expect(header_next(&list, HEADER_VIA, h) == NULL);
    h = header_next_named(&list, STR("X-a"), NULL);
    cr_expect(str_eq(h->value, STR("a")));
    h = header_next_named(&list, STR("X-a"), h);
    cr_expect(str_eq(h->value, STR("b")));
    cr_expect(header_next_named(&list, STR("X-a"), h) == NULL);
    cr_expect(header_next_named(&list, STR("X-b"), NULL) == NULL);
    cr_expect(header_next_named(&list, STR("Cookie"), NULL) == NULL);
}

Test(header, removes_and_sets)
{
    ADD("Via", "1");
    ADD("X-A", "a");
    ADD("Via", "2");
    ADD("x-a", "b");
    ADD("Age", "7");
    header_remove(&list, HEADER_VIA);
    cr_expect(header_get(&list, HEADER_VIA) == NULL);
    header_remove(&list, HEADER_VIA);
    header_remove_named(&list, STR("X-a"));
    header_remove_named(&list, STR("X-none"));
    size_t left = 0;
    HEADER_EACH(h, &list) left += str_eq(h->name, STR("Age"));
    cr_expect_eq(left, 1);
    cr_expect(header_next_named(&list, STR("x-a"), NULL) == NULL);
    header_set(&list, HEADER_VIA, STR("3"));
    header_set(&list, HEADER_AGE, (str_t){NULL, 0});
    header_remove_named(&list, STR("vary"));
    cr_expect(str_eq(header_value(&list, HEADER_VIA), STR("3")));
    cr_expect(header_get(&list, HEADER_AGE) == NULL);
    left = 0;
    HEADER_EACH(h, &list) left++;
    cr_expect_eq(left, 1);
}

Test(header, clears)
{
    ADD("Via", "1");
    header_list_clear(&list);
    cr_expect(header_get(&list, HEADER_VIA) == NULL);
    HEADER_EACH(h, &list) cr_expect(false, "still there");
    ADD("Age", "2");
    cr_expect(str_eq(header_value(&list, HEADER_AGE), STR("2")));
}

Test(header, grows_to_its_limit)
{
    for (unsigned i = 0; i < UINT16_MAX; i++)
        cr_assert(header_add(&list, i == UINT16_MAX - 1u ? STR("Age") : STR("X-Many"), STR("v")));
    cr_expect(!header_add(&list, STR("X-Many"), STR("v")));
    cr_expect_eq(list.n, UINT16_MAX);
    cr_expect(header_get(&list, HEADER_AGE) == &list.v[UINT16_MAX - 1]);
}

Test(header, joins)
{
    cr_expect(header_join(&list, STR("Accept")).p == NULL);
    ADD("Accept", "a");
    str_t one = header_join(&list, STR("accept"));
    cr_expect(one.p == header_value(&list, HEADER_ACCEPT).p && one.n == 1);
    ADD("ACCEPT", "");
    ADD("accept", "c");
    ADD("Cookie", "x=1");
    ADD("Cookie", "y=2");
    ADD("X-A", "1");
    ADD("X-A", "2");
    cr_expect(str_eq(header_join(&list, STR("accept")), STR("a, , c")), "RFC 9110 5.3");
    cr_expect(str_eq(header_join(&list, STR("cookie")), STR("x=1; y=2")), "RFC 6265 4.2.1");
    cr_expect(str_eq(header_join(&list, STR("x-a")), STR("1, 2")), "RFC 9110 5.3");
}

/* The joined text begins right when the first value is empty. */
Test(header, joins_an_empty_first_value)
{
    ADD("X-A", "");
    ADD("X-A", "b");
    cr_expect(str_eq(header_join(&list, STR("x-a")), STR(", b")));
}

Test(header, walks_list_elements)
{
    static const struct {
        const char *value;
        const char *elements[4];
        const char *why;
    } rows[] = {
        {"", {0}, "RFC 9110 5.6.1.2"},
        {" , ,,\t", {0}, "5.6.1.2: empty elements"},
        {"a", {"a"}, "5.6.1"},
        {"a,b , c", {"a", "b", "c"}, "5.6.1"},
        {"foo ,bar,", {"foo", "bar"}, "5.6.1.2: its own example"},
        {"foo , ,bar,charlie", {"foo", "bar", "charlie"}, "5.6.1.2: its own example"},
        {"\"a,b\", c", {"\"a,b\"", "c"}, "5.6.4: quoted"},
        {"\"a\\\",b\", c", {"\"a\\\",b\"", "c"}, "5.6.4: escaped quote"},
        {"x=\"a, b", {"x=\"a, b"}, "unclosed: the rest is one"},
        {"x=\"a\\", {"x=\"a\\"}, "ends in an escape"},
        {"a\\,b", {"a\\", "b"}, "no escapes outside quotes"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        str_t rest = str_of(rows[i].value), element;
        size_t n = 0;
        while (header_element(&rest, &element)) {
            cr_assert(n < 4 && rows[i].elements[n], "%s: %s", rows[i].value, rows[i].why);
            cr_expect(str_eq(element, str_of(rows[i].elements[n])), "%s: %s", rows[i].value,
                      rows[i].why);
            n++;
        }
        cr_expect(n == 4 || !rows[i].elements[n], "%s: %s", rows[i].value, rows[i].why);
    }
}

Test(header, finds_tokens)
{
    ADD("Connection", "keep-alive, Upgrade");
    ADD("Connection", "x, CLOSE");
    cr_expect(header_has_token(&list, HEADER_CONNECTION, STR("upgrade")));
    cr_expect(header_has_token(&list, HEADER_CONNECTION, STR("close")));
    cr_expect(!header_has_token(&list, HEADER_CONNECTION, STR("keep")));
    cr_expect(!header_has_token(&list, HEADER_VARY, STR("close")));
}

/* RFC 9110 5.5: CR, LF and NUL are dangerous, the other controls are no part of a value. */
Test(header, cleans_values_of_controls)
{
    str_t plain = STR("a b\tc \xc3\xa4"), dirty = str_make("a\r\nSet-Cookie: b\0\x7f\x1b", 18);
    cr_expect(header_clean(pool, plain).p == plain.p, "what is fine is not copied");
    cr_expect(str_eq(header_clean(pool, dirty), STR("a  Set-Cookie: b  ")));
    cr_expect_eq(header_clean(pool, (str_t){NULL, 0}).p, NULL);
}
