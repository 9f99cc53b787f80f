#include "core/process/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/process/background.h"
#include "core/process/bell.h"
#include "core/process/crew.h"
#include "core/process/pidfile.h"
#include "core/process/title.h"

enum {
    ERRAND_MS = 1000,
    START_MAX_MS = 60000, /* for a new generation's workers to be ready */
    KILL_AFTER_MS = 1000, /* TERM has been sent */
};

static struct {
    crew_t *crews;               /* all; the present one and the next are among them */
    crew_t *present, *next;      /* serving; starting, to take over. NULL: none */
    int signals;                 /* signalfd */
    struct pollfd *polled;
    bool reload, quit, terminate, failed;
    uint64_t reload_from;        /* clock_ms() before which no reload begins */
    uint64_t kill_at;            /* 0: nobody is waited for */
    uint64_t errands_at;         /* 0: there are none */
    unsigned errand_of;          /* the module that is on an errand */
    bool background;             /* daemon on */
    bool stderr_is_log;          /* standard error goes to the error log's file */
} master = {.signals = -1};

/* --- logs --- */

static log_target_t *first_file(const log_t *log)
{
    log_target_t *t = log->targets;
    while (t && !t->path) t = t->next;
    return t;
}

static void speak_through(const generation_t *g)
{
    log_main = g->log;
    log_target_t *file = first_file(&g->log);
    panic_set_fd(file && !master.stderr_is_log ? file->fd : -1);
}

static bool go_into_background(const generation_t *g)
{
    const log_target_t *t = g->log.targets, *file = first_file(&g->log);
    while (t && t->fd != STDERR_FILENO) t = t->next;
    master.background = true;
    master.stderr_is_log = !t && file;
    return background_enter(t ? STDERR_FILENO : file ? file->fd : -1);
}

static void reopen_logs(crew_t *crew)
{
    const log_target_t *errors = first_file(&crew->generation->log);
    for (logfile_t *l = crew->generation->logfiles.first; l; l = l->next) {
        int fd = logfile_open(l);
        if (fd < 0) {
            LOG(&log_main, LOG_EMERG, -fd, "open() \"%s\" failed", l->path);
            continue;
        }
        dup3(fd, l->fd, O_CLOEXEC);
        crew_hand_log(crew, fd, l->fd);
        if (master.stderr_is_log && errors && errors->path == l->path) {
            dup2(fd, STDERR_FILENO);
            crew_hand_log(crew, fd, STDERR_FILENO);
        }
        close(fd);
    }
}

static bool write_pid(const generation_t *g)
{
    int err = pidfile_write(g->pool, g->core->pid.p);
    if (err) LOG(&log_main, LOG_EMERG, -err, "open() \"%s\" failed", g->core->pid.p);
    return !err;
}

/* --- crews --- */

static void forget(crew_t *crew)
{
    crew_t **at = &master.crews;
    while (*at != crew) at = &(*at)->next;
    *at = crew->next;
    const generation_t *now = master.present ? master.present->generation : NULL;
    if (crew->has_served)
        generation_free(crew->generation, now);
    else
        generation_abandon(crew->generation, now);
}

static void launch_modules(const generation_t *g)
{
    for (const module_t *const *m = g->source->modules; *m; m++)
        if ((*m)->launch) (*m)->launch(conf_get(g->main, *m));
}

static void start_crew(generation_t *g)
{
    launch_modules(g);
    crew_t *crew = crew_new(g);
    crew->next = master.crews;
    master.crews = master.next = crew;
    for (unsigned i = 0; i < crew->count && !crew->failed; i++)
        if (!crew_start_worker(crew, i, master.crews, master.signals)) crew->failed = true;
}

/* The workers of the next crew are ready: they serve from here on. */
static void commit(void)
{
    crew_t *before = master.present, *now = master.next;
    const listen_set_t *old = before ? &before->generation->listens : NULL;
    master.present = now;
    master.next = NULL;
    now->state = CREW_SERVING;
    now->has_served = true;
    master.errands_at = now->generation->errands ? clock_ms() + ERRAND_MS : 0;
    speak_through(now->generation);
    listen_set_commit(&now->generation->listens, old);
    LOG(&log_main, LOG_NOTICE, 0, "serving, configuration %u, %u worker processes",
        now->generation->number, now->workers);
    if (!before) {
        background_ready();
        return;
    }
    if (crew_dismiss(before, &now->generation->listens, CREW_GRACE_MS))
        master.reload_from = clock_ms() + 2 * CREW_GRACE_MS;
    listen_set_close(&before->generation->listens, &now->generation->listens);
    if (!str_eq(before->generation->core->pid, now->generation->core->pid)) {
        write_pid(now->generation);
        pidfile_remove(before->generation->core->pid.p);
    }
}

static void give_up_next(const char *why)
{
    LOG(&log_main, LOG_EMERG, 0, "%s, %s", why,
        master.present ? "the configuration before goes on serving" : "proxyd does not start");
    crew_signal(master.next, SIGTERM);
    master.next->state = CREW_LEAVING;
    if (!master.present) master.terminate = master.failed = true;
    master.next = NULL;
}

static void settle_next(void)
{
    if (!master.next) return;
    if (master.next->failed)
        give_up_next("a worker of the new configuration cannot start");
    else if (crew_ready(master.next))
        commit();
    else if (clock_ms() - master.next->started > START_MAX_MS)
        give_up_next("the workers of the new configuration are not ready after a minute");
}

static void respawn_due(crew_t *crew)
{
    if (!crew || crew->state == CREW_LEAVING) return;
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->posts[i].due && crew->posts[i].due <= clock_ms() && !crew->posts[i].pid)
            crew_start_worker(crew, i, master.crews, master.signals);
}

static void forget_the_gone(void)
{
    if (!master.present) return; /* what has never served is needed until the end: leave() */
    for (crew_t *crew = master.crews, *next; crew; crew = next) {
        next = crew->next;
        if (crew != master.present && crew->state == CREW_LEAVING && crew_alive(crew) == 0)
            forget(crew);
    }
}

static void reap(void)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (crew_t *crew = master.crews; crew; crew = crew->next) {
            crew_post_t *post = crew_find(crew, pid);
            if (post && post->channel >= 0) crew_listen(post); /* it may have been ready */
            if (post) crew_buried(crew, post, status);
        }
}

/* --- errands --- */

static void tell_workers(uint32_t number, int fd)
{
    crew_tell_module(master.present, master.errand_of, number, fd);
}

static void run_errands(void)
{
    if (!master.errands_at || clock_ms() < master.errands_at) return;
    const generation_t *g = master.present->generation;
    master.errands_at = clock_ms() + ERRAND_MS;
    for (const module_t *const *m = g->source->modules; *m; m++) {
        master.errand_of = *(*m)->index;
        if ((*m)->errand) (*m)->errand(conf_get(g->main, *m), tell_workers);
    }
}

/* --- orders --- */

static void reload(void)
{
    const generation_t *now = master.present->generation;
    LOG(&log_main, LOG_NOTICE, 0, "reconfiguring");
    generation_t *g = generation_load(now->source);
    if (diag_errors(g->diag) > 0) {
        diag_log(g->diag, &log_main);
        generation_abandon(g, now);
    } else if (generation_prepare(g, now)) {
        start_crew(g);
        return;
    }
    LOG(&log_main, LOG_ERR, 0,
        "the new configuration is not taken, the one before goes on serving");
}

/* One reload at a time, and none while sockets of the last one are being drained. */
static bool may_reload(void)
{
    if (!master.reload || !master.present || master.next || clock_ms() < master.reload_from)
        return false;
    for (crew_t *crew = master.crews; crew; crew = crew->next)
        if (!crew->has_served) return false;
    return true;
}

static void dismiss_all(void)
{
    /* The first workers may be serving before the last of them has said that it can. */
    if (master.next && !master.present) commit();
    if (master.next) {
        crew_signal(master.next, SIGTERM);
        master.next->state = CREW_LEAVING;
        master.next = NULL;
    }
    if (!master.present) return;
    listen_set_t *listens = &master.present->generation->listens;
    listen_set_retire(listens, NULL);
    crew_dismiss(master.present, NULL, 0);
    listen_set_close(listens, NULL);
}

static void terminate(void)
{
    master.terminate = true;
    master.next = NULL;
    master.kill_at = clock_ms() + KILL_AFTER_MS;
    for (crew_t *crew = master.crews; crew; crew = crew->next) {
        crew->state = CREW_LEAVING;
        crew_signal(crew, SIGTERM);
    }
}

static void kill_the_late(void)
{
    if (!master.kill_at || clock_ms() < master.kill_at) return;
    LOG(&log_main, LOG_ALERT, 0, "workers do not end, they are killed");
    for (crew_t *crew = master.crews; crew; crew = crew->next) crew_signal(crew, SIGKILL);
    master.kill_at = clock_ms() + KILL_AFTER_MS;
}

static const char *signal_effect(unsigned signo)
{
    switch (signo) {
    case SIGTERM:
    case SIGINT: return ", exiting";
    case SIGQUIT: return ", shutting down";
    case SIGHUP: return ", reconfiguring";
    case SIGUSR1: return ", reopening logs";
    case SIGUSR2: return ", ignored: another program is taken by a restart";
    case SIGWINCH: return master.background ? ", stop accepting connections" : ", ignored";
    default: return "";
    }
}

static void obey(unsigned signo)
{
    switch (signo) {
    case SIGTERM:
    case SIGINT: terminate(); break;
    case SIGQUIT:
        master.quit = true;
        dismiss_all();
        break;
    case SIGHUP: master.reload = true; break;
    case SIGUSR1:
        LOG(&log_main, LOG_NOTICE, 0, "reopening logs");
        for (crew_t *crew = master.crews; crew; crew = crew->next) reopen_logs(crew);
        break;
    case SIGWINCH:
        if (master.background && master.present)
            crew_dismiss(master.present, &master.present->generation->listens, 0);
        break;
    case SIGCHLD: reap(); break;
    default: break;
    }
}

static void read_signals(void)
{
    struct signalfd_siginfo info;
    while (read(master.signals, &info, sizeof(info)) == sizeof(info)) {
        LOG(&log_main, LOG_NOTICE, 0, "signal %u (%s%s) received from %u%s", info.ssi_signo, "SIG",
            sigabbrev_np((int)info.ssi_signo), info.ssi_pid, signal_effect(info.ssi_signo));
        obey(info.ssi_signo);
    }
}

/* --- waiting --- */

static nfds_t collect(void)
{
    size_t n = 1, at = 1;
    for (crew_t *crew = master.crews; crew; crew = crew->next) n += crew->count;
    struct pollfd *grown = realloc(master.polled, n * sizeof(*grown));
    if (!grown) panic("out of memory: the master's descriptors");
    master.polled = grown;
    grown[0] = (struct pollfd){.fd = master.signals, .events = POLLIN};
    for (crew_t *crew = master.crews; crew; crew = crew->next)
        for (unsigned i = 0; i < crew->count; i++)
            grown[at++] = (struct pollfd){.fd = crew->posts[i].channel, .events = POLLIN};
    return (nfds_t)n;
}

static void earlier(uint64_t *when, uint64_t at)
{
    if (at && at < *when) *when = at;
}

/* Milliseconds until something is due; -1: nothing is. */
static int time_to_wait(void)
{
    uint64_t when = UINT64_MAX, now = clock_ms();
    for (crew_t *crew = master.crews; crew; crew = crew->next)
        for (unsigned i = 0; i < crew->count; i++) earlier(&when, crew->posts[i].due);
    if (master.next) earlier(&when, master.next->started + START_MAX_MS + 1);
    if (master.reload) earlier(&when, master.reload_from > now ? master.reload_from : 0);
    earlier(&when, master.kill_at);
    if (!master.quit && !master.terminate) earlier(&when, master.errands_at);
    if (when == UINT64_MAX) return -1;
    return when <= now ? 0 : (int)(when - now);
}

static void hear_workers(void)
{
    for (crew_t *crew = master.crews; crew; crew = crew->next)
        for (unsigned i = 0; i < crew->count; i++)
            if (crew->posts[i].channel >= 0) crew_listen(&crew->posts[i]);
}

static bool anybody_alive(void)
{
    for (crew_t *crew = master.crews; crew; crew = crew->next)
        if (crew_alive(crew)) return true;
    return false;
}

static void serve(void)
{
    while (!(master.quit || master.terminate) || anybody_alive()) {
        nfds_t n = collect();
        if (poll(master.polled, n, time_to_wait()) < 0 && errno != EINTR)
            panic("poll() failed: %s", strerror(errno));
        clock_update();
        hear_workers();
        read_signals();
        settle_next();
        if (master.failed && !master.kill_at) terminate();
        respawn_due(master.present);
        respawn_due(master.next);
        kill_the_late();
        forget_the_gone();
        if (!master.quit && !master.terminate) run_errands();
        if (!master.quit && !master.terminate && may_reload()) {
            master.reload = false;
            reload();
        }
    }
}

/* --- from start to end --- */

/* Unix sockets and the process id are the traces that a server leaves in the file system. */
static void leave(generation_t *g)
{
    pidfile_remove(g->core->pid.p);
    listen_set_retire(&g->listens, NULL);
    LOG(&log_main, LOG_NOTICE, 0, "exit");
    log_main = (log_t){.level = -1};
    panic_set_fd(-1);
}

static int run_alone(generation_t *g)
{
    worker_role_t role = {.generation = g, .counters = worker_counters_take(), .channel = -1};
    launch_modules(g);
    background_ready();
    int status = worker_run(&role);
    leave(g);
    generation_free(g, NULL);
    pool_trim();
    return status;
}

static int run_with_workers(generation_t *g)
{
    sigset_t set = worker_signals();
    master.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    title_set("master process");
    start_crew(g);
    serve();
    generation_t *last = master.present ? master.present->generation : NULL;
    leave(last ? last : g);
    while (master.crews) {
        if (master.crews == master.present) master.present = NULL;
        forget(master.crews);
    }
    free(master.polled);
    close(master.signals);
    buf_trim();
    pool_trim();
    return master.failed ? 1 : 0;
}

int master_run(generation_t *g)
{
    sigset_t set = worker_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (!generation_prepare(g, NULL)) return 1;
    if (g->core->daemon && !go_into_background(g)) return 1;
    if (!write_pid(g) || !bell_make()) {
        generation_abandon(g, NULL);
        return 1;
    }
    speak_through(g);
    return g->core->master_process ? run_with_workers(g) : run_alone(g);
}
