#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/process/paths.h"
#include "core/process/pidfile.h"

static char directory[] = "/tmp/proxyd-test-XXXXXX";
static pool_t *pool;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    pool = pool_create();
}

static void teardown(void)
{
    rmdir(directory);
    pool_destroy(pool);
}

TestSuite(paths, .init = setup, .fini = teardown);
TestSuite(pidfile, .init = setup, .fini = teardown);

static const char *in_directory(const char *name)
{
    return pool_printf(pool, "%s/%s", directory, name).p;
}

Test(paths, joins)
{
    cr_assert(str_eq(paths_join(pool, STR("/a/"), STR("b")), STR("/a/b")));
    cr_assert(str_eq(paths_join(pool, STR("/a"), STR("b")), STR("/a/b")));
    cr_assert(str_eq(paths_join(pool, STR("/a/"), STR("/b")), STR("/b")));
    cr_assert_eq(paths_join(pool, STR("/a/"), STR("")).n, 0);
}

Test(paths, directories_end_with_a_slash)
{
    cr_assert(str_eq(paths_directory(pool, STR("/etc/x/proxyd.conf")), STR("/etc/x/")));
    cr_assert(str_eq(paths_directory(pool, STR("/proxyd.conf")), STR("/")));
    cr_assert(str_eq(paths_directory(pool, STR("proxyd.conf")), STR("./")));
}

Test(paths, says_what_could_be_written)
{
    cr_assert(paths_writable(in_directory("new")));
    cr_assert_eq(access(in_directory("new"), F_OK), -1);
    cr_assert_not(paths_writable(in_directory("no/new")));
    cr_assert_eq(errno, ENOENT);
    cr_assert_not(paths_writable(directory));
    cr_assert_eq(errno, EISDIR);
}

Test(paths, replaces_whole)
{
    const char *path = in_directory("f");
    char text[16] = "";
    cr_assert_eq(paths_replace(pool, path, STR("first\n")), 0);
    cr_assert_eq(paths_replace(pool, path, STR("2\n")), 0);
    FILE *f = fopen(path, "r");
    cr_assert_eq(fread(text, 1, sizeof(text), f), 2);
    fclose(f);
    cr_assert_str_eq(text, "2\n");
    unlink(path);
    cr_assert_eq(paths_replace(pool, in_directory("no/f"), STR("x")), -ENOENT);
}

Test(pidfile, is_read_as_written)
{
    const char *path = in_directory("pid");
    cr_assert_eq(pidfile_write(pool, path), 0);
    cr_assert_eq(pidfile_read(path), getpid());
    pidfile_remove(path);
    cr_assert_eq(pidfile_read(path), -ENOENT);
}

Test(pidfile, refuses_what_is_no_id)
{
    static const char *const bad[] = {"", "\n", "0", "-5", "12x", "99999999999", "1 2"};
    const char *path = in_directory("pid");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(paths_replace(pool, path, str_of(bad[i])), 0);
        cr_assert_eq(pidfile_read(path), -EINVAL, "\"%s\"", bad[i]);
    }
    unlink(path);
}

Test(pidfile, an_id_may_belong_to_somebody_else)
{
    cr_assert_not(pidfile_is_proxyd(1)); /* init */
}
