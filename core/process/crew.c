#include "core/process/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/process/background.h"
#include "core/process/bell.h"
#include "core/process/channel.h"

enum {
    YOUNG_MS = 1000,       /* a worker that dies before that age counts as one that failed */
    RESPAWN_STEP_MS = 100, /* the pause after the second failure; doubled from there on */
    RESPAWN_MAX_MS = 5000,
    START_TRIES = 3,       /* how often a worker may die before the new configuration is given up */
};

crew_t *crew_new(generation_t *g)
{
    crew_t *crew = POOL_NEW(g->pool, crew_t);
    crew->generation = g;
    crew->workers = g->core->worker_processes;
    crew->count = crew->workers + helper_count(&g->helpers);
    crew->posts = POOL_ARRAY(g->pool, crew_post_t, crew->count);
    crew->started = clock_ms();
    for (unsigned i = 0; i < crew->count; i++) crew->posts[i].channel = -1;
    return crew;
}

/* Who has the post: NULL is a worker. */
static const helper_t *helper_of(const crew_t *crew, unsigned slot)
{
    return slot < crew->workers ? NULL
                                : helper_at(&crew->generation->helpers, slot - crew->workers);
}

static const char *name_of(const crew_t *crew, const crew_post_t *post)
{
    const helper_t *h = helper_of(crew, (unsigned)(post - crew->posts));
    return h ? h->name : "worker process";
}

/* --- starting --- */

static void close_foreign(const crew_t *own, unsigned slot, crew_t *all, int master_fd)
{
    close(master_fd);
    background_forget();
    for (crew_t *c = all; c; c = c->next) {
        generation_close_foreign(c->generation, own->generation, slot);
        for (unsigned i = 0; i < c->count; i++)
            if (c->posts[i].channel >= 0) close(c->posts[i].channel);
    }
}

static _Noreturn void run_child(crew_t *crew, unsigned slot, crew_t *all, int master_fd,
                                int channel)
{
    generation_t *g = crew->generation;
    worker_role_t role = {
        .generation = g, .slot = slot, .helper = helper_of(crew, slot),
        .counters = crew->posts[slot].counters, .channel = channel};
    close_foreign(crew, slot, all, master_fd);
    log_main = g->log;
    int status = worker_run(&role);
    log_main = (log_t){.level = -1};
    environ = NULL; /* lies in the pool */
    zone_set_release(&g->zones);
    pool_destroy(g->pool);
    pool_trim();
    exit(status);
}

static bool cannot_start(const crew_t *crew, crew_post_t *post, const char *what, int err)
{
    LOG(&log_main, LOG_ALERT, err, "%s failed while spawning \"%s\"", what, name_of(crew, post));
    if (post->counters) worker_counters_give(post->counters);
    post->counters = NULL;
    post->due = clock_ms() + RESPAWN_MAX_MS;
    return false;
}

bool crew_start_worker(crew_t *crew, unsigned slot, crew_t *all, int master_fd)
{
    crew_post_t *post = &crew->posts[slot];
    int ends[2];
    int err = channel_open(ends);
    if (err) return cannot_start(crew, post, "socketpair()", -err);
    post->counters = worker_counters_take();
    if (post->counters && slot >= crew->workers) post->counters->helper = slot - crew->workers + 1;
    pid_t pid = post->counters ? fork() : -1;
    if (pid == 0) {
        close(ends[0]);
        run_child(crew, slot, all, master_fd, ends[1]);
    }
    err = post->counters ? errno : EAGAIN;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return cannot_start(crew, post, "fork()", err);
    }
    LOG(&log_main, LOG_NOTICE, 0, "start %s %ld", name_of(crew, post), (long)pid);
    *post = (crew_post_t){.pid = pid,
                          .channel = ends[0],
                          .counters = post->counters,
                          .started = clock_ms(),
                          .failures = post->failures};
    return true;
}

/* --- ending --- */

crew_post_t *crew_find(crew_t *crew, pid_t pid)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->posts[i].pid == pid) return &crew->posts[i];
    return NULL;
}

static void say_end(const crew_t *crew, const crew_post_t *post, int status)
{
    const char *name = name_of(crew, post);
    if (WIFSIGNALED(status))
        LOG(&log_main, LOG_ALERT, 0, "%s %ld exited on signal %d%s", name, (long)post->pid,
            WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
    else if (WEXITSTATUS(status) == WORKER_FATAL)
        LOG(&log_main, LOG_ALERT, 0,
            "%s %ld exited with fatal code %d and cannot be respawned", name, (long)post->pid,
            WEXITSTATUS(status));
    else
        LOG(&log_main, LOG_NOTICE, 0, "%s %ld exited with code %d", name, (long)post->pid,
            WEXITSTATUS(status));
}

static uint64_t pause_after(unsigned failures)
{
    if (failures < 2) return 0;
    uint64_t ms = failures > 8 ? RESPAWN_MAX_MS : (uint64_t)RESPAWN_STEP_MS << (failures - 2);
    return ms < RESPAWN_MAX_MS ? ms : RESPAWN_MAX_MS;
}

static void plan_next(crew_post_t *post)
{
    bool young = clock_ms() - post->started < YOUNG_MS;
    post->failures = young ? post->failures + 1 : 0;
    uint64_t pause = pause_after(post->failures);
    post->due = clock_ms() + pause;
    if (pause)
        LOG(&log_main, LOG_ALERT, 0,
            "%u workers in a row died within %d ms of their start, the next is started in %llu ms",
            post->failures, YOUNG_MS, (unsigned long long)pause);
}

static void hang_up(crew_post_t *post)
{
    if (post->channel >= 0) close(post->channel);
    post->channel = -1;
}

void crew_buried(crew_t *crew, crew_post_t *post, int status)
{
    bool fatal = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_FATAL;
    say_end(crew, post, status);
    if (crew->state == CREW_STARTING && !post->ready)
        crew->failed = crew->failed || fatal || post->failures + 1 >= START_TRIES;
    hang_up(post);
    worker_counters_give(post->counters);
    bell_ring(UINT32_MAX);
    post->counters = NULL;
    post->pid = 0;
    post->ready = false;
    post->due = 0;
    if (crew->state != CREW_LEAVING && !fatal) plan_next(post);
}

void crew_listen(crew_post_t *post)
{
    channel_message_t m;
    int fd, got;
    while ((got = channel_receive(post->channel, &m, &fd)) > 0) {
        if (m.type == CHANNEL_READY) post->ready = true;
        if (fd >= 0) close(fd);
    }
    if (got < 0) hang_up(post);
}

bool crew_ready(const crew_t *crew)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (!crew->posts[i].ready) return false;
    return true;
}

unsigned crew_alive(const crew_t *crew)
{
    unsigned n = 0;
    for (unsigned i = 0; i < crew->count; i++) n += crew->posts[i].pid != 0;
    return n;
}

/* --- telling --- */

void crew_signal(const crew_t *crew, int signo)
{
    for (unsigned i = 0; i < crew->count; i++)
        if (crew->posts[i].pid) kill(crew->posts[i].pid, signo);
}

static void tell(const crew_post_t *post, channel_type_t type, unsigned value, int fd)
{
    if (post->channel < 0) return;
    int err = channel_send(post->channel, type, value, fd);
    if (err < 0)
        LOG(&log_main, LOG_ALERT, -err, "worker process %ld cannot be told", (long)post->pid);
}

static bool retire_listeners(const crew_t *crew, unsigned slot, const listen_set_t *next)
{
    unsigned number = 0;
    bool any = false;
    for (const listen_t *l = crew->generation->listens.first; l; l = l->next, number++) {
        unsigned at = l->fd_count > slot ? slot : 0; /* unix: all share the one */
        if (listen_kept(l, at, next)) continue;
        tell(&crew->posts[slot], CHANNEL_RETIRE, number, -1);
        any = true;
    }
    return any;
}

bool crew_dismiss(crew_t *crew, const listen_set_t *next, unsigned grace_ms)
{
    bool retired = false;
    if (crew->state == CREW_LEAVING) return false;
    crew->state = CREW_LEAVING;
    for (unsigned i = 0; i < crew->count; i++) {
        crew->posts[i].due = 0;
        retired = retire_listeners(crew, i, next) || retired;
        tell(&crew->posts[i], CHANNEL_QUIT, grace_ms, -1);
    }
    return retired;
}

void crew_hand_log(const crew_t *crew, int fd, int number)
{
    for (unsigned i = 0; i < crew->count; i++)
        tell(&crew->posts[i], CHANNEL_LOG, (unsigned)number, fd);
}

void crew_tell_module(const crew_t *crew, unsigned module, uint32_t number, int fd)
{
    for (unsigned i = 0; i < crew->count; i++)
        tell(&crew->posts[i], (channel_type_t)(CHANNEL_ERRAND + module), number, fd);
}
