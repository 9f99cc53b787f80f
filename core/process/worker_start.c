#include "core/process/worker_start.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/process/priv.h"

static bool names(str_t setting, const char *variable)
{
    str_t v = str_of(variable);
    return str_starts(v, setting) && v.p[setting.n] == '=';
}

/* The setting as it goes into the environment; NULL: it is to be inherited and there is none. */
static char *resolve(pool_t *pool, str_t setting)
{
    if (str_find(setting, 0, '=') < setting.n) return pool_cstr(pool, setting);
    for (char **v = environ; *v; v++)
        if (names(setting, *v)) return *v;
    return NULL;
}

void worker_start_environment(pool_t *pool, const core_conf_t *c)
{
    char **kept = POOL_ARRAY(pool, char *, c->env.n + 2), **at = kept;
    bool tz = false;
    for (uint32_t i = 0; i < c->env.n; i++) {
        tz = tz || str_eq(c->env.v[i], STR("TZ")) || str_starts(c->env.v[i], STR("TZ="));
        *at = resolve(pool, c->env.v[i]);
        if (*at) at++;
    }
    if (!tz) *at = resolve(pool, STR("TZ"));
    environ = kept;
}

static void set_limit(int resource, const char *name, rlim_t n, const log_t *log)
{
    struct rlimit limit = {.rlim_cur = n, .rlim_max = n};
    if (setrlimit(resource, &limit) == 0) return;
    LOG(log, LOG_ALERT, errno, "setrlimit(%s, %llu) failed", name, (unsigned long long)n);
}

static void set_limits(const core_conf_t *c, const log_t *log)
{
    if (c->worker_rlimit_nofile)
        set_limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", c->worker_rlimit_nofile, log);
    if (c->worker_rlimit_core)
        set_limit(RLIMIT_CORE, "RLIMIT_CORE", c->worker_rlimit_core, log);
}

static void set_scheduling(const core_conf_t *c, unsigned slot, const log_t *log)
{
    cpu_set_t cpus;
    if (c->priority && setpriority(PRIO_PROCESS, 0, c->priority) < 0)
        LOG(log, LOG_ALERT, errno, "setpriority(%d) failed", c->priority);
    if (affinity_of(&c->affinity, slot, &cpus) && sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
        LOG(log, LOG_ALERT, errno, "sched_setaffinity() failed");
}

bool worker_start_identity(const core_conf_t *c, unsigned slot, const log_t *log)
{
    set_scheduling(c, slot, log);
    set_limits(c, log);
    if (!priv_drop(&c->user, c->worker_rlimit_core > 0, log)) return false;
    if (c->working_directory.n == 0 || chdir(c->working_directory.p) == 0) return true;
    LOG(log, LOG_ALERT, errno, "chdir(\"%s\") failed", c->working_directory.p);
    return false;
}
