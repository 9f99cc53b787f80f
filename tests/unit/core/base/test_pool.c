#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>

#include "core/base/pool.h"

Test(pool, aligns_for_any_type)
{
    pool_t *pool = pool_create();
    for (size_t n = 0; n < 100; n++) {
        pool_bytes(pool, 1);
        cr_assert_eq((uintptr_t)pool_alloc(pool, n) % 16, 0, "%zu bytes", n);
    }
    pool_destroy(pool);
}

Test(pool, gives_memory_that_does_not_overlap)
{
    static const size_t sizes[] = {1, 16, 17, 500, 1024, 1025, 3000, 4096, 5000, 100000};
    enum { COUNT = sizeof(sizes) / sizeof(*sizes), ROUNDS = 20 };
    unsigned char *taken[COUNT * ROUNDS];
    pool_t *pool = pool_create();
    for (size_t i = 0; i < COUNT * ROUNDS; i++) {
        size_t n = sizes[i % COUNT];
        taken[i] = i % 2 ? pool_alloc(pool, n) : (unsigned char *)pool_bytes(pool, n);
        memset(taken[i], (int)i, n);
    }
    for (size_t i = 0; i < COUNT * ROUNDS; i++)
        for (size_t k = 0; k < sizes[i % COUNT]; k++)
            cr_assert_eq(taken[i][k], (unsigned char)i, "allocation %zu, byte %zu", i, k);
    pool_destroy(pool);
}

Test(pool, zeroes_memory_that_was_used_before)
{
    pool_t *pool = pool_create();
    memset(pool_alloc(pool, 2000), 0xff, 2000);
    memset(pool_alloc(pool, 900), 0xff, 900);
    pool_destroy(pool);
    pool = pool_create();
    for (int round = 0; round < 8; round++) {
        const unsigned char *p = pool_zalloc(pool, 900);
        for (int i = 0; i < 900; i++) cr_assert_eq(p[i], 0);
    }
    pool_destroy(pool);
}

Test(pool, makes_arrays)
{
    pool_t *pool = pool_create();
    const uint64_t *v = POOL_ARRAY(pool, uint64_t, 1000);
    for (int i = 0; i < 1000; i++) cr_assert_eq(v[i], 0);
    cr_assert_not_null(pool_array(pool, 0, 8));
    pool_destroy(pool);
}

Test(pool, panics_when_an_array_overflows, .signal = SIGABRT)
{
    pool_array(pool_create(), SIZE_MAX / 2, 3);
}

Test(pool, panics_when_there_is_no_memory, .signal = SIGABRT)
{
    pool_alloc(pool_create(), SIZE_MAX - 8);
}

typedef struct step {
    char *log;
    size_t *n;
    char name;
} step_t;

static void note_step(void *arg)
{
    const step_t *step = arg;
    step->log[(*step->n)++] = step->name;
}

Test(pool, runs_cleanups_last_in_first_out)
{
    char log[3];
    size_t n = 0;
    pool_t *pool = pool_create();
    for (char name = 'a'; name <= 'c'; name++) {
        step_t *step = POOL_NEW(pool, step_t);
        *step = (step_t){.log = log, .n = &n, .name = name};
        pool_defer(pool, note_step, step);
    }
    cr_assert_eq(n, 0, "nothing runs before its time");
    pool_destroy(pool);
    cr_assert_eq(n, 3);
    cr_assert(memcmp(log, "cba", 3) == 0);
}

Test(pool, copies_text)
{
    pool_t *pool = pool_create();
    char source[] = "Host";
    str_t copy = pool_str(pool, str_make(source, 4));
    source[0] = 'X';
    cr_assert(str_eq(copy, STR("Host")));
    cr_assert_eq(copy.p[4], '\0');
    cr_assert_str_eq(pool_cstr(pool, str_make("abcdef", 3)), "abc");
    cr_assert_str_eq(pool_cstr(pool, (str_t){NULL, 0}), "");
    cr_assert(str_eq(pool_lower(pool, STR("WWW.Example.ORG")), STR("www.example.org")));
    cr_assert_eq(memcmp(pool_memdup(pool, "a\0b", 3), "a\0b", 3), 0);
    pool_destroy(pool);
}

Test(pool, joins_and_formats_text)
{
    pool_t *pool = pool_create();
    str_t joined = pool_concat(pool, STR("/srv"), STR("/index.html"));
    cr_assert(str_eq(joined, STR("/srv/index.html")));
    cr_assert_eq(joined.p[joined.n], '\0');
    cr_assert_eq(pool_concat(pool, (str_t){NULL, 0}, (str_t){NULL, 0}).n, 0);
    cr_assert(str_eq(pool_printf(pool, "%s:%d", "localhost", 8080), STR("localhost:8080")));
    cr_assert_eq(pool_printf(pool, "%*s", 9000, "").n, 9000, "longer than a block");
    pool_destroy(pool);
}

Test(pool, destroys_nothing_when_there_is_none)
{
    pool_destroy(NULL);
    pool_trim();
    pool_destroy(pool_create());
    pool_trim();
    pool_trim();
    pool_destroy(pool_create());
}
