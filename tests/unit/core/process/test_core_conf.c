#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "core/process/generation.h"

static const module_t *const list[] = {&core_module, NULL};
static generation_source_t source = {.modules = list,
                                     .prefix = STR_INIT("/srv/"),
                                     .conf_path = STR_INIT("/srv/proxyd.conf"),
                                     .directives = STR_INIT(""),
                                     .error_log = STR_INIT("logs/error.log")};
static generation_t *g;
static char said[4096];

static void setup(void)
{
    modules_init(list);
}

static void teardown(void)
{
    if (g) generation_abandon(g, NULL);
    g = NULL;
}

TestSuite(core_conf, .init = setup, .fini = teardown);

static void keep_what_is_said(void)
{
    FILE *f = tmpfile();
    diag_print(g->diag, fileno(f));
    rewind(f);
    said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
    fclose(f);
}

/* The conf of the text, or NULL and what is said about it. */
static const core_conf_t *load(const char *text)
{
    teardown();
    pool_t *pool = pool_create();
    g = POOL_NEW(pool, generation_t);
    g->pool = g->listens.pool = g->logfiles.pool = g->zones.pool = pool;
    g->source = &source;
    g->diag = diag_new(pool);
    g->tree = tree_parse(pool, g->diag, STR("test"), str_of(text));
    conf_t cf = {.modules = list, .pool = pool, .diag = g->diag, .prefix = source.prefix,
                 .conf_dir = source.prefix, .generation = g};
    g->main = conf_load(&cf, g->tree);
    keep_what_is_said();
    return diag_errors(g->diag) ? NULL : conf_get(g->main, &core_module);
}

static bool refuses(const char *text, const char *reason)
{
    return !load(text) && strstr(said, reason);
}

Test(core_conf, defaults_are_nginx_s)
{
    const core_conf_t *c = load("events {}");
    cr_assert(c && c->daemon && c->master_process && c->worker_seccomp, "%s", said);
    cr_assert_eq(c->worker_processes, 1);
    cr_assert_eq(c->worker_connections, 512);
    cr_assert_eq(c->worker_shutdown_timeout, 0);
    cr_assert_eq(c->affinity.masks.n, 0);
    cr_assert_str_eq(c->log.targets->path, "/srv/logs/error.log");
    cr_assert_eq(c->log.targets->level, LOG_ERR);
    cr_assert_eq(c->log.level, LOG_ERR);
}

Test(core_conf, every_directive)
{
    const core_conf_t *c = load(
        "daemon off; master_process off; worker_processes 3; worker_cpu_affinity 01 10 01;\n"
        "worker_priority -5; worker_rlimit_nofile 4096; worker_rlimit_core 1m;\n"
        "worker_shutdown_timeout 10s; worker_seccomp off; pid run/p.pid;\n"
        "working_directory /tmp; env A; env B=2; events { worker_connections 77; use epoll; }\n");
    cr_assert(c, "%s", said);
    cr_assert_not(c->daemon || c->master_process || c->worker_seccomp);
    cr_assert_eq(c->worker_processes, 3);
    cr_assert_eq(c->affinity.masks.n, 3);
    cr_assert_eq(c->priority, -5);
    cr_assert_eq(c->worker_rlimit_nofile, 4096);
    cr_assert_eq(c->worker_rlimit_core, 1 << 20);
    cr_assert_eq(c->worker_shutdown_timeout, 10000);
    cr_assert_str_eq(c->pid.p, "/srv/run/p.pid");
    cr_assert_str_eq(c->working_directory.p, "/tmp");
    cr_assert_eq(c->env.n, 2);
    cr_assert_eq(c->worker_connections, 77);
}

Test(core_conf, auto_counts_the_cpus)
{
    const core_conf_t *c = load("worker_processes auto; worker_cpu_affinity auto; events {}");
    cr_assert(c, "%s", said);
    cr_assert_eq(c->worker_processes, affinity_cpus(NULL));
    cr_assert(c->affinity.automatic && c->affinity.masks.n == 1);
}

Test(core_conf, several_error_logs)
{
    const core_conf_t *c = load("error_log stderr warn; error_log a.log; error_log /b.log debug;\n"
                                "error_log syslog:server=127.0.0.1 crit; events {}");
    cr_assert(c, "%s", said);
    const log_target_t *t = c->log.targets;
    cr_assert(t->fd == STDERR_FILENO && t->level == LOG_WARNING && !t->path);
    t = t->next;
    cr_assert(t->level == LOG_ERR && strcmp(t->path, "/srv/a.log") == 0);
    t = t->next;
    cr_assert(t->level == LOG_DEBUG && strcmp(t->path, "/b.log") == 0);
    t = t->next;
    cr_assert(t->level == LOG_CRIT && !t->path && t->syslog);
    cr_assert_null(t->next);
    cr_assert_eq(c->log.level, LOG_DEBUG);
}

Test(core_conf, what_nginx_has_is_taken)
{
    const core_conf_t *c = load("lock_file logs/x; timer_resolution 100ms; pcre_jit on;\n"
                                "thread_pool default threads=32 max_queue=1024;\n"
                                "load_module modules/ngx_http_js_module.so;\n"
                                "events { multi_accept on; accept_mutex off;\n"
                                "accept_mutex_delay 1s; worker_aio_requests 8; }");
    cr_assert(c, "%s", said);
    cr_assert(strstr(said, "load_module is ignored"), "%s", said);
}

Test(core_conf, mistakes)
{
    cr_assert(refuses("worker_processes 0; events {}", "must be between 1 and 1024"), "%s", said);
    cr_assert(refuses("worker_cpu_affinity 012; events {}", "invalid CPU mask \"012\""));
    cr_assert(refuses("worker_priority high; events {}", "\"high\" is not a priority"));
    cr_assert(refuses("error_log a.log loud; events {}", "invalid log level \"loud\""));
    cr_assert(refuses("error_log syslog:tag=x; events {}", "no syslog server specified"));
    cr_assert(refuses("error_log memory:1m; events {}", "not supported"));
    cr_assert(refuses("env =x; events {}", "has no name"));
    cr_assert(refuses("events { use kqueue; }", "invalid event type \"kqueue\""));
    cr_assert(refuses("events { multi_accept maybe; }", "it must be \"on\" or \"off\""));
    cr_assert(refuses("worker_connections 10; events {}", "worker_connections"));
}

Test(core_conf, fewer_masks_than_workers_are_warned_of)
{
    cr_assert(load("worker_processes 3; worker_cpu_affinity 01; events {}"));
    cr_assert(strstr(said, "using last mask for remaining worker processes"), "%s", said);
}

Test(core_conf, a_user_needs_root)
{
    const core_conf_t *c = load("user no_such_user_here; events {}");
    if (geteuid() == 0) {
        cr_assert_null(c);
        cr_assert(strstr(said, "getpwnam(\"no_such_user_here\") failed"), "%s", said);
    } else {
        cr_assert(c && !c->user.name);
        cr_assert(strstr(said, "makes sense only if"), "%s", said);
    }
}
