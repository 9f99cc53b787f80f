#include "core/process/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/io/timer.h"
#include "core/process/bell.h"
#include "core/process/channel.h"
#include "core/process/generation.h"
#include "core/process/title.h"
#include "core/process/worker_accept.h"
#include "core/process/worker_room.h"
#include "core/process/worker_start.h"

enum {
    ERRAND_MS = 1000,
    UNWIND_TURNS = 16, /* of the loop, for cancelled fibers to end */
    STOPPERS_MAX = 8,  /* worker_on_stop */
};

static struct {
    worker_role_t role;
    const core_conf_t *core;
    bool draining;             /* retired listeners are still accepted on */
    bool fast;
    /* Orders come while the loop marks readiness: nothing may be closed then. on_turn obeys. */
    bool told_quit, told_fast;
    unsigned grace_ms;
    loop_fd_t signals, channel;
    struct timer drain, shutdown, errands;
    struct {
        void (*stop)(void), (*cancel)(void);
    } ends[STOPPERS_MAX];
    unsigned end_count;
} worker;

bool worker_stopping;

const struct generation *worker_generation(void)
{
    return worker.role.generation;
}

unsigned worker_number(void)
{
    return worker.role.slot;
}

void worker_on_stop(void (*stop)(void), void (*cancel)(void))
{
    for (unsigned i = 0; i < worker.end_count; i++)
        if (worker.ends[i].stop == stop) return;
    ASSERT(worker.end_count < STOPPERS_MAX);
    worker.ends[worker.end_count].stop = stop;
    worker.ends[worker.end_count++].cancel = cancel;
}

sigset_t worker_signals(void)
{
    sigset_t set;
    static const int signals[] = {SIGTERM, SIGINT,   SIGQUIT, SIGHUP,
                                  SIGUSR1, SIGWINCH, SIGCHLD, SIGUSR2};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) sigaddset(&set, signals[i]);
    return set;
}

/* --- stopping --- */

/* Takes what is queued on listeners that nobody serves after this worker, and closes them. */
static void finish_drain(void)
{
    worker_accept_rest();
    worker.draining = false;
    worker_accept_from(WORKER_ACCEPT_NONE);
    listen_set_close(&worker.role.generation->listens, NULL);
}

static void on_drained(struct timer *t)
{
    (void)t;
    finish_drain();
}

static void stop_at_once(void)
{
    worker.fast = true;
    loop_stop();
}

static void on_shutdown_timeout(struct timer *t)
{
    (void)t;
    LOG(&log_main, LOG_NOTICE, 0, "shutdown timed out, closing %u connections",
        worker_room_held());
    stop_at_once();
}

static void start_drain(void)
{
    worker.draining = true;
    worker.drain.fire = on_drained;
    worker_accept_from(WORKER_ACCEPT_RETIRED);
    if (worker.grace_ms && worker_accept_any_retired())
        timer_arm(&worker.drain, worker.grace_ms);
    else
        finish_drain();
}

/* The one this process is; or all, when it is the only one. */
static void stop_helpers(void)
{
    const helper_t *own = worker.role.helper;
    if (own) own->stop(own->arg);
    if (worker.role.channel >= 0) return;
    for (const helper_t *h = worker.role.generation->helpers.first; h; h = h->next) h->stop(h->arg);
}

static void tell_stop(void)
{
    for (unsigned i = 0; i < worker.end_count; i++) worker.ends[i].stop();
    stop_helpers();
}

static void stop_gracefully(void)
{
    LOG(&log_main, LOG_NOTICE, 0, "gracefully shutting down");
    if (worker.role.channel >= 0 && !worker.role.helper)
        title_set("worker process is shutting down");
    worker_stopping = true;
    start_drain();
    worker.shutdown.fire = on_shutdown_timeout;
    if (worker.core->worker_shutdown_timeout)
        timer_arm(&worker.shutdown, worker.core->worker_shutdown_timeout);
    tell_stop();
}

/* Requests are cut off; their fibers still end by their own error paths. */
static void unwind(void)
{
    bool told = worker_stopping;
    worker_stopping = true;
    if (!told) tell_stop();
    for (unsigned i = 0; i < worker.end_count; i++) worker.ends[i].cancel();
    for (int i = 0; i < UNWIND_TURNS && fiber_count() > 0; i++) loop_turn(0);
}

/* --- being told --- */

static void reopen_logs(void)
{
    LOG(&log_main, LOG_NOTICE, 0, "reopening logs");
    for (logfile_t *l = worker.role.generation->logfiles.first; l; l = l->next) {
        int fd = logfile_open(l);
        if (fd < 0) {
            LOG(&log_main, LOG_EMERG, -fd, "open() \"%s\" failed", l->path);
            continue;
        }
        dup3(fd, l->fd, O_CLOEXEC);
        close(fd);
    }
}

static void on_signal(unsigned number)
{
    bool alone = worker.role.channel < 0;
    if (number == SIGTERM || number == SIGINT) worker.told_fast = true;
    if (number == SIGQUIT) worker.told_quit = true;
    if (number == SIGQUIT && alone) worker_accept_retire_all();
    if (number == SIGUSR1 && alone) reopen_logs();
    if (number == SIGHUP && alone)
        LOG(&log_main, LOG_NOTICE, 0, "master_process is off, the configuration is not read again");
}

static void on_signals(loop_fd_t *io, unsigned events)
{
    struct signalfd_siginfo info;
    (void)events;
    while (read(io->fd, &info, sizeof(info)) == sizeof(info)) on_signal(info.ssi_signo);
}

static void tell_module(unsigned index, uint32_t number, int fd)
{
    const generation_t *g = worker.role.generation;
    for (const module_t *const *m = g->source->modules; *m; m++)
        if (*(*m)->index == index && (*m)->told) (*m)->told(conf_get(g->main, *m), number, fd);
}

static void obey(const channel_message_t *m, int fd)
{
    if (m->type >= CHANNEL_ERRAND) tell_module(m->type - CHANNEL_ERRAND, m->value, fd);
    if (m->type == CHANNEL_LOG && fd >= 0) dup3(fd, (int)m->value, m->value > 2 ? O_CLOEXEC : 0);
    if (m->type == CHANNEL_RETIRE) worker_accept_retire(m->value);
    if (m->type == CHANNEL_QUIT) {
        worker.told_quit = true;
        worker.grace_ms = m->value;
    }
    if (fd >= 0) close(fd);
}

static void on_channel(loop_fd_t *io, unsigned events)
{
    channel_message_t m;
    int fd, got;
    (void)events;
    while ((got = channel_receive(io->fd, &m, &fd)) > 0) obey(&m, fd);
    if (got == 0) return;
    loop_remove(io);
    if (worker_stopping) return;
    LOG(&log_main, LOG_ALERT, 0, "the master process has gone");
    worker_accept_retire_all();
    worker.told_quit = true;
}

/* Once per turn of the loop. */
static void on_turn(void)
{
    worker_room_relieve();
    worker_accept_turn();
    if (worker.told_fast) LOG(&log_main, LOG_NOTICE, 0, "exiting");
    if (worker.told_fast) stop_at_once();
    if (worker.told_quit && !worker_stopping) stop_gracefully();
    if (worker_stopping && !worker.draining && worker_room_held() == 0 && fiber_count() == 0)
        loop_stop();
}

/* --- errands of modules, where there is no master to do them --- */

static unsigned errand_of; /* the module that is on one */

static void tell_self(uint32_t number, int fd)
{
    tell_module(errand_of, number, fd);
}

static void run_errands(struct timer *t)
{
    const generation_t *g = worker.role.generation;
    for (const module_t *const *m = g->source->modules; *m; m++) {
        errand_of = *(*m)->index;
        if ((*m)->errand) (*m)->errand(conf_get(g->main, *m), tell_self);
    }
    timer_arm(t, ERRAND_MS);
}

static void start_errands(const generation_t *g)
{
    worker.errands.fire = run_errands;
    if (worker.role.channel < 0 && g->errands) timer_arm(&worker.errands, ERRAND_MS);
}

/* --- start and end --- */

static bool start_loop(void)
{
    sigset_t set = worker_signals();
    int err = loop_open(), fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    worker.signals.on_ready = on_signals;
    worker.channel.on_ready = on_channel;
    if (!err && fd < 0) err = -errno;
    if (!err) err = loop_add(&worker.signals, fd);
    if (!err && worker.role.channel >= 0) err = loop_add(&worker.channel, worker.role.channel);
    if (err) LOG(&log_main, LOG_EMERG, -err, "the event loop cannot be made");
    return !err;
}

static bool start_helpers(const generation_t *g)
{
    const helper_t *own = worker.role.helper;
    if (own) return own->start(own->arg) == 0;
    if (worker.role.channel >= 0) return true;
    for (const helper_t *h = g->helpers.first; h; h = h->next)
        if (h->start(h->arg) != 0) return false;
    return true;
}

static bool start_modules(const generation_t *g)
{
    if (worker.role.helper) return true;
    for (const module_t *const *m = g->source->modules; *m; m++)
        if ((*m)->worker_start && (*m)->worker_start(conf_get(g->main, *m)) != 0) return false;
    return true;
}

static bool start(generation_t *g)
{
    bool alone = worker.role.channel < 0;
    worker_counters = worker.role.counters;
    worker_counters->worker = (uint64_t)getpid();
    if (!alone) {
        title_set(worker.role.helper ? worker.role.helper->name : "worker process");
        worker_start_environment(g->pool, g->core);
        if (!worker_start_identity(g->core, worker.role.slot, &log_main)) return false;
    }
    if (!worker.role.helper) worker_accept_open(g, worker.role.slot);
    if (!start_loop() || !start_modules(g) || !start_helpers(g)) return false;
    start_errands(g);
    if (!alone && g->core->worker_seccomp && !priv_confine(&log_main)) return false;
    worker_accept_from(WORKER_ACCEPT_ALL);
    if (!alone) channel_send(worker.role.channel, CHANNEL_READY, 0, -1);
    return true;
}

static void finish(generation_t *g)
{
    for (const module_t *const *m = g->source->modules; *m && !worker.role.helper; m++)
        if ((*m)->worker_stop) (*m)->worker_stop(conf_get(g->main, *m));
    if (fiber_count() > 0) _exit(0); /* what they refer to must not be freed */
    worker_accept_close();
    timer_disarm(&worker.drain);
    timer_disarm(&worker.shutdown);
    timer_disarm(&worker.errands);
    bell_deaf();
    loop_close();
    fiber_trim();
    buf_trim();
}

int worker_run(const worker_role_t *role)
{
    generation_t *g = role->generation;
    worker.role = *role;
    worker.core = g->core;
    worker_room_open(g->core->worker_connections);
    if (!start(g)) return WORKER_FATAL;
    loop_run(on_turn);
    if (worker.fast) unwind();
    finish(g);
    LOG(&log_main, LOG_NOTICE, 0, "exit");
    return 0;
}
