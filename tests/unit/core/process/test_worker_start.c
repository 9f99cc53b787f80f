#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/process/worker_start.h"

static pool_t *pool;
static core_conf_t conf;

static void setup(void)
{
    static char path[] = "PATH=/bin", tz[] = "TZ=UTC", tzx[] = "TZX=1", secret[] = "SECRET=s";
    static char *inherited[] = {path, tz, tzx, secret, NULL};
    environ = inherited;
    pool = pool_create();
    memset(&conf, 0, sizeof(conf));
}

static void teardown(void)
{
    environ = NULL;
    pool_destroy(pool);
}

TestSuite(worker_start, .init = setup, .fini = teardown);

static void keep(const char *setting)
{
    *VEC_PUSH(pool, &conf.env) = str_of(setting);
}

static void assert_environment(const char *const *want)
{
    worker_start_environment(pool, &conf);
    size_t i = 0;
    for (; want[i]; i++) {
        cr_assert_not_null(environ[i], "%s", want[i]);
        cr_assert_str_eq(environ[i], want[i]);
    }
    cr_assert_null(environ[i]);
}

Test(worker_start, the_time_zone_alone_is_kept)
{
    assert_environment((const char *[]){"TZ=UTC", NULL});
}

Test(worker_start, what_is_named_is_kept_and_what_is_given_is_set)
{
    keep("PATH");
    keep("NEW=1=2");
    keep("MISSING");
    assert_environment((const char *[]){"PATH=/bin", "NEW=1=2", "TZ=UTC", NULL});
}

Test(worker_start, the_time_zone_can_be_set)
{
    keep("TZ=Europe/Berlin");
    assert_environment((const char *[]){"TZ=Europe/Berlin", NULL});
}
