/*
 * main: the command line comes in, one of four things happens: print, test, signal, serve.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/panic.h"
#include "core/config/conf_help.h"
#include "core/config/conf_manual.h"
#include "core/process/ctl_client.h"
#include "core/process/master.h"
#include "core/process/options.h"
#include "core/process/paths.h"
#include "core/process/pidfile.h"
#include "core/process/title.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_version(const options_t *o)
{
    fputs("proxyd version: proxyd/" PROXYD_VERSION "\n", stderr);
    if (o->help) fputs(options_usage, stderr);
    if (o->configure)
        fputs("built by " COMPILER "\nconfigure arguments: " PROXYD_CONFIGURE_ARGS "\n", stderr);
}

static int print_help(const char *directive)
{
    if (strcmp(directive, "--man") == 0) {
        conf_manual(modules, STDOUT_FILENO);
        return 0;
    }
    if (conf_help(modules, str_of(directive), STDOUT_FILENO)) return 0;
    fprintf(stderr, "proxyd: unknown directive \"%s\"\n", directive);
    return 1;
}

static str_t or_default(const char *given, const char *otherwise)
{
    return str_of(given ? given : otherwise);
}

static str_t find_prefix(pool_t *pool, const options_t *o)
{
    str_t prefix = or_default(o->prefix, PROXYD_PREFIX);
    char *absolute = realpath(prefix.p, NULL);
    prefix = pool_str(pool, absolute ? str_of(absolute) : prefix);
    free(absolute);
    return str_ends(prefix, STR("/")) ? prefix : pool_concat(pool, prefix, STR("/"));
}

static generation_source_t find_source(pool_t *pool, const options_t *o)
{
    str_t prefix = find_prefix(pool, o);
    return (generation_source_t){
        .modules = modules,
        .prefix = prefix,
        .conf_path = paths_join(pool, prefix, or_default(o->conf, PROXYD_CONF_PATH)),
        .directives = or_default(o->directives, ""),
        .error_log = or_default(o->error_log, PROXYD_ERROR_LOG_PATH),
    };
}

/* --- -t and -T --- */

static int test(const generation_source_t *source, const options_t *o)
{
    generation_t *g = generation_load(source);
    bool read = diag_errors(g->diag) == 0, good = read && generation_check(g);
    if (!good || !o->quiet) diag_print(g->diag, STDERR_FILENO);
    if (read && !o->quiet)
        fprintf(stderr, "proxyd: the configuration file " STR_FMT " syntax is ok\n",
                STR_ARG(source->conf_path));
    if (!good)
        fprintf(stderr, "proxyd: configuration file " STR_FMT " test failed\n",
                STR_ARG(source->conf_path));
    else if (!o->quiet)
        fprintf(stderr, "proxyd: configuration file " STR_FMT " test is successful\n",
                STR_ARG(source->conf_path));
    if (good && o->dump) tree_dump(g->tree, STDOUT_FILENO);
    generation_abandon(g, NULL);
    return good ? 0 : 1;
}

/* --- -s --- */

static int signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } table[] = {{"stop", SIGTERM}, {"quit", SIGQUIT}, {"reload", SIGHUP}, {"reopen", SIGUSR1}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(name, table[i].name) == 0) return table[i].number;
    return 0;
}

static int send_signal(const char *path, int signo)
{
    pid_t pid = pidfile_read(path);
    if (pid == -EINVAL)
        LOG(&log_main, LOG_ERR, 0, "invalid PID number in \"%s\"", path);
    else if (pid < 0)
        LOG(&log_main, LOG_ERR, -pid, "open() \"%s\" failed", path);
    else if (!pidfile_is_proxyd(pid))
        LOG(&log_main, LOG_ALERT, 0,
            "process %ld of \"%s\" is no proxyd, the file was left over; nothing is signalled",
            (long)pid, path);
    else if (kill(pid, signo) == 0)
        return 0;
    else
        LOG(&log_main, LOG_ALERT, errno, "kill(%ld, %d) failed", (long)pid, signo);
    return 1;
}

static int signal_master(const generation_source_t *source, const char *name)
{
    generation_t *g = generation_load(source);
    int status = 1;
    if (diag_errors(g->diag) > 0) {
        diag_print(g->diag, STDERR_FILENO);
    } else {
        LOG(&log_main, LOG_NOTICE, 0, "signal process started");
        status = send_signal(g->core->pid.p, signal_number(name));
    }
    generation_abandon(g, NULL);
    return status;
}

/* --- ctl --- */

static int control(const generation_source_t *source, const options_t *o)
{
    if (strcmp(o->ctl[0], "help") == 0) return ctl_client_help(source->modules);
    generation_t *g = generation_load(source);
    int status = CTL_UNHEARD;
    if (diag_errors(g->diag) > 0) diag_print(g->diag, STDERR_FILENO);
    else status = ctl_client_ask(g->pool, &g->core->control, o->ctl, o->ctl_words);
    generation_abandon(g, NULL);
    return status;
}

/* --- serving --- */

/* Up to the hard limit: a descriptor costs nothing until it is used. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(const generation_source_t *source)
{
    generation_t *g = generation_load(source);
    if (diag_errors(g->diag) > 0) {
        diag_print(g->diag, STDERR_FILENO);
        generation_abandon(g, NULL);
        return 1;
    }
    raise_file_limit();
    panic_install();
    return master_run(g);
}

static void prepare_process(void)
{
    unsigned char key[16];
    if (getrandom(key, sizeof(key), 0) != sizeof(key)) panic("getrandom() failed");
    hash_seed(key);
    signal(SIGPIPE, SIG_IGN);
    clock_update();
    modules_init(modules);
}

static int run(const options_t *o)
{
    pool_t *pool = pool_create();
    generation_source_t source = find_source(pool, o);
    int status = o->test     ? test(&source, o)
                 : o->signal ? signal_master(&source, o->signal)
                 : o->ctl    ? control(&source, o)
                             : serve(&source);
    pool_destroy(pool);
    pool_trim();
    return status;
}

int main(int argc, char **argv)
{
    options_t o;
    char why[256];
    argv = title_init(argc, argv);
    if (!options_parse(argc, (const char *const *)argv, &o, why, sizeof(why))) {
        fprintf(stderr, "proxyd: %s\n", why);
        return 1;
    }
    if (o.version) {
        print_version(&o);
        if (!o.test) return 0;
    }
    prepare_process();
    return o.help_on ? print_help(o.help_on) : run(&o);
}
