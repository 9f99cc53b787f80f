#include <criterion/criterion.h>

#include "core/process/affinity.h"

Test(affinity, the_rightmost_digit_is_cpu_0)
{
    cpu_set_t set;
    cr_assert_null(affinity_mask(STR("0101"), &set));
    cr_assert_eq(CPU_COUNT(&set), 2);
    cr_assert(CPU_ISSET(0, &set) && CPU_ISSET(2, &set));
}

Test(affinity, refuses_what_is_no_mask)
{
    cpu_set_t set;
    char many[CPU_SETSIZE + 1];
    memset(many, '1', sizeof(many));
    cr_assert_not_null(affinity_mask(STR(""), &set));
    cr_assert_not_null(affinity_mask(STR("0120"), &set));
    cr_assert_not_null(affinity_mask(STR("0000"), &set));
    cr_assert_not_null(affinity_mask(str_make(many, sizeof(many)), &set));
    cr_assert_null(affinity_mask(str_make(many, CPU_SETSIZE), &set));
    cr_assert_eq(CPU_COUNT(&set), CPU_SETSIZE);
}

Test(affinity, workers_beyond_the_last_mask_take_it)
{
    pool_t *pool = pool_create();
    affinity_t a = {0};
    cpu_set_t set;
    cr_assert_not(affinity_of(&a, 0, &set));
    affinity_mask(STR("01"), VEC_PUSH(pool, &a.masks));
    affinity_mask(STR("10"), VEC_PUSH(pool, &a.masks));
    cr_assert(affinity_of(&a, 0, &set));
    cr_assert(CPU_ISSET(0, &set) && CPU_COUNT(&set) == 1);
    cr_assert(affinity_of(&a, 1, &set));
    cr_assert(CPU_ISSET(1, &set) && CPU_COUNT(&set) == 1);
    cr_assert(affinity_of(&a, 7, &set));
    cr_assert(CPU_ISSET(1, &set) && CPU_COUNT(&set) == 1);
    pool_destroy(pool);
}

Test(affinity, automatic_goes_round_the_allowed)
{
    static const size_t want[] = {1, 3, 4, 1, 3};
    pool_t *pool = pool_create();
    affinity_t a = {.automatic = true};
    cpu_set_t set;
    affinity_mask(STR("11010"), VEC_PUSH(pool, &a.masks));
    for (unsigned slot = 0; slot < 5; slot++) {
        cr_assert(affinity_of(&a, slot, &set));
        cr_assert(CPU_ISSET(want[slot], &set) && CPU_COUNT(&set) == 1, "slot %u", slot);
    }
    pool_destroy(pool);
}

Test(affinity, there_is_a_cpu)
{
    cpu_set_t set;
    unsigned n = affinity_cpus(&set);
    cr_assert_geq(n, 1);
    cr_assert_eq(n, (unsigned)CPU_COUNT(&set));
}
