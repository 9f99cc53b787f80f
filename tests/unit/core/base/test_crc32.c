#include "core/base/crc32.h"

#include <criterion/criterion.h>

/* The check value of the catalogues of CRC algorithms (CRC-32/ISO-HDLC). */
Test(crc32, of_the_nine_digits)
{
    cr_expect_eq(crc32_add(0, STR("123456789")), 0xcbf43926u);
    cr_expect_eq(crc32_add(0, STR("")), 0);
}

Test(crc32, goes_on_where_it_stopped)
{
    cr_expect_eq(crc32_add(crc32_add(0, STR("1234")), STR("56789")), 0xcbf43926u);
}
