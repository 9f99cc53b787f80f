#include "core/process/generation.h"

#include <errno.h>
#include <unistd.h>

#include "core/process/paths.h"
#include "core/process/worker.h"

/* --- reading --- */

static tree_node_t *read_tree(generation_t *g)
{
    const generation_source_t *s = g->source;
    tree_node_t *root = tree_load(g->pool, g->diag, s->conf_path);
    if (!root || s->directives.n == 0) return root;
    tree_node_t *first = tree_parse(g->pool, g->diag, STR("command line"), s->directives);
    if (first) tree_prepend(root, first);
    return root;
}

static void read_conf(generation_t *g)
{
    conf_t cf = {.modules = g->source->modules,
                 .pool = g->pool,
                 .diag = g->diag,
                 .prefix = g->source->prefix,
                 .conf_dir = paths_directory(g->pool, g->source->conf_path),
                 .generation = g};
    g->main = conf_load(&cf, g->tree);
    g->core = conf_get(g->main, &core_module);
    g->log = g->core->log;
    if (diag_errors(g->diag) == 0 && !conf_was_set(&cf, &core_module, "events"))
        conf_error(&cf, NULL, 0, "add: events { }", "no \"events\" section in configuration");
}

generation_t *generation_load(const generation_source_t *source)
{
    static unsigned number;
    pool_t *pool = pool_create();
    generation_t *g = POOL_NEW(pool, generation_t);
    g->pool = g->listens.pool = g->logfiles.pool = g->zones.pool = g->tempdirs.pool = pool;
    g->counters = worker_counters_zone(&g->zones);
    g->helpers.pool = pool;
    g->source = source;
    g->number = ++number;
    g->diag = diag_new(pool);
    g->tree = read_tree(g);
    if (g->tree && diag_errors(g->diag) == 0) read_conf(g);
    return g;
}

/* errno says why the file cannot be opened; `directive` names another. */
static void say_not_opened(generation_t *g, const char *path, const char *directive)
{
    const char *hint = errno == ENOENT ? "make the directory, or name another file: "
                                       : "let it be written, or name another file: ";
    diag_error(g->diag, (diag_place_t){0}, pool_printf(g->pool, "%s%s", hint, directive).p,
               "open() \"%s\" failed (%d: %s)", path, errno, strerror(errno));
}

bool generation_check(generation_t *g)
{
    const logfile_t *bad = logfile_set_check(&g->logfiles);
    if (bad) say_not_opened(g, bad->path, "error_log, access_log");
    const char *pid = pool_cstr(g->pool, g->core->pid);
    if (!paths_writable(pid)) say_not_opened(g, pid, "pid");
    return diag_errors(g->diag) == 0;
}

/* --- opening --- */

static bool writes_to_stderr(const log_t *log)
{
    for (const log_target_t *t = log->targets; t; t = t->next)
        if (t->fd == STDERR_FILENO) return true;
    return false;
}

/* Where to speak: the first generation is watched by a person. */
static log_t voice(const generation_t *g, const generation_t *before, log_target_t *terminal)
{
    if (before) return before->log;
    if (writes_to_stderr(&g->log)) return g->log;
    *terminal = (log_target_t){.next = g->log.targets, .fd = STDERR_FILENO, .level = LOG_NOTICE};
    return (log_t){.targets = terminal,
                   .level = g->log.level > LOG_NOTICE ? g->log.level : LOG_NOTICE};
}

static bool open_parts(generation_t *g, const generation_t *before)
{
    const char *why;
    log_target_t terminal;
    const logfile_t *bad = logfile_set_open(&g->logfiles);
    log_t say = voice(g, before, &terminal);
    if (bad) {
        LOG(before ? &say : &log_main, LOG_EMERG, errno, "open() \"%s\" failed", bad->path);
        return false;
    }
    diag_log(g->diag, &say);
    const tempdir_t *dir = tempdir_set_make(&g->tempdirs, &g->core->user);
    if (dir) LOG(&say, LOG_EMERG, errno, "mkdir() \"%s\" failed", dir->path);
    if (dir) return false;
    if (!zone_set_map(&g->zones, before ? &before->zones : NULL, &why)) {
        LOG(&say, LOG_EMERG, 0, "%s", why);
        return false;
    }
    unsigned workers = g->core->master_process ? g->core->worker_processes : 1;
    g->prepared = true;
    worker_counters_use(g->counters);
    return listen_set_bind(&g->listens, before ? &before->listens : NULL, workers, &say);
}

bool generation_prepare(generation_t *g, const generation_t *before)
{
    if (open_parts(g, before)) return true;
    generation_abandon(g, before);
    return false;
}

static void let_go(generation_t *g)
{
    if (g->prepared) zone_set_release(&g->zones);
    logfile_set_close(&g->logfiles);
    pool_destroy(g->pool);
}

void generation_abandon(generation_t *g, const generation_t *before)
{
    if (g->prepared) listen_set_abandon(&g->listens, before ? &before->listens : NULL);
    let_go(g);
}

void generation_free(generation_t *g, const generation_t *now)
{
    listen_set_close(&g->listens, now ? &now->listens : NULL);
    let_go(g);
}

void generation_close_foreign(generation_t *g, const generation_t *own, unsigned slot)
{
    listen_set_close_foreign(&g->listens, &own->listens, slot);
    if (g != own) logfile_set_close(&g->logfiles);
}
