#include <criterion/criterion.h>

#include "http/reply.h"
#include "modules/cache/admit.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(admit, .init = tables_begin, .fini = tables_end);

enum {
    ACCEL = REPLY_IGNORE_ACCEL_EXPIRES, EXPIRES = REPLY_IGNORE_EXPIRES,
    CC = REPLY_IGNORE_CACHE_CONTROL,
    COOKIE = REPLY_IGNORE_SET_COOKIE, VARY = REPLY_IGNORE_VARY,
};
enum { YES = STORABLE_YES };

static const admit_valid_t none[] = {{.status = 0}};
static const admit_valid_t usual[] = {{200, 10}, {301, 10}, {302, 10}};
static const admit_valid_t any[] = {{0, 5}, {404, 0}, {500, 1}};

#define V(list) list, sizeof(list) / sizeof((list)[0])
#define NONE none, 0

/* A GET whose answer came at NOW, and for how long it is fresh then (-1: whatever). */
static const struct {
    const char *why;
    unsigned status;
    const char *fields;
    unsigned ignored;
    const admit_valid_t *valid;
    size_t valids;
    int verdict;
    int64_t left;
} rows[] = {
    {"RFC 9111 3", 200, "Cache-Control: max-age=60", 0, NONE, YES, 60},
    {"RFC 9111 3", 200, "", 0, NONE, STORABLE_USELESS, -1},
    {"RFC 9111 5.2.2.5", 200, "Cache-Control: no-store, max-age=60", 0, NONE, STORABLE_NO_STORE,
     -1},
    {"RFC 9111 5.2.2.7", 200, "Cache-Control: private, max-age=60", 0, NONE, STORABLE_PRIVATE, -1},
    {"RFC 9111 4.2.3", 200, "Cache-Control: max-age=60\nAge: 20", 0, NONE, YES, 40},
    {"RFC 9213", 200, "Cache-Control: max-age=60\nCDN-Cache-Control: max-age=9", 0, NONE, YES, 9},
    /* proxy_cache_valid: where the response does not say */
    {"valid", 200, "", 0, V(usual), YES, 10},
    {"valid", 301, "", 0, V(usual), YES, 10},
    {"valid of others", 404, "", 0, V(usual), STORABLE_USELESS, -1},
    {"valid any", 403, "", 0, V(any), YES, 5},
    {"valid: its own before any", 500, "", 0, V(any), YES, 1},
    {"valid 0: not stored", 404, "Cache-Control: public", 0, V(any), STORABLE_USELESS, -1},
    {"the response before valid", 200, "Cache-Control: max-age=60", 0, V(usual), YES, 60},
    {"the response before valid", 200, "Expires: $+30\nDate: $+0", 0, V(usual), YES, 30},
    {"valid before a guess", 200, "Last-Modified: $-1000", 0, V(usual), YES, 10},
    {"a guess: a tenth", 200, "Last-Modified: $-1000\nDate: $+0", 0, NONE, YES, 100},
    {"valid does not allow what is forbidden", 200, "Cache-Control: private", 0, V(usual),
     STORABLE_PRIVATE, -1},
    {"valid is counted from now", 200, "Age: 100", 0, V(usual), YES, 10},
    /* X-Accel-Expires: before all */
    {"accel", 200, "X-Accel-Expires: 5\nCache-Control: max-age=60", 0, V(usual), YES, 5},
    {"accel 0", 200, "X-Accel-Expires: 0\nCache-Control: max-age=60", 0, V(usual), STORABLE_USELESS,
     -1},
    {"accel, a moment", 200, "X-Accel-Expires: @784111787", 0, NONE, YES, 10},
    {"accel, a moment that is over", 200, "X-Accel-Expires: @784111777", 0, NONE, STORABLE_USELESS,
     -1},
    {"accel, an endless one", 200, "X-Accel-Expires: 99999999999999999", 0, NONE, YES, -1},
    {"accel, no number", 200, "X-Accel-Expires: x\nCache-Control: max-age=60", 0, NONE, YES, 60},
    {"accel over no-store", 200, "X-Accel-Expires: 5\nCache-Control: no-store, private", 0, NONE,
     YES, 5},
    {"accel over Expires", 200, "X-Accel-Expires: 5\nExpires: 0", 0, NONE, YES, 5},
    {"accel and a cookie", 200, "X-Accel-Expires: 5\nSet-Cookie: a=b", 0, NONE,
     STORABLE_SET_COOKIE, -1},
    {"accel and Vary", 200, "X-Accel-Expires: 5\nVary: *", 0, NONE, STORABLE_VARY, -1},
    {"accel, no number, no-store", 200, "X-Accel-Expires: x\nCache-Control: no-store", 0, NONE,
     STORABLE_NO_STORE, -1},
    {"accel, ignored", 200, "X-Accel-Expires: 5\nCache-Control: max-age=60", ACCEL, NONE, YES, 60},
    /* proxy_ignore_headers */
    {"ignored", 200, "Cache-Control: no-store", CC, V(usual), YES, 10},
    {"ignored", 200, "Cache-Control: private, max-age=60", CC, V(usual), YES, 10},
    {"ignored", 200, "Cache-Control: max-age=60", CC, NONE, STORABLE_USELESS, -1},
    {"ignored", 200, "Expires: $+30\nDate: $+0", EXPIRES, V(usual), YES, 10},
    {"ignored", 200, "Expires: $+30\nDate: $+0", CC, NONE, YES, 30},
    {"ignored", 200, "Vary: *\nCache-Control: max-age=60", VARY, NONE, YES, 60},
    {"not ignored", 200, "Vary: *\nCache-Control: max-age=60", 0, NONE, STORABLE_VARY, -1},
    {"a cookie and a guess", 200, "Set-Cookie: a=b\nLast-Modified: $-1000\nDate: $+0", 0, NONE,
     STORABLE_SET_COOKIE, -1},
    {"ignored", 200, "Set-Cookie: a=b\nLast-Modified: $-1000\nDate: $+0", COOKIE, NONE, YES, 100},
    {"valid does not give cookies to others", 200, "Set-Cookie: a=b", 0, V(usual),
     STORABLE_SET_COOKIE, -1},
    {"unless the operator says so", 200, "Set-Cookie: a=b", COOKIE, V(usual), YES, 10},
    {"a cookie does not forbid", 200, "Set-Cookie: a=b\nCache-Control: max-age=60", 0, NONE, YES,
     60},
};

Test(admit, follows_the_response_and_the_operator)
{
    for (size_t i = 0; i < ROWS(rows); i++) {
        header_list_t fields = tables_fields(rows[i].fields), sent = tables_fields("");
        admit_valids_t valid = {.n = (uint32_t)rows[i].valids};
        valid.v = (admit_valid_t *)(uintptr_t)rows[i].valid;
        reference_target_t target = {STR("http"), STR("h"), STR("/")};
        cache_control_t asked = tables_request(&sent), cc;
        storable_request_t request = {METHOD_GET, &target, &sent, &asked};
        admit_response_t response = {rows[i].status, &fields, NOW, NOW};
        admit_rules_t rules = {&valid, cache_control_targets, 1, rows[i].ignored};
        reuse_stored_t decide;
        storable_t got = admit_judge(tables_pool, &request, &response, &rules, &cc, &decide);
        cr_expect_eq((int)got, rows[i].verdict, "row %zu, %s: %s: " STR_FMT, i, rows[i].why,
                     rows[i].fields, STR_ARG(storable_text(got)));
        if (got != STORABLE_YES || rows[i].left < 0) continue;
        cr_expect_eq(freshness_left(&decide.freshness, NOW), rows[i].left, "row %zu, %s: %s: %lld",
                     i,
                     rows[i].why, rows[i].fields,
                     (long long)freshness_left(&decide.freshness, NOW));
    }
}
