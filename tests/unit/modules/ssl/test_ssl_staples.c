#include "modules/ssl/ssl_staples.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/shm.h"

static ssl_staples_t *make(unsigned certificates, slab_t **slab)
{
    size_t size = ssl_staples_size(certificates);
    slab_t *s = slab_init(shm_map(size), size);
    ssl_staples_t *t = ssl_staples_init(s, &size);
    cr_assert_not_null(t);
    if (slab) *slab = s;
    return t;
}

static const unsigned char *digest(unsigned i)
{
    static unsigned char out[SSL_STAPLES_DIGEST];
    memset(out, 0, sizeof(out));
    memcpy(out, &i, sizeof(i));
    return out;
}

static str_t got(ssl_staples_t *t, int place, unsigned i)
{
    static char out[4096];
    time_t until;
    size_t n = ssl_staples_get(t, place, digest(i), out, sizeof(out), &until);
    return str_make(out, n);
}

Test(ssl_staples, a_certificate_keeps_its_place)
{
    ssl_staples_t *t = make(2, NULL);
    int a = ssl_staples_place(t, digest(1), 100), b = ssl_staples_place(t, digest(2), 100);
    cr_expect_neq(a, b);
    cr_expect_eq(ssl_staples_place(t, digest(1), 101), a);
    uint64_t before = ssl_staples_version(t, a);
    cr_expect(ssl_staples_put(t, a, STR("first"), (ssl_staple_times_t){200, 150}));
    cr_expect_neq(ssl_staples_version(t, a), before);
    cr_expect(str_eq(got(t, a, 1), STR("first")));
    cr_expect_eq(got(t, b, 2).n, 0);
    cr_expect_eq(got(t, a, 2).n, 0, "not another's");
    cr_expect_eq(ssl_staples_times(t, a).until, 200);
    ssl_staples_postpone(t, a, 170);
    cr_expect_eq(ssl_staples_times(t, a).ask_at, 170);
    cr_expect(str_eq(got(t, a, 1), STR("first")), "what is there stays");
    cr_expect(ssl_staples_put(t, a, STR(""), (ssl_staple_times_t){.until = 0}));
    cr_expect_eq(got(t, a, 1).n, 0);
}

Test(ssl_staples, places_are_taken_again_when_nobody_asks_about_them)
{
    enum { HOUR = 3600 };
    ssl_staples_t *t = make(1, NULL);
    unsigned n = 0;
    while (ssl_staples_place(t, digest(n + 1), 100) != SSL_STAPLES_NONE) n++;
    cr_expect_geq(n, 2);
    int first = ssl_staples_place(t, digest(1), 200);
    ssl_staples_put(t, first, STR("x"), (ssl_staple_times_t){1000, 1000});
    int taken = ssl_staples_place(t, digest(1000), 101 + HOUR);
    cr_expect_neq(taken, SSL_STAPLES_NONE);
    cr_expect_neq(taken, first);
    while ((taken = ssl_staples_place(t, digest(++n + 2000), 201 + HOUR)) != SSL_STAPLES_NONE)
        cr_expect_eq(got(t, taken, n + 2000).n, 0, "nothing of the one before");
    cr_expect_eq(got(t, first, 1).n, 0);
}

Test(ssl_staples, many_answers_leak_nothing)
{
    slab_t *slab;
    ssl_staples_t *t = make(4, &slab);
    char answer[3000] = {0};
    int place = ssl_staples_place(t, digest(1), 100);
    cr_assert(ssl_staples_put(t, place, str_make(answer, 3000), (ssl_staple_times_t){200, 150}));
    size_t used = slab_stats(slab).used_bytes;
    for (int i = 0; i < 10000; i++)
        cr_assert(ssl_staples_put(t, place, str_make(answer, 3000),
                                  (ssl_staple_times_t){200, 150}));
    cr_expect_eq(slab_stats(slab).used_bytes, used);
    cr_expect(slab_check(slab));
}

/* Whatever instant it is: afterwards the answer is whole or there is none. */
Test(ssl_staples, a_writer_is_killed, .timeout = 180)
{
    enum { ROUNDS = 50, LENGTH = 2000 };
    slab_t *slab;
    ssl_staples_t *t = make(16, &slab);
    char answer[LENGTH];
    int place = ssl_staples_place(t, digest(1), 100);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = fork();
        unsigned puts = 0;
        while (pid == 0) {
            memset(answer, (int)(puts++ % 250), LENGTH);
            ssl_staples_put(t, place, str_make(answer, LENGTH), (ssl_staple_times_t){200, 150});
        }
        usleep(1000 + 37 * (unsigned)round);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        place = ssl_staples_place(t, digest(1), 100);
        cr_assert_neq(place, SSL_STAPLES_NONE);
        str_t s = got(t, place, 1);
        cr_assert(s.n == 0 || s.n == LENGTH);
        for (size_t i = 1; i < s.n; i++) cr_assert_eq(s.p[i], s.p[0]);
    }
    cr_expect(slab_check(slab));
}
