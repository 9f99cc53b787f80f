#include "modules/ssl/ssl_strikes.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/shared/shm.h"

enum { SINCE = 1000000 };

static ssl_strikes_t *make(void)
{
    clock_set(SINCE, SINCE);
    return ssl_strikes_init(slab_init(shm_map(SSL_STRIKES_ZONE), SSL_STRIKES_ZONE), NULL);
}

Test(ssl_strikes, each_id_is_taken_once)
{
    ssl_strikes_t *s = make();
    cr_assert_not_null(s);
    cr_expect(ssl_strikes_first(s, STR("a"), SINCE, SINCE));
    cr_expect(!ssl_strikes_first(s, STR("a"), SINCE, SINCE));
    cr_expect(ssl_strikes_first(s, STR("b"), SINCE, SINCE + 1));
    cr_expect(!ssl_strikes_first(s, STR("a"), SINCE, SINCE + SSL_STRIKES_MS - 1));
    cr_expect(ssl_strikes_first(s, STR("a"), SINCE, SINCE + SSL_STRIKES_MS));
}

/* With keys that are older than the zone, somebody may have been here before it. */
Test(ssl_strikes, a_young_zone_trusts_nobody)
{
    ssl_strikes_t *s = make();
    cr_expect(!ssl_strikes_first(s, STR("a"), 0, SINCE + SSL_STRIKES_MS - 1));
    cr_expect(ssl_strikes_first(s, STR("a"), 0, SINCE + SSL_STRIKES_MS));
    cr_expect(!ssl_strikes_first(s, STR("a"), 0, SINCE + SSL_STRIKES_MS));
}

Test(ssl_strikes, none_is_forgotten_for_a_new_one)
{
    enum { MANY = 200000 };
    ssl_strikes_t *s = make();
    char *taken = calloc(MANY, 1), id[16];
    unsigned n = 0;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "%u", i);
        taken[i] = ssl_strikes_first(s, str_of(id), SINCE, SINCE);
        n += taken[i] != 0;
    }
    cr_expect_gt(n, 30000);
    cr_expect_lt(n, 50000);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "%u", i);
        cr_assert(!ssl_strikes_first(s, str_of(id), SINCE, SINCE + 1));
    }
    free(taken);
}
