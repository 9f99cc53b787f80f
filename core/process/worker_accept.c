#include "core/process/worker_accept.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/loop.h"
#include "core/io/timer.h"
#include "core/process/worker.h"

enum {
    ACCEPT_BATCH = 64,      /* connections of one listener in one turn of the loop */
    ACCEPT_PAUSE_MS = 500,  /* when descriptors have run out */
    SAY_STARVED_MS = 10000, /* without running out, after which it is said again */
};

typedef struct acceptor {
    loop_fd_t io; /* first: on_ready gets it */
    listen_t *listen;
    bool watched, retired;
} acceptor_t;

static struct {
    acceptor_t *acceptors;
    unsigned acceptor_count, slot;
    worker_accept_from_t from;
    bool full, starved; /* no connections left, no descriptors left: not accepting */
    int starved_of;     /* errno of the accept that has just failed of it; 0: none has */
    uint64_t say_starved_from;
    struct timer pause;
} accepting;

static void on_acceptable(loop_fd_t *io, unsigned events);

static void watch(acceptor_t *a)
{
    int fd = listen_fd(a->listen, accepting.slot);
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
    return accepting.from == WORKER_ACCEPT_ALL ||
           (accepting.from == WORKER_ACCEPT_RETIRED && a->retired);
}

/* Watches exactly the listeners that are to be accepted on at present. */
static void update_watching(void)
{
    bool able = !accepting.full && !accepting.starved;
    for (unsigned i = 0; i < accepting.acceptor_count; i++) {
        acceptor_t *a = &accepting.acceptors[i];
        if (able && wanted(a))
            watch(a);
        else
            unwatch(a);
    }
}

static void accept_again(void)
{
    accepting.starved = false;
    update_watching();
}

static void on_pause_over(struct timer *t)
{
    (void)t;
    accept_again();
}

static void say_starved(int level, int err, const char *remedy)
{
    if (clock_ms() >= accepting.say_starved_from)
        LOG(&log_main, level, err, "accept4() failed, %s", remedy);
    accepting.say_starved_from = clock_ms() + SAY_STARVED_MS;
}

/* In the turn after an accept has failed: makes room, or waits until others have. */
static void relieve_starvation(void)
{
    int err = accepting.starved_of;
    accepting.starved_of = 0;
    if (err == 0) return;
    if ((err == EMFILE || err == ENFILE) && worker_reclaim()) {
        say_starved(LOG_WARNING, err, "reusing connections");
        accept_again();
        return;
    }
    say_starved(LOG_CRIT, err, "accepting again every 500 ms");
    accepting.pause.fire = on_pause_over;
    timer_arm(&accepting.pause, ACCEPT_PAUSE_MS);
}

static void pause_accepting(int err)
{
    accepting.starved = true;
    accepting.starved_of = err;
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
        accepting.full = true;
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

/* --- what the worker wants --- */

void worker_accept_open(const generation_t *g, unsigned slot)
{
    accepting.slot = slot;
    for (listen_t *l = g->listens.first; l; l = l->next) accepting.acceptor_count++;
    accepting.acceptors = POOL_ARRAY(g->pool, acceptor_t, accepting.acceptor_count);
    acceptor_t *a = accepting.acceptors;
    for (listen_t *l = g->listens.first; l; l = l->next) (a++)->listen = l;
}

void worker_accept_close(void)
{
    timer_disarm(&accepting.pause);
}

void worker_accept_from(worker_accept_from_t from)
{
    accepting.from = from;
    update_watching();
}

void worker_accept_turn(void)
{
    relieve_starvation();
    if (!accepting.full || !worker_has_room()) return;
    accepting.full = false;
    update_watching();
}

/* --- listeners that nobody serves after this worker --- */

void worker_accept_retire(unsigned number)
{
    if (number < accepting.acceptor_count) accepting.acceptors[number].retired = true;
}

void worker_accept_retire_all(void)
{
    for (unsigned i = 0; i < accepting.acceptor_count; i++) accepting.acceptors[i].retired = true;
}

bool worker_accept_any_retired(void)
{
    for (unsigned i = 0; i < accepting.acceptor_count; i++)
        if (accepting.acceptors[i].retired) return true;
    return false;
}

void worker_accept_rest(void)
{
    for (unsigned i = 0; i < accepting.acceptor_count; i++) {
        acceptor_t *a = &accepting.acceptors[i];
        if (!a->retired) continue;
        while (a->watched && accept_one(a)) continue;
    }
}
