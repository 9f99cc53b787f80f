#include <criterion/criterion.h>

#include "core/base/base64.h"

static void decodes(const char *text, const char *want)
{
    pool_t *pool = pool_create();
    str_t out;
    cr_assert(base64_decode(pool, str_of(text), &out), "%s", text);
    cr_assert(str_eq(out, str_of(want)), "%s: " STR_FMT, text, STR_ARG(out));
    pool_destroy(pool);
}

/* RFC 4648 section 10. */
Test(base64, decodes_the_vectors_of_the_rfc)
{
    decodes("", "");
    decodes("Zg==", "f");
    decodes("Zm8=", "fo");
    decodes("Zm9v", "foo");
    decodes("Zm9vYg==", "foob");
    decodes("Zm9vYmE=", "fooba");
    decodes("Zm9vYmFy", "foobar");
    decodes("Zm9vYmE", "fooba");
}

Test(base64, knows_all_digits)
{
    pool_t *pool = pool_create();
    str_t out;
    cr_assert(base64_decode(pool, STR("+/+/"), &out));
    cr_assert(str_eq(out, STR("\xfb\xff\xbf")));
    pool_destroy(pool);
}

Test(base64, refuses_what_it_is_not)
{
    static const char *const wrong[] = {
        "Z", "Zg=", "Zm9v=", "Zm9vY===", "Zm 9v", "Zm9-", "=", "Zg==Zg=="};
    pool_t *pool = pool_create();
    str_t out;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_not(base64_decode(pool, str_of(wrong[i]), &out), "%s", wrong[i]);
    pool_destroy(pool);
}

/* RFC 4648 section 10 */
Test(base64, encodes)
{
    static const char *const answers[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "+/8="}};
    pool_t *pool = pool_create();
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        cr_assert(str_eq(base64_encode(pool, str_of(answers[i][0])), str_of(answers[i][1])), "%s",
                  answers[i][0]);
    pool_destroy(pool);
}
