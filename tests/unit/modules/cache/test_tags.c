#include <criterion/criterion.h>

#include "modules/cache/tags.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(tags, .init = tables_begin, .fini = tables_end);

static const struct {
    const char *fields, *tags; /* the tags, each followed by "|" */
} rows[] = {
    {"", ""},
    {"Surrogate-Key: a", "a|"},
    {"Surrogate-Key: a b  c", "a|b|c|"},
    {"Cache-Tag: a,b, c,,d", "a|b|c|d|"},
    {"xkey: a\nxkey: b", "a|b|"},
    {"Surrogate-Key: a\nCache-Tag: b\nXKEY: c", "a|b|c|"},
    {"Surrogate-Key: \t a\t", "a|"},
    {"Surrogate-Key:", ""},
    {"X-Tag: a", ""},
};

Test(tags, are_found_in_three_fields)
{
    for (size_t i = 0; i < ROWS(rows); i++) {
        header_list_t list = tables_fields(rows[i].fields);
        str_t tags[16], all = STR("");
        unsigned n = tags_find(&list, tags, 16);
        for (unsigned t = 0; t < n; t++)
            all = pool_concat(tables_pool, pool_concat(tables_pool, all, tags[t]), STR("|"));
        cr_expect(str_eq(all, str_of(rows[i].tags)), "%s: " STR_FMT, rows[i].fields, STR_ARG(all));
    }
}

Test(tags, are_bounded)
{
    header_list_t list = tables_fields("xkey: a b c d e\nCache-Tag: f");
    str_t tags[3];
    cr_expect_eq(tags_find(&list, tags, 3), 3);
}
