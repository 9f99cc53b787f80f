#include <criterion/criterion.h>

#include "modules/cache/status_field.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(status_field, .init = tables_begin, .fini = tables_end);

static const struct {
    const char *rfc;
    status_field_t status;
    const char *text;
} rows[] = {
    {"9211 2", {.cache = STR_INIT("proxyd")}, "proxyd"},
    {"9211 2", {.cache = STR_INIT("my cache")}, "\"my cache\""},
    {"9211 2.1", {.cache = STR_INIT("ExampleCache"), .hit = true}, "ExampleCache; hit"},
    {"9211 2.4",
     {.cache = STR_INIT("ExampleCache"), .hit = true, .has_ttl = true, .ttl = 376},
     "ExampleCache; hit; ttl=376"},
    {"9211 2.4", {.cache = STR_INIT("c"), .hit = true, .has_ttl = true, .ttl = -5},
     "c; hit; ttl=-5"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_BYPASS}, "c; fwd=bypass"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_METHOD}, "c; fwd=method"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_URI_MISS}, "c; fwd=uri-miss"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_VARY_MISS}, "c; fwd=vary-miss"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_MISS}, "c; fwd=miss"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_REQUEST}, "c; fwd=request"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_STALE}, "c; fwd=stale"},
    {"9211 2.2", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_PARTIAL}, "c; fwd=partial"},
    {"9211 2.3", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_STALE, .fwd_status = 304},
     "c; fwd=stale; fwd-status=304"},
    {"9211 2.1 hit", {.cache = STR_INIT("c"), .hit = true, .fwd = STATUS_FIELD_STALE}, "c; hit"},
    {"9211 2.5", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_URI_MISS, .stored = true},
     "c; fwd=uri-miss; stored"},
    {"9211 2.6", {.cache = STR_INIT("c"), .fwd = STATUS_FIELD_URI_MISS, .collapsed = true},
     "c; fwd=uri-miss; collapsed"},
    {"9211 2.7", {.cache = STR_INIT("c"), .hit = true, .key = STR_INIT("/a\"b\\c\001")},
     "c; hit; key=\"/a\\\"b\\\\c\""},
    {"9211 2.8", {.cache = STR_INIT("c"), .hit = true, .detail = STR_INIT("memory")},
     "c; hit; detail=memory"},
    {"9211 2.8", {.cache = STR_INIT("c"), .hit = true, .detail = STR_INIT("two words")},
     "c; hit; detail=\"two words\""},
};

Test(status_field, writes_rfc_9211)
{
    for (size_t i = 0; i < ROWS(rows); i++) {
        str_t text = status_field_text(tables_pool, &rows[i].status);
        cr_expect(str_eq(text, str_of(rows[i].text)), "RFC %s: %s: " STR_FMT, rows[i].rfc,
                  rows[i].text, STR_ARG(text));
    }
}

/* RFC 9211 2: the cache nearest to the origin comes first. */
Test(status_field, comes_last)
{
    status_field_t s = {.cache = STR("b"), .hit = true};
    str_t none = {NULL, 0};
    cr_assert(str_eq(status_field_append(tables_pool, none, &s), STR("b; hit")));
    cr_assert(str_eq(status_field_append(tables_pool, STR("a; fwd=miss "), &s),
                     STR("a; fwd=miss, b; hit")));
}
