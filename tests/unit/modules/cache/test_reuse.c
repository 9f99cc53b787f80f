#include <criterion/criterion.h>

#include "modules/cache/reuse.h"
#include "tests/unit/modules/cache/tables.h"

TestSuite(reuse, .init = tables_begin, .fini = tables_end);

enum { HIT = REUSE_HIT, LATER = REUSE_STALE_WHILE_REVALIDATE, ASK = REUSE_REVALIDATE,
       MISS = REUSE_MISS, NO_GATEWAY = REUSE_GATEWAY_TIMEOUT };
enum { NEITHER = 0, LOST = 1, ERROR = 2, BOTH = 3 }; /* when it may stand in */

/* A response that came at NOW, asked for `after` seconds later. */
static const struct {
    const char *rfc, *stored;
    unsigned status;
    int64_t after;
    const char *request;
    int action, stale;
} rows[] = {
    {"9111 4.2", "max-age=10", 200, 0, "", HIT, 0},
    {"9111 4.2", "max-age=10", 200, 9, "", HIT, 0},
    {"9111 4.2 equal", "max-age=10", 200, 10, "", ASK, LOST},
    {"9111 4.2", "max-age=10", 200, 11, "", ASK, LOST},
    {"9111 4.2", "max-age=10", 404, 9, "", HIT, 0},
    {"9111 4.2", "max-age=10", 503, 9, "", HIT, 0},
    {"9111 5.2.2.10", "s-maxage=10, max-age=99", 200, 11, "", ASK, NEITHER},
    /* no-cache in the response */
    {"9111 5.2.2.4", "max-age=10, no-cache", 200, 0, "", ASK, NEITHER},
    {"9111 5.2.2.4", "no-cache", 200, 0, "Cache-Control: max-stale", ASK, NEITHER},
    {"9111 5.2.2.4", "max-age=10, no-cache=\"a\"", 200, 0, "", HIT, 0},
    {"9111 5.2.2.4", "max-age=10, no-cache, stale-while-revalidate=60", 200, 11, "", ASK, NEITHER},
    /* max-age in the request */
    {"9111 5.2.1.1", "max-age=10", 200, 5, "Cache-Control: max-age=5", HIT, 0},
    {"9111 5.2.1.1", "max-age=10", 200, 6, "Cache-Control: max-age=5", ASK, LOST},
    {"9111 5.2.1.1", "max-age=10", 200, 1, "Cache-Control: max-age=0", ASK, LOST},
    {"9111 5.2.1.1", "max-age=10", 200, 0, "Cache-Control: max-age=x", HIT, 0},
    {"9111 5.2.1.1", "max-age=10", 200, 11, "Cache-Control: max-age=99", ASK, LOST},
    {"9111 5.2.1.1", "max-age=10, must-revalidate", 200, 6, "Cache-Control: max-age=5", ASK, LOST},
    {"9111 5.2.1.1", "max-age=10", 200, 14, "Cache-Control: max-age=99, max-stale=5", HIT, 0},
    {"9111 5.2.1.1", "max-age=10", 200, 14, "Cache-Control: max-age=12, max-stale=5", ASK, LOST},
    /* max-stale */
    {"9111 5.2.1.2", "max-age=10", 200, 15, "Cache-Control: max-stale=5", HIT, 0},
    {"9111 5.2.1.2", "max-age=10", 200, 16, "Cache-Control: max-stale=5", ASK, LOST},
    {"9111 5.2.1.2", "max-age=10", 200, 9999, "Cache-Control: max-stale", HIT, 0},
    {"9111 5.2.1.2", "max-age=10", 200, 12, "Cache-Control: max-stale=x", ASK, LOST},
    {"9111 5.2.2.2", "max-age=10, must-revalidate", 200, 12, "Cache-Control: max-stale", ASK, 0},
    {"9111 5.2.2.8", "max-age=10, proxy-revalidate", 200, 12, "Cache-Control: max-stale", ASK, 0},
    {"9111 5.2.2.10", "s-maxage=10", 200, 12, "Cache-Control: max-stale", ASK, NEITHER},
    {"9111 5.2.2.2", "max-age=10, must-revalidate", 200, 9, "", HIT, 0},
    {"9111 5.2.2.8", "max-age=10, proxy-revalidate", 200, 9, "", HIT, 0},
    /* min-fresh */
    {"9111 5.2.1.3", "max-age=10", 200, 5, "Cache-Control: min-fresh=5", HIT, 0},
    {"9111 5.2.1.3", "max-age=10", 200, 6, "Cache-Control: min-fresh=5", ASK, LOST},
    {"9111 5.2.1.3", "max-age=10", 200, 11, "Cache-Control: min-fresh=1, max-stale", ASK, LOST},
    {"9111 5.2.1.3", "max-age=10, stale-while-revalidate=9", 200, 11, "Cache-Control: min-fresh=1",
     ASK, LOST},
    /* no-cache, no-store, Pragma */
    {"9111 5.2.1.4", "max-age=10", 200, 0, "Cache-Control: no-cache", ASK, NEITHER},
    {"9111 5.2.1.4", "max-age=10, stale-if-error=99", 200, 11, "Cache-Control: no-cache", ASK, 0},
    {"9111 5.2.1.4", "max-age=10, stale-while-revalidate=9", 200, 11, "Cache-Control: no-cache",
     ASK, NEITHER},
    {"9111 5.2.1.5", "max-age=10", 200, 0, "Cache-Control: no-store", HIT, 0},
    {"9111 5.4", "max-age=10", 200, 0, "Pragma: no-cache", ASK, NEITHER},
    {"9111 5.4", "max-age=10", 200, 0, "Pragma: no-cache\nCache-Control: max-age=5", HIT, 0},
    /* only-if-cached */
    {"9111 5.2.1.7", "max-age=10", 200, 9, "Cache-Control: only-if-cached", HIT, 0},
    {"9111 5.2.1.7", "max-age=10", 200, 10, "Cache-Control: only-if-cached", NO_GATEWAY, 0},
    {"9111 5.2.1.7", NULL, 0, 0, "Cache-Control: only-if-cached", NO_GATEWAY, 0},
    {"9111 5.2.1.7", "max-age=10", 200, 12, "Cache-Control: only-if-cached, max-stale=5", HIT, 0},
    {"9111 5.2.1.7", "max-age=10", 200, 0, "Cache-Control: only-if-cached, no-cache", NO_GATEWAY,
     0},
    {"9111 5.2.1.7", "max-age=10, stale-while-revalidate=9", 200, 12,
     "Cache-Control: only-if-cached", LATER, 0},
    /* stale-while-revalidate */
    {"5861 3", "max-age=10, stale-while-revalidate=5", 200, 9, "", HIT, 0},
    {"5861 3", "max-age=10, stale-while-revalidate=5", 200, 10, "", LATER, 0},
    {"5861 3", "max-age=10, stale-while-revalidate=5", 200, 14, "", LATER, 0},
    {"5861 3", "max-age=10, stale-while-revalidate=5", 200, 15, "", ASK, LOST},
    {"5861 3", "max-age=10, stale-while-revalidate=0", 200, 10, "", ASK, LOST},
    {"5861 3", "max-age=10, stale-while-revalidate=x", 200, 10, "", ASK, LOST},
    {"9111 5.2.2.2", "max-age=10, stale-while-revalidate=5, must-revalidate", 200, 11, "", ASK, 0},
    {"9111 5.2.2.8", "max-age=10, stale-while-revalidate=5, proxy-revalidate", 200, 11, "", ASK, 0},
    {"9111 5.2.2.10", "s-maxage=10, stale-while-revalidate=5", 200, 11, "", ASK, NEITHER},
    {"9111 5.2.1.1", "max-age=10, stale-while-revalidate=5", 200, 11, "Cache-Control: max-age=60",
     ASK, LOST},
    /* stale-if-error, and an origin that is lost */
    {"5861 4", "max-age=10, stale-if-error=5", 200, 14, "", ASK, BOTH},
    {"5861 4", "max-age=10, stale-if-error=5", 200, 15, "", ASK, NEITHER},
    {"5861 4", "max-age=10", 200, 14, "Cache-Control: stale-if-error=5", ASK, BOTH},
    {"5861 4", "max-age=10", 200, 15, "Cache-Control: stale-if-error=5", ASK, LOST},
    {"5861 4", "max-age=10, stale-if-error=5", 200, 5, "Cache-Control: max-age=1", ASK, BOTH},
    {"9111 5.2.2.2", "max-age=10, stale-if-error=5, must-revalidate", 200, 11, "", ASK, NEITHER},
    {"9111 5.2.2.8", "max-age=10, stale-if-error=5, proxy-revalidate", 200, 11, "", ASK, NEITHER},
    {"9111 5.2.2.10", "s-maxage=10, stale-if-error=5", 200, 11, "", ASK, NEITHER},
    {"9111 4.2.4", "max-age=10", 404, 11, "", ASK, LOST},
    {"9111 4.2.4", "max-age=10", 500, 11, "", ASK, NEITHER},
    {"9111 4.2.4", "max-age=10, stale-if-error=60", 503, 11, "", ASK, NEITHER},
    /* immutable */
    {"8246 2", "max-age=10, immutable", 200, 5, "Cache-Control: max-age=0", HIT, 0},
    {"8246 2", "max-age=10, immutable", 200, 11, "Cache-Control: max-age=0", ASK, LOST},
    {"8246 2", "max-age=10, immutable", 200, 5, "Cache-Control: no-cache", ASK, NEITHER},
    {"8246 2", "max-age=10, immutable", 200, 11, "", ASK, LOST},
    {"9111 4", NULL, 0, 0, "", MISS, 0},
    {"9111 4", NULL, 0, 0, "Cache-Control: max-stale", MISS, 0},
};

static reuse_decision_t decide(const char *method, const char *stored, unsigned status,
                               const char *request, time_t now)
{
    header_list_t asked = tables_fields(request), answered = tables_fields("Date: $+0");
    if (stored) header_add_id(&answered, HEADER_CACHE_CONTROL, str_of(stored));
    cache_control_t asked_cc = tables_request(&asked), cc = tables_response(&answered);
    freshness_t f = freshness_of(status, &answered, &cc, NOW, NOW, &freshness_default);
    reuse_stored_t s = reuse_describe(status, &cc, &f);
    return reuse_decide(parse_method(str_of(method)), &asked_cc, stored ? &s : NULL, now);
}

Test(reuse, obeys_rfc_9111)
{
    for (size_t i = 0; i < ROWS(rows); i++) {
        reuse_decision_t d = decide("GET", rows[i].stored, rows[i].status, rows[i].request,
                                    NOW + rows[i].after);
        int stale = (d.stale_if_lost ? LOST : 0) | (d.stale_if_error ? ERROR : 0);
        cr_expect(d.action == (reuse_action_t)rows[i].action && stale == rows[i].stale,
                  "RFC %s: \"%s\" after %d s, asked with \"%s\": action %d, stale %d", rows[i].rfc,
                  rows[i].stored ? rows[i].stored : "-", (int)rows[i].after, rows[i].request,
                  (int)d.action, stale);
    }
}

static const struct {
    const char *rfc, *method;
    int action;
} methods[] = {
    {"9110 9.3.1", "GET", HIT},     {"9110 9.3.2", "HEAD", HIT},
    {"9110 9.3.3", "POST", MISS},   {"9110 9.3.4", "PUT", MISS},
    {"9110 9.3.5", "DELETE", MISS}, {"9110 9.3.7", "OPTIONS", MISS},
    {"9111 4", "FOO", MISS},        {"9111 4", "get", MISS},
};

Test(reuse, answers_get_and_head_alone)
{
    for (size_t i = 0; i < ROWS(methods); i++)
        cr_expect_eq(decide(methods[i].method, "max-age=10", 200, "", NOW).action,
                     (reuse_action_t)methods[i].action, "RFC %s: %s", methods[i].rfc,
                     methods[i].method);
}

/* RFC 9211 2.2: why a request went forward. RFC 9111 5.1: the age that is sent. */
Test(reuse, tells_why_and_how_old)
{
    cr_assert_eq(decide("GET", NULL, 0, "", NOW).fwd, STATUS_FIELD_URI_MISS);
    cr_assert_eq(decide("POST", "max-age=9", 200, "", NOW).fwd, STATUS_FIELD_METHOD);
    cr_assert_eq(decide("GET", "max-age=9", 200, "Pragma: no-cache", NOW).fwd,
                 STATUS_FIELD_REQUEST);
    cr_assert_eq(decide("GET", "max-age=9, no-cache", 200, "", NOW).fwd, STATUS_FIELD_STALE);
    reuse_decision_t d = decide("GET", "max-age=9", 200, "", NOW + 12);
    cr_assert_eq(d.fwd, STATUS_FIELD_STALE);
    cr_assert_eq(d.age, 12);
    cr_assert_eq(d.left, -3);
    cr_assert_eq(decide("GET", "max-age=9", 200, "", NOW).fwd, STATUS_FIELD_NO_FWD);
}
