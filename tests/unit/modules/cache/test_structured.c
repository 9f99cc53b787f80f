#include <criterion/criterion.h>

#include "modules/cache/structured.h"
#include "tests/unit/modules/cache/tables.h"

/* How many members; -1: malformed. */
static const struct {
    const char *rfc, *field;
    int members;
} fields[] = {
    {"8941 3.2", "a=1", 1},
    {"8941 3.2", "a=1, b=2", 2},
    {"8941 3.2", "a=1,b=2\t ,\t c", 3},
    {"8941 3.2", "a;foo=9, b, c", 3},
    {"8941 3.2", "rating=1.5, feelings=(joy sadness)", 2},
    {"8941 3.2", "a=(1 2), b=3, c=4;aa=bb, d=(5 6);valid", 4},
    {"8941 3.2", "en=\"Applepie\", da=:w4ZibGV0w6ZydGU=:", 2},
    {"8941 3.1.1", "a=( \"x\";p=1 y )", 1},
    {"8941 3.1.1", "a=()", 1},
    {"8941 3.1.2", "a=1;x;y=?0; z=tok", 1},
    {"8941 3.2", "*a_-.*9=1", 1},
    {"8941 3.3.4", "a=*tok/en:x", 1},
    {"9651 3.3.7", "a=@1659578233", 1},
    {"9651 3.3.8", "a=%\"f%c3%bc\"", 1},
    {"8941 4.2", "", 0},
    {"8941 4.2", "   ", 0},
    {"8941 4.2.2", "a=1,", -1},
    {"8941 4.2.2", "a=1, ", -1},
    {"8941 4.2.2", ",a=1", -1},
    {"8941 4.2.2", "a=1,,b=2", -1},
    {"8941 4.2.2", "a=1 b=2", -1},
    {"8941 4.2.2", "a=1; b=2", 1},
    {"8941 4.2.3.3", "A=1", -1},
    {"8941 4.2.3.3", "9a=1", -1},
    {"8941 4.2.2", "a =1", -1},
    {"8941 4.2.2", "a= 1", -1},
    {"8941 4.2.2", "a=", -1},
    {"8941 4.2.3.1", "a=&", -1},
    {"8941 4.2.1.2", "a=(1", -1},
    {"8941 4.2.1.2", "a=(1,2)", -1},
    {"8941 4.2.4", "a=123456789012345", 1},
    {"8941 4.2.4", "a=1234567890123456", -1},
    {"8941 4.2.4", "a=123456789012.123", 1},
    {"8941 4.2.4", "a=1234567890123.1", -1},
    {"8941 4.2.4", "a=1.", -1},
    {"8941 4.2.4", "a=1.1234", -1},
    {"8941 4.2.4", "a=-", -1},
    {"8941 4.2.5", "a=\"x\\\"y\\\\\"", 1},
    {"8941 4.2.5", "a=\"x\\y\"", -1},
    {"8941 4.2.5", "a=\"x", -1},
    {"8941 4.2.5", "a=\"x\\", -1},
    {"8941 4.2.5", "a=\"\303\274\"", -1},
    {"8941 4.2.7", "a=:YQ==", -1},
    {"8941 4.2.7", "a=:Y Q:", -1},
    {"8941 4.2.8", "a=?2", -1},
    {"8941 4.2.8", "a=?", -1},
    {"9651 4.2.9", "a=@1.5", -1},
    {"9651 4.2.10", "a=%\"%C3\"", -1},
    {"9651 4.2.10", "a=%\"%c", -1},
};

static int count(const char *field)
{
    str_t rest = str_of(field);
    structured_member_t m;
    int r, n = 0;
    while ((r = structured_member(&rest, &m)) > 0) n++;
    return r < 0 ? r : n;
}

Test(structured, knows_what_a_dictionary_is)
{
    for (size_t i = 0; i < ROWS(fields); i++)
        cr_expect_eq(count(fields[i].field), fields[i].members, "RFC %s: \"%s\": %d", fields[i].rfc,
                     fields[i].field, count(fields[i].field));
}

Test(structured, hands_out_values)
{
    str_t rest = STR("n=-42, s=\"a\\\"b\", t=tok;p, y, f=?0, l=(1), d=1.5");
    structured_member_t m;
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert(str_eq(m.key, STR("n")) && m.type == STRUCTURED_INTEGER && m.number == -42);
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert(m.type == STRUCTURED_STRING && str_eq(m.text, STR("a\\\"b")));
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert(m.type == STRUCTURED_TOKEN && str_eq(m.text, STR("tok")));
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert(str_eq(m.key, STR("y")) && m.type == STRUCTURED_BOOLEAN && m.number == 1);
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert(m.type == STRUCTURED_BOOLEAN && m.number == 0);
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert_eq(m.type, STRUCTURED_LIST);
    cr_assert_eq(structured_member(&rest, &m), 1);
    cr_assert_eq(m.type, STRUCTURED_DECIMAL);
    cr_assert_eq(structured_member(&rest, &m), 0);
}
