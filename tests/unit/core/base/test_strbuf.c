#include <criterion/criterion.h>

#include "core/base/strbuf.h"

Test(strbuf, grows_with_what_is_added)
{
    pool_t *pool = pool_create();
    strbuf_t b = {.pool = pool};
    cr_assert_eq(strbuf_text(&b).n, 0);
    for (int i = 0; i < 1000; i++) strbuf_printf(&b, "%d,", i % 10);
    strbuf_put(&b, '!');
    strbuf_add(&b, STR(""));
    str_t text = strbuf_text(&b);
    cr_assert_eq(text.n, 2001);
    for (size_t i = 0; i < 1000; i++) cr_assert_eq(text.p[2 * i], (char)('0' + i % 10));
    cr_assert_eq(text.p[2000], '!');
    pool_destroy(pool);
}
