#include "modules/upstream/sticky_table.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"

enum { SIZE = 64 * 1024, MINUTE = 60 * 1000 };

static sticky_table_t *make(void)
{
    size_t size = SIZE;
    void *p = shm_map(SIZE);
    cr_assert(p);
    clock_set(1000 * 1000, 0);
    sticky_table_t *t = sticky_table_init(slab_init(p, SIZE), &size);
    cr_assert(t);
    return t;
}

Test(sticky_table, finds_what_was_put)
{
    sticky_table_t *t = make();
    cr_expect_eq(sticky_table_find(t, 7, MINUTE), 0);
    sticky_table_put(t, 7, 70);
    sticky_table_put(t, 7 + t->rows, 80); /* the same row */
    cr_expect_eq(sticky_table_find(t, 7, MINUTE), 70);
    cr_expect_eq(sticky_table_find(t, 7 + t->rows, MINUTE), 80);
    sticky_table_put(t, 7, 71);
    cr_expect_eq(sticky_table_find(t, 7, MINUTE), 71);
}

Test(sticky_table, forgets_what_nobody_asked_for)
{
    sticky_table_t *t = make();
    sticky_table_put(t, 7, 70);
    for (int i = 0; i < 3; i++) {
        clock_set(clock_ms() + MINUTE - 1, 0);
        cr_expect_eq(sticky_table_find(t, 7, MINUTE), 70, "asking keeps it");
    }
    clock_set(clock_ms() + MINUTE, 0);
    cr_expect_eq(sticky_table_find(t, 7, MINUTE), 0);
}

Test(sticky_table, the_least_recently_used_gives_way)
{
    sticky_table_t *t = make();
    for (uint64_t i = 1; i <= STICKY_ROW; i++) {
        clock_set(clock_ms() + 1, 0);
        sticky_table_put(t, i * t->rows, i);
    }
    clock_set(clock_ms() + 1, 0);
    cr_expect_eq(sticky_table_find(t, t->rows, MINUTE), 1);
    sticky_table_put(t, 100 * t->rows, 100);
    cr_expect_eq(sticky_table_find(t, t->rows, MINUTE), 1);
    cr_expect_eq(sticky_table_find(t, 2 * t->rows, MINUTE), 0, "the oldest but that");
    cr_expect_eq(sticky_table_find(t, 100 * t->rows, MINUTE), 100);
}

Test(sticky_table, holds_as_many_as_its_zone_has_room_for)
{
    sticky_table_t *t = make();
    cr_expect_geq(t->rows * STICKY_ROW * sizeof(sticky_session_t), SIZE / 2);
    size_t small = SLAB_SIZE_MIN;
    void *p = shm_map(small);
    cr_expect(sticky_table_init(slab_init(p, small), &small), "the smallest zone will do");
}
