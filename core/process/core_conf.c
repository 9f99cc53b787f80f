#include "core/process/core_conf.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "core/process/generation.h"
#include "core/process/introspect.h"
#include "core/process/logsys.h"

/* --- error_log --- */

static void add_target(log_t *log, log_target_t *target)
{
    log_target_t **at = &log->targets;
    while (*at) at = &(*at)->next;
    *at = target;
    if (target->level > log->level) log->level = target->level;
}

static void set_file(generation_t *g, log_target_t *t, str_t path)
{
    logfile_t *file = logfile_want(&g->logfiles, path);
    t->path = file->path;
    logfile_follow(&g->logfiles, file, &t->fd);
}

static bool set_syslog(conf_t *cf, const tree_node_t *node, log_target_t *t)
{
    logsys_t s;
    generation_t *g = generation_of(cf);
    const char *why = logsys_parse(cf->pool, node->words[1].text, &s);
    if (why) return conf_error(cf, node, 1, NULL, "%s", why);
    t->syslog = logsys_head(cf->pool, &s);
    t->facility = s.facility;
    logfile_follow(&g->logfiles, logfile_want_socket(&g->logfiles, &s.server), &t->fd);
    return true;
}

static bool set_target(conf_t *cf, const tree_node_t *node, log_target_t *t)
{
    str_t where = node->words[1].text;
    if (logsys_is(where)) return set_syslog(cf, node, t);
    if (str_starts(where, STR("memory:")))
        return conf_error(cf, node, 1, "a file, stderr or syslog:server=ADDRESS",
                          "error_log in memory is not supported");
    if (str_eq(where, STR("stderr")))
        t->fd = STDERR_FILENO;
    else
        set_file(generation_of(cf), t, conf_full_path(cf, where, false));
    return true;
}

bool core_conf_set_error_log(conf_t *cf, const conf_row_t *row, void *module_struct,
                             const tree_node_t *node)
{
    log_target_t *t = POOL_NEW(cf->pool, log_target_t);
    t->level = node->n > 2 ? log_level(node->words[2].text) : LOG_ERR;
    if (t->level < 0)
        return conf_error(cf, node, 2, "debug, info, notice, warn, error, crit, alert or emerg",
                          "invalid log level \"" STR_FMT "\"", STR_ARG(node->words[2].text));
    if (!set_target(cf, node, t)) return false;
    add_target(CONF_AT(row, module_struct, log_t), t);
    return true;
}

static void set_default_log(conf_t *cf, log_t *log)
{
    generation_t *g = generation_of(cf);
    log_target_t *t = POOL_NEW(cf->pool, log_target_t);
    str_t path = g->source->error_log;
    t->level = LOG_ERR;
    if (str_eq(path, STR("stderr")))
        t->fd = STDERR_FILENO;
    else
        set_file(g, t, conf_full_path(cf, path, false));
    add_target(log, t);
}

/* --- processes --- */

static bool set_worker_processes(conf_t *cf, const conf_row_t *row, void *module_struct,
                                 const tree_node_t *node)
{
    unsigned *n = CONF_AT(row, module_struct, unsigned);
    str_t text = node->words[1].text;
    if (!str_eq(text, STR("auto"))) return conf_number(cf, node, 1, text, 1, CORE_WORKERS_MAX, n);
    *n = affinity_cpus(NULL);
    if (*n > CORE_WORKERS_MAX) *n = CORE_WORKERS_MAX;
    return true;
}

static bool set_affinity(conf_t *cf, const conf_row_t *row, void *module_struct,
                         const tree_node_t *node)
{
    affinity_t *a = CONF_AT(row, module_struct, affinity_t);
    a->automatic = str_eq(node->words[1].text, STR("auto"));
    if (a->automatic && node->n == 2) affinity_cpus(VEC_PUSH(cf->pool, &a->masks));
    if (a->automatic && node->n > 3)
        return conf_error(cf, node, 3, NULL, "invalid number of arguments: auto takes one mask");
    for (unsigned i = a->automatic ? 2 : 1; i < node->n; i++) {
        const char *why = affinity_mask(node->words[i].text, VEC_PUSH(cf->pool, &a->masks));
        if (why)
            return conf_error(cf, node, i, why, "invalid CPU mask \"" STR_FMT "\"",
                              STR_ARG(node->words[i].text));
    }
    return true;
}

static bool set_priority(conf_t *cf, const conf_row_t *row, void *module_struct,
                         const tree_node_t *node)
{
    char *end;
    const char *text = node->words[1].text.p;
    long v = strtol(text, &end, 10);
    if (end == text || *end || v < -20 || v > 20)
        return conf_error(cf, node, 1, "from -20 (first) to 20 (last)",
                          "worker_priority: \"%s\" is not a priority", text);
    *CONF_AT(row, module_struct, int) = (int)v;
    return true;
}

static bool set_user(conf_t *cf, const conf_row_t *row, void *module_struct,
                     const tree_node_t *node)
{
    const char *why, *name = node->words[1].text.p;
    const char *group = node->n > 2 ? node->words[2].text.p : NULL;
    priv_user_t *user = CONF_AT(row, module_struct, priv_user_t);
    if (!priv_is_root()) {
        conf_warn(cf, node, 0, NULL,
                  "the \"user\" directive makes sense only if the master process runs with "
                  "super-user privileges, ignored");
        return true;
    }
    if (priv_find_user(name, group, user, &why)) return true;
    bool bad_group = strcmp(why, "getgrnam") == 0;
    const char *hint = !bad_group ? "name a user that exists"
                       : group    ? "name a group that exists"
                                  : "there is no group of that name: add one, user NAME GROUP";
    return conf_error(cf, node, bad_group && group ? 2 : 1, hint, "%s(\"%s\") failed", why,
                      bad_group && group ? group : name);
}

static bool set_env(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    str_t text = node->words[1].text;
    if (text.n == 0 || text.p[0] == '=')
        return conf_error(cf, node, 1, "NAME or NAME=VALUE", "env: \"" STR_FMT "\" has no name",
                          STR_ARG(text));
    *VEC_PUSH(cf->pool, CONF_AT(row, module_struct, conf_strs_t)) = text;
    return true;
}

/* --- events --- */

/* The limit is raised as far as it goes when proxyd starts. */
static void warn_of_files(conf_t *cf, const tree_node_t *node, const core_conf_t *c)
{
    struct rlimit limit;
    rlim_t files = c->worker_rlimit_nofile;
    if (!files && getrlimit(RLIMIT_NOFILE, &limit) == 0) files = limit.rlim_max;
    if (c->worker_connections > files)
        conf_warn(cf, node, 0, "worker_rlimit_nofile raises it, when root starts proxyd",
                  "%u worker_connections exceed open file resource limit: %llu",
                  c->worker_connections, (unsigned long long)files);
}

static bool set_events(conf_t *cf, const conf_row_t *row, void *module_struct,
                       const tree_node_t *node)
{
    (void)row;
    const conf_scope_t *events = conf_block(cf, node, CONF_EVENTS, false);
    if (!events) return false;
    const core_conf_t *inner = conf_get(events, &core_module);
    ((core_conf_t *)module_struct)->worker_connections = inner->worker_connections;
    warn_of_files(cf, node, inner);
    return true;
}

static bool set_use(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    (void)row, (void)module_struct;
    str_t method = node->words[1].text;
    if (str_eq(method, STR("epoll"))) return true;
    if (!str_eq(method, STR("poll")) && !str_eq(method, STR("select")))
        return conf_error(cf, node, 1, "epoll", "invalid event type \"" STR_FMT "\"",
                          STR_ARG(method));
    conf_warn(cf, node, 1, NULL, "proxyd always uses epoll");
    return true;
}

/* --- what nginx has and proxyd does without --- */

static bool set_ignored(conf_t *cf, const conf_row_t *row, void *module_struct,
                        const tree_node_t *node)
{
    (void)cf, (void)row, (void)module_struct, (void)node;
    return true;
}

static bool set_ignored_flag(conf_t *cf, const conf_row_t *row, void *module_struct,
                             const tree_node_t *node)
{
    bool ignored;
    conf_row_t plain = *row;
    (void)module_struct;
    plain.offset = 0;
    return conf_set_flag(cf, &plain, &ignored, node);
}

static bool set_load_module(conf_t *cf, const conf_row_t *row, void *module_struct,
                            const tree_node_t *node)
{
    (void)row, (void)module_struct;
    conf_warn(cf, node, 0, "remove the directive",
              "modules are compiled in, load_module is ignored");
    return true;
}

/* --- the whole --- */

static void warn_of_masks(conf_t *cf, const core_conf_t *c)
{
    if (c->affinity.automatic || c->affinity.masks.n == 0 ||
        c->affinity.masks.n == c->worker_processes)
        return;
    conf_warn(cf, conf_node(cf, "worker_cpu_affinity"), 0, NULL,
              "the number of \"worker_processes\" is not equal to the number of "
              "\"worker_cpu_affinity\" masks, using last mask for remaining worker processes");
}

static bool set_default_user(conf_t *cf, core_conf_t *c)
{
    const char *why;
    if (priv_find_user(PROXYD_USER, PROXYD_GROUP, &c->user, &why)) return true;
    return conf_error(cf, NULL, 0, "name one that exists with the directive \"user\"",
                      "%s failed: there is no user \"%s\" with group \"%s\"", why, PROXYD_USER,
                      PROXYD_GROUP);
}

static bool check(conf_t *cf, void *module_struct)
{
    core_conf_t *c = module_struct;
    if (cf->scope->context != CONF_MAIN) return true;
    if (!c->log.targets) set_default_log(cf, &c->log);
    warn_of_masks(cf, c);
    ctl_conf_declare(cf, &c->control, c->pid);
    return c->user.name || !priv_is_root() || set_default_user(cf, c);
}

#define MAIN CONF_MAIN
#define EVENTS CONF_EVENTS
#define IGNORED(name, contexts, flags, min, max, set, help) \
    CONF_CUSTOM(name, contexts, flags, min, max, set, CONF_NO_FIELD, NULL, \
                help " (accepted for nginx's sake, without effect)")

static const conf_row_t rows[] = {
    CONF_FLAG("daemon", MAIN, core_conf_t, daemon, "on", "Whether proxyd goes into the background"),
    CONF_FLAG("master_process", MAIN, core_conf_t, master_process, "on",
              "Whether there are worker processes; off is for debugging"),
    CONF_CUSTOM("worker_processes", MAIN, 0, 1, 1, set_worker_processes,
                CONF_FIELD(core_conf_t, worker_processes, unsigned), "1",
                "Number of workers; auto: one for each CPU"),
    CONF_CUSTOM("worker_cpu_affinity", MAIN, 0, 1, UINT_MAX, set_affinity,
                CONF_FIELD(core_conf_t, affinity, affinity_t), NULL,
                "CPUs of each worker as masks of 0 and 1, or auto [mask]"),
    CONF_CUSTOM("worker_priority", MAIN, 0, 1, 1, set_priority,
                CONF_FIELD(core_conf_t, priority, int), "0", "Scheduling priority of the workers"),
    CONF_NUMBER("worker_rlimit_nofile", MAIN, core_conf_t, worker_rlimit_nofile, "0", 0, INT_MAX,
                "Most open files of a worker; 0: as inherited"),
    CONF_SIZE("worker_rlimit_core", MAIN, core_conf_t, worker_rlimit_core, "0", 0, 0,
              "Largest core file of a worker; 0: as inherited"),
    CONF_MSEC("worker_shutdown_timeout", MAIN, core_conf_t, worker_shutdown_timeout, "0", 0, 0,
              "How long a worker that stops gracefully may take; 0: as long as it needs"),
    CONF_FLAG("worker_seccomp", MAIN, core_conf_t, worker_seccomp, "on",
              "Whether workers are confined to the system calls that serving needs"),
    CONF_CUSTOM("user", MAIN, 0, 1, 2, set_user, CONF_FIELD(core_conf_t, user, priv_user_t), NULL,
                "User and group of the workers"),
    CONF_PATH("pid", MAIN, core_conf_t, pid, PROXYD_PID_PATH, "File with the master's process id"),
    CONF_CUSTOM("control", MAIN, 0, 1, 2, ctl_conf_set,
                CONF_FIELD(core_conf_t, control, ctl_conf_t), NULL,
                "Unix socket of `proxyd ctl`, beside the pid file by default: "
                "PATH [mode=0600] | off"),
    CONF_PATH("working_directory", MAIN, core_conf_t, working_directory, NULL,
              "Directory of the workers, where cores go"),
    CONF_CUSTOM("env", MAIN, CONF_MANY, 1, 1, set_env, CONF_FIELD(core_conf_t, env, conf_strs_t),
                NULL, "Environment variable that workers keep (NAME) or get (NAME=VALUE)"),
    CONF_CUSTOM("error_log", MAIN, CONF_MANY, 1, 2, core_conf_set_error_log,
                CONF_FIELD(core_conf_t, log, log_t), NULL,
                "Where errors go: a file, stderr or syslog:server=..., and from which level on"),
    CONF_CUSTOM("events", MAIN, CONF_BLOCK, 0, 0, set_events, CONF_NO_FIELD, NULL,
                "How connections are processed"),
    CONF_NUMBER("worker_connections", EVENTS, core_conf_t, worker_connections, "512", 1, INT_MAX,
                "Most connections of one worker, those to origins included"),
    CONF_CUSTOM("use", EVENTS, 0, 1, 1, set_use, CONF_NO_FIELD, NULL, "Event method: epoll"),
    IGNORED("multi_accept", EVENTS, 0, 1, 1, set_ignored_flag, "Accept all new connections"),
    IGNORED("accept_mutex", EVENTS, 0, 1, 1, set_ignored_flag, "Workers accept in turn"),
    IGNORED("accept_mutex_delay", EVENTS, 0, 1, 1, set_ignored, "How long a turn is"),
    IGNORED("worker_aio_requests", EVENTS, 0, 1, 1, set_ignored, "Most operations of aio"),
    IGNORED("lock_file", MAIN, 0, 1, 1, set_ignored, "Prefix of lock files"),
    IGNORED("timer_resolution", MAIN, 0, 1, 1, set_ignored, "How often the time is read"),
    IGNORED("pcre_jit", MAIN, 0, 1, 1, set_ignored_flag, "Compile regular expressions, always on"),
    IGNORED("thread_pool", MAIN, CONF_MANY, 1, 3, set_ignored, "Threads for reading files"),
    CONF_CUSTOM("load_module", MAIN, CONF_MANY, 1, 1, set_load_module, CONF_NO_FIELD, NULL,
                "Loads a module of nginx; ignored with a warning"),
    CONF_END,
};

static unsigned core_index;

const module_t core_module = {
    .name = "core",
    .index = &core_index,
    .rows = rows,
    .conf_size = sizeof(core_conf_t),
    .check = check,
    .sections = introspect_sections,
};
