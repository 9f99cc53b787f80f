#include <criterion/criterion.h>

#include "core/base/crc32c.h"

/* The vectors of RFC 3720 B.4, and the check value of the catalogue of CRCs. */
Test(crc32c, known_answers)
{
    char zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof(ones));
    for (int i = 0; i < 32; i++) up[i] = (char)i;
    cr_expect_eq(crc32c_add(0, str_make(zeros, 32)), 0x8a9136aa);
    cr_expect_eq(crc32c_add(0, str_make(ones, 32)), 0x62a8ab43);
    cr_expect_eq(crc32c_add(0, str_make(up, 32)), 0x46dd794e);
    cr_expect_eq(crc32c_add(0, STR("123456789")), 0xe3069283);
    cr_expect_eq(crc32c_add(0, STR("")), 0);
}

Test(crc32c, the_fast_one_is_the_plain_one_however_it_is_cut)
{
    char bytes[257];
    for (int i = 0; i < 257; i++) bytes[i] = (char)(i * 37 + 11);
    for (size_t n = 0; n <= 257; n++) {
        str_t s = str_make(bytes, n);
        uint32_t whole = crc32c_add_plain(0, s);
        cr_assert_eq(crc32c_add(0, s), whole);
        uint32_t part = crc32c_add(0, str_sub(s, 0, n / 3));
        cr_assert_eq(crc32c_add(part, str_sub(s, n / 3, n)), whole);
    }
}
