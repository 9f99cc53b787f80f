#include <criterion/criterion.h>
#include <signal.h>

#include "core/base/vec.h"

typedef struct pair {
    int a, b;
} pair_t;

Test(vec, starts_empty)
{
    VEC(int) v = {0};
    int seen = 0;
    VEC_EACH(int, it, &v) seen += *it + 1;
    cr_assert_eq(seen, 0);
}

Test(vec, keeps_what_was_pushed_while_it_grows)
{
    VEC(int) v = {0};
    pool_t *pool = pool_create();
    for (int i = 0; i < 1000; i++) *VEC_PUSH(pool, &v) = i;
    cr_assert_eq(v.n, 1000);
    cr_assert_geq(v.cap, v.n);
    int expected = 0;
    VEC_EACH(int, it, &v) cr_assert_eq(*it, expected++);
    cr_assert_eq(expected, 1000);
    pool_destroy(pool);
}

Test(vec, hands_out_zeroed_elements)
{
    VEC(pair_t) v = {0};
    pool_t *pool = pool_create();
    for (int i = 0; i < 40; i++) {
        pair_t *p = VEC_PUSH(pool, &v);
        cr_assert(p->a == 0 && p->b == 0, "element %d", i);
        *p = (pair_t){-1, -1};
    }
    pool_destroy(pool);
}

Test(vec, holds_pointers)
{
    static const char *const words[] = {"a", "b", "c", "d", "e"};
    VEC(const char *) v = {0};
    pool_t *pool = pool_create();
    for (int i = 0; i < 5; i++) *VEC_PUSH(pool, &v) = words[i];
    int at = 0;
    VEC_EACH(const char *, it, &v) cr_assert_eq(*it, words[at++]);
    cr_assert_eq(at, 5);
    pool_destroy(pool);
}

Test(vec, panics_when_it_cannot_grow, .signal = SIGABRT)
{
    uint32_t cap = (uint32_t)1 << 31;
    vec_grow(pool_create(), NULL, &cap, 1);
}
