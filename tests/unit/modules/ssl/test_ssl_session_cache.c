#include "modules/ssl/ssl_session_cache.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/shm.h"

enum { SIZE = 64 * SLAB_PAGE };

static slab_t *slab;
static char out[SSL_SESSION_SIZE_MAX];

static ssl_session_cache_t *make(size_t size)
{
    slab = slab_init(shm_map(size), size);
    ssl_session_cache_t *c = ssl_session_cache_init(slab, &size);
    cr_assert_not_null(c);
    return c;
}

static str_t id_of(unsigned i)
{
    static char id[16];
    snprintf(id, sizeof(id), "%015u", i);
    return str_make(id, 15);
}

static bool has(ssl_session_cache_t *c, unsigned i, uint64_t now)
{
    char expected[256];
    memset(expected, (int)i, sizeof(expected));
    size_t n = ssl_session_cache_get(c, id_of(i), now, out);
    if (n == 0) return false;
    cr_assert_eq(n, sizeof(expected));
    cr_assert_eq(memcmp(out, expected, n), 0);
    return true;
}

static void put(ssl_session_cache_t *c, unsigned i, uint64_t now, uint64_t until)
{
    char session[256];
    memset(session, (int)i, sizeof(session));
    ssl_session_cache_put(c, id_of(i), str_make(session, sizeof(session)), now, until);
}

Test(ssl_session_cache, keeps_until_the_end)
{
    ssl_session_cache_t *c = make(SIZE);
    put(c, 1, 100, 200);
    put(c, 2, 100, 300);
    cr_expect(has(c, 1, 199));
    cr_expect(!has(c, 1, 200));
    cr_expect(has(c, 2, 299));
    cr_expect(!has(c, 3, 100));
    put(c, 1, 200, 400);
    cr_expect(has(c, 1, 399));
    ssl_session_cache_remove(c, id_of(1));
    ssl_session_cache_remove(c, id_of(1));
    cr_expect(!has(c, 1, 300));
}

Test(ssl_session_cache, is_never_too_full_for_a_new_one)
{
    ssl_session_cache_t *c = make(SIZE);
    enum { MANY = 20000, RECENT = 200 };
    unsigned kept = 0;
    for (unsigned i = 0; i < MANY; i++) {
        put(c, i, i, i + 1000);
        cr_assert(has(c, i, i));
    }
    for (unsigned i = MANY - RECENT; i < MANY; i++) kept += has(c, i, MANY);
    cr_expect_gt(kept, RECENT / 2u, "%u", kept);
    cr_expect(slab_check(slab));
}

Test(ssl_session_cache, takes_nothing_too_large)
{
    static char large[SSL_SESSION_SIZE_MAX + 1];
    ssl_session_cache_t *c = make(SIZE);
    ssl_session_cache_put(c, STR("a"), str_make(large, sizeof(large)), 1, 9);
    ssl_session_cache_put(c, str_make(large, SSL_SESSION_ID_MAX + 1), STR("x"), 1, 9);
    ssl_session_cache_put(c, STR(""), STR("x"), 1, 9);
    cr_expect_eq(ssl_session_cache_get(c, STR("a"), 1, out), 0);
    cr_expect_eq(ssl_session_cache_get(c, STR(""), 1, out), 0);
    ssl_session_cache_put(c, STR("a"), str_make(large, SSL_SESSION_SIZE_MAX), 1, 9);
    cr_expect_eq(ssl_session_cache_get(c, STR("a"), 1, out), SSL_SESSION_SIZE_MAX);
}

/* Writers are killed at any moment: what is found afterwards is whole. */
Test(ssl_session_cache, survives_killed_workers)
{
    ssl_session_cache_t *c = make(SIZE);
    for (unsigned round = 0; round < 60; round++) {
        pid_t pid = fork();
        if (pid == 0)
            for (unsigned i = 0;; i++) put(c, i % 3000, 1, 2 + i % 7);
        usleep(300 + round * 37 % 1000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (unsigned i = 0; i < 3000; i += 7) has(c, i, 1);
        put(c, round, 1, 9);
        cr_assert(has(c, round, 1));
        cr_assert(slab_check(slab));
    }
}
