#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/process/logfile.h"

static char directory[] = "/tmp/proxyd-test-XXXXXX";
static pool_t *pool;
static logfile_set_t set;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    pool = pool_create();
    set = (logfile_set_t){.pool = pool};
}

static void teardown(void)
{
    logfile_set_close(&set);
    for (logfile_t *l = set.first; l; l = l->next)
        if (l->path) unlink(l->path);
    rmdir(directory);
    pool_destroy(pool);
}

TestSuite(logfile, .init = setup, .fini = teardown);

static logfile_t *want(const char *name)
{
    return logfile_want(&set, pool_printf(pool, "%s/%s", directory, name));
}

Test(logfile, one_for_each_path)
{
    logfile_t *a = want("a");
    cr_assert_neq(a, want("b"));
    cr_assert_eq(a, want("a"));
    cr_assert_eq(a->fd, -1);
}

Test(logfile, followers_learn_the_descriptor)
{
    int early, late;
    logfile_t *a = want("a");
    logfile_follow(&set, a, &early);
    cr_assert_eq(early, -1);
    cr_assert_null(logfile_set_open(&set));
    logfile_follow(&set, a, &late);
    cr_assert_geq(early, 0);
    cr_assert_eq(early, a->fd);
    cr_assert_eq(late, a->fd);
    logfile_set_close(&set);
    cr_assert_eq(early, -1);
}

Test(logfile, opening_appends)
{
    struct stat st;
    logfile_t *a = want("a");
    cr_assert_null(logfile_set_open(&set));
    cr_assert_eq(write(a->fd, "one\n", 4), 4);
    int again = logfile_open(a);
    cr_assert_geq(again, 0);
    cr_assert_eq(write(again, "two\n", 4), 4);
    cr_assert_eq(write(a->fd, "three\n", 6), 6);
    close(again);
    cr_assert_eq(stat(a->path, &st), 0);
    cr_assert_eq(st.st_size, 14);
    cr_assert(fcntl(a->fd, F_GETFD) & FD_CLOEXEC);
}

Test(logfile, all_or_none_is_opened)
{
    logfile_t *good = want("a"), *bad = want("missing/b");
    cr_assert_eq(logfile_set_open(&set), bad);
    cr_assert_eq(errno, ENOENT);
    cr_assert_eq(good->fd, -1);
    cr_assert_eq(bad->fd, -1);
}

Test(logfile, a_check_makes_nothing)
{
    logfile_t *a = want("a");
    cr_assert_null(logfile_set_check(&set));
    cr_assert_eq(access(a->path, F_OK), -1);
    logfile_t *bad = want("missing/b");
    cr_assert_eq(logfile_set_check(&set), bad);
    cr_assert_eq(errno, ENOENT);
}

Test(logfile, sockets_too)
{
    net_addr_t peer;
    cr_assert(net_parse(STR("127.0.0.1:9"), 0, &peer));
    logfile_t *l = logfile_want_socket(&set, &peer);
    cr_assert_eq(l, logfile_want_socket(&set, &peer));
    cr_assert_null(logfile_set_open(&set));
    net_addr_t at;
    cr_assert_geq(l->fd, 0);
    cr_assert(net_local(l->fd, &at));
    cr_assert_eq(at.sa.sa_family, AF_INET);
}
