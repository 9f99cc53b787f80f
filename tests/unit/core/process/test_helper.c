#include "core/process/helper.h"

#include <criterion/criterion.h>

Test(helper, stand_in_the_order_in_which_they_were_wanted)
{
    helper_set_t set = {.pool = pool_create()};
    helper_t a = {.name = "a"}, b = {.name = "b"};
    cr_expect_eq(helper_count(&set), 0);
    cr_expect_null(helper_at(&set, 0));
    helper_want(&set, &a);
    helper_want(&set, &b);
    cr_assert_eq(helper_count(&set), 2);
    cr_expect_str_eq(helper_at(&set, 0)->name, "a");
    cr_expect_str_eq(helper_at(&set, 1)->name, "b");
    cr_expect_null(helper_at(&set, 2));
    pool_destroy(set.pool);
}
