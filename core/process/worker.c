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
#include "core/process/worker_start.h"

enum {
    ACCEPT_BATCH = 64,      /* connections of one listener in one turn of the loop */
    ACCEPT_PAUSE_MS = 500,  /* when descriptors have run out */
    SAY_STARVED_MS = 10000, /* without running out, after which it is said again */
    UNWIND_TURNS = 16,      /* of the loop, for cancelled fibers to end */
    STOPPERS_MAX = 8,       /* worker_on_stop */
};

typedef struct acceptor {
    loop_fd_t io; /* first: on_ready gets it */
    listen_t *listen;
    bool watched, retired;
} acceptor_t;

static struct {
    worker_role_t role;
    const core_conf_t *core;
    acceptor_t *acceptors;
    unsigned acceptor_count;
    unsigned held;
    bool full, starved;        /* no connections left, no descriptors left: not accepting */
    int starved_of;            /* errno of the accept that has just failed of it; 0: none has */
    bool draining;             /* retired listeners are still accepted on */
    bool fast;
    /* Orders come while the loop marks readiness: nothing may be closed then. on_turn obeys. */
    bool told_quit, told_fast;
    unsigned grace_ms;
    uint64_t said_full_ms, say_starved_from;
    loop_fd_t signals, channel;
    struct timer pause, drain, shutdown;
    struct {
        void (*stop)(void), (*cancel)(void);
    } ends[STOPPERS_MAX];
    unsigned end_count;
    unsigned (*reclaim)(void);
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

void worker_on_shortage(unsigned (*reclaim)(void))
{
    worker.reclaim = reclaim;
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

/* --- connections --- */

static void say_full(int level, const char *remedy)
{
    if (worker.said_full_ms && clock_ms() - worker.said_full_ms < 1000) return;
    worker.said_full_ms = clock_ms();
    LOG(&log_main, level, 0, "%u worker_connections are not enough%s",
        worker.core ? worker.core->worker_connections : 0, remedy);
}

/* As nginx: when fewer than a sixteenth are free. */
static void relieve_shortage(void)
{
    unsigned most = worker.core->worker_connections;
    if (worker.held + most / 16 < most) return;
    if (worker_reclaim()) say_full(LOG_WARNING, ", reusing connections");
}

unsigned worker_reclaim(void)
{
    return worker.reclaim ? worker.reclaim() : 0;
}

bool worker_has_room(void)
{
    return !worker.core || worker.held < worker.core->worker_connections;
}

bool worker_hold(void)
{
    if (!worker_has_room()) {
        say_full(LOG_ALERT, "");
        return false;
    }
    worker.held++;
    return true;
}

void worker_release(void)
{
    ASSERT(worker.held > 0);
    worker.held--;
}

/* --- accepting --- */

static void on_acceptable(loop_fd_t *io, unsigned events);

static void watch(acceptor_t *a)
{
    int fd = listen_fd(a->listen, worker.role.slot);
    if (a->watched || fd < 0) return;
    a->io = (loop_fd_t){.on_ready = on_acceptable};
    bool shared = a->listen->addr.sa.sa_family == AF_UNIX;
    int err = loop_add_listener(&a->io, fd, shared);
    if (err < 0) LOG(&log_main, LOG_ALERT, -err, "epoll_ctl() failed for a listening socket");
    a->watched = err == 0;
}

static void unwatch(acceptor_t *a)
{
    if (a->watched) loop_remove(&a->io);
    a->watched = false;
}

static bool wanted(const acceptor_t *a)
{
    return !worker_stopping || (worker.draining && a->retired);
}

/* Watches exactly the listeners that are to be accepted on at present. */
static void update_watching(void)
{
    bool accepting = !worker.full && !worker.starved;
    for (unsigned i = 0; i < worker.acceptor_count; i++) {
        acceptor_t *a = &worker.acceptors[i];
        if (accepting && wanted(a))
            watch(a);
        else
            unwatch(a);
    }
}

static void accept_again(void)
{
    worker.starved = false;
    update_watching();
}

static void on_pause_over(struct timer *t)
{
    (void)t;
    accept_again();
}

static void say_starved(int level, int err, const char *remedy)
{
    if (clock_ms() >= worker.say_starved_from)
        LOG(&log_main, level, err, "accept4() failed, %s", remedy);
    worker.say_starved_from = clock_ms() + SAY_STARVED_MS;
}

/* In the turn after an accept has failed: makes room, or waits until others have. */
static void relieve_starvation(void)
{
    int err = worker.starved_of;
    worker.starved_of = 0;
    if (err == 0) return;
    if ((err == EMFILE || err == ENFILE) && worker_reclaim()) {
        say_starved(LOG_WARNING, err, "reusing connections");
        accept_again();
        return;
    }
    say_starved(LOG_CRIT, err, "accepting again every 500 ms");
    worker.pause.fire = on_pause_over;
    timer_arm(&worker.pause, ACCEPT_PAUSE_MS);
}

static void pause_accepting(int err)
{
    worker.starved = true;
    worker.starved_of = err;
    update_watching();
}

/* True: try the next; the connection alone has failed (accept(2) passes network errors on). */
static bool survive_accept(int err)
{
    switch (err) {
    case EAGAIN: return false;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP: LOG(&log_main, LOG_ERR, err, "accept4() failed"); return true;
    default: pause_accepting(err); return false;
    }
}

static bool accept_one(acceptor_t *a)
{
    net_addr_t peer = {.len = sizeof(peer) - offsetof(net_addr_t, sa)};
    if (!worker_hold()) {
        worker.full = true;
        update_watching();
        return false;
    }
    int fd = accept4(a->io.fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        worker_release();
        return survive_accept(errno);
    }
    if (!a->listen->options.own) worker_counters->accepted++;
    a->listen->serve(a->listen, fd, &peer);
    return true;
}

static void on_acceptable(loop_fd_t *io, unsigned events)
{
    (void)events;
    acceptor_t *a = (acceptor_t *)(void *)io;
    for (int i = 0; i < ACCEPT_BATCH && a->watched && accept_one(a); i++) continue;
}

static void make_acceptors(generation_t *g)
{
    for (listen_t *l = g->listens.first; l; l = l->next) worker.acceptor_count++;
    worker.acceptors = POOL_ARRAY(g->pool, acceptor_t, worker.acceptor_count);
    acceptor_t *a = worker.acceptors;
    for (listen_t *l = g->listens.first; l; l = l->next) (a++)->listen = l;
}

/* --- stopping --- */

/* Takes what is queued on listeners that nobody serves after this worker, and closes them. */
static void finish_drain(void)
{
    for (unsigned i = 0; i < worker.acceptor_count; i++) {
        acceptor_t *a = &worker.acceptors[i];
        if (!a->retired) continue;
        while (a->watched && accept_one(a)) continue;
    }
    worker.draining = false;
    update_watching();
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
    LOG(&log_main, LOG_NOTICE, 0, "shutdown timed out, closing %u connections", worker.held);
    stop_at_once();
}

static bool any_retired(void)
{
    for (unsigned i = 0; i < worker.acceptor_count; i++)
        if (worker.acceptors[i].retired) return true;
    return false;
}

static void start_drain(void)
{
    worker.draining = true;
    worker.drain.fire = on_drained;
    if (worker.grace_ms && any_retired())
        timer_arm(&worker.drain, worker.grace_ms);
    else
        finish_drain();
    update_watching();
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

static void retire_all(void)
{
    for (unsigned i = 0; i < worker.acceptor_count; i++) worker.acceptors[i].retired = true;
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
    if (number == SIGQUIT && alone) retire_all();
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
    if (m->type == CHANNEL_RETIRE && m->value < worker.acceptor_count)
        worker.acceptors[m->value].retired = true;
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
    retire_all();
    worker.told_quit = true;
}

/* Once per turn of the loop. */
static void on_turn(void)
{
    relieve_shortage();
    relieve_starvation();
    if (worker.full && worker.held < worker.core->worker_connections) {
        worker.full = false;
        update_watching();
    }
    if (worker.told_fast) LOG(&log_main, LOG_NOTICE, 0, "exiting");
    if (worker.told_fast) stop_at_once();
    if (worker.told_quit && !worker_stopping) stop_gracefully();
    if (worker_stopping && !worker.draining && worker.held == 0 && fiber_count() == 0) loop_stop();
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
    if (!worker.role.helper) make_acceptors(g);
    if (!start_loop() || !start_modules(g) || !start_helpers(g)) return false;
    if (!alone && g->core->worker_seccomp && !priv_confine(&log_main)) return false;
    update_watching();
    if (!alone) channel_send(worker.role.channel, CHANNEL_READY, 0, -1);
    return true;
}

static void finish(generation_t *g)
{
    for (const module_t *const *m = g->source->modules; *m && !worker.role.helper; m++)
        if ((*m)->worker_stop) (*m)->worker_stop(conf_get(g->main, *m));
    if (fiber_count() > 0) _exit(0); /* what they refer to must not be freed */
    timer_disarm(&worker.pause);
    timer_disarm(&worker.drain);
    timer_disarm(&worker.shutdown);
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
    if (!start(g)) return WORKER_FATAL;
    loop_run(on_turn);
    if (worker.fast) unwind();
    finish(g);
    LOG(&log_main, LOG_NOTICE, 0, "exit");
    return 0;
}
