#include "core/io/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/io/timer.h"

enum { EVENTS = 512 };

static struct {
    int epoll;
    bool stop;
    bool measured;     /* somebody wants to know idle_us */
    uint64_t idle_us;
} loop = {.epoll = -1};

static list_t deferred = {&deferred, &deferred};

int loop_open(void)
{
    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.stop = false;
    return loop.epoll < 0 ? -errno : 0;
}

void loop_close(void)
{
    if (loop.epoll >= 0) close(loop.epoll);
    loop.epoll = -1;
}

static int watch(loop_fd_t *io, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = io};
    io->fd = fd;
    return epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int loop_add(loop_fd_t *io, int fd)
{
    return watch(io, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int loop_add_listener(loop_fd_t *io, int fd, bool shared)
{
    return watch(io, fd, shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
}

static void wake_waiters(loop_fd_t *io)
{
    if (io->reader) fiber_wake(io->reader);
    if (io->writer) fiber_wake(io->writer);
}

void loop_remove(loop_fd_t *io)
{
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, io->fd, NULL);
    io->on_ready = NULL;
    wake_waiters(io);
}

int loop_wait(loop_fd_t *io, unsigned events, uint64_t timeout_ms)
{
    if (io->ready & events) return 0;
    if (events & LOOP_READ) io->reader = fiber_self();
    if (events & LOOP_WRITE) io->writer = fiber_self();
    int r = fiber_suspend(timeout_ms);
    if (events & LOOP_READ) io->reader = NULL;
    if (events & LOOP_WRITE) io->writer = NULL;
    return r;
}

int loop_wait_either(loop_fd_t *a, unsigned a_events, loop_fd_t *b, unsigned b_events,
                     uint64_t timeout_ms)
{
    if (a->ready & a_events) return 0;
    if (b_events & LOOP_READ) b->reader = fiber_self();
    if (b_events & LOOP_WRITE) b->writer = fiber_self();
    int r = b->ready & b_events ? 0 : loop_wait(a, a_events, timeout_ms);
    if (b_events & LOOP_READ) b->reader = NULL;
    if (b_events & LOOP_WRITE) b->writer = NULL;
    return r;
}

static unsigned ready_bits(uint32_t events)
{
    return (events & EPOLLIN ? LOOP_READ : 0u) | (events & EPOLLOUT ? LOOP_WRITE : 0u) |
           (events & EPOLLRDHUP ? LOOP_HUP | LOOP_READ : 0u) |
           (events & EPOLLHUP ? LOOP_HUP | LOOP_READ | LOOP_WRITE : 0u) |
           (events & EPOLLERR ? LOOP_ERROR | LOOP_READ | LOOP_WRITE : 0u);
}

static void mark(loop_fd_t *io, unsigned bits)
{
    io->ready |= (uint8_t)bits;
    if (io->abort_on_hup && (bits & (LOOP_HUP | LOOP_ERROR)) && io->owner)
        fiber_cancel(io->owner, -ECONNABORTED);
    bool waited = false;
    if (io->reader && (bits & LOOP_READ)) fiber_wake(io->reader), waited = true;
    if (io->writer && (bits & LOOP_WRITE)) fiber_wake(io->writer), waited = true;
    if (!waited && io->on_ready) io->on_ready(io, bits);
}

void loop_defer(loop_task_t *t)
{
    if (list_empty(&t->link)) list_push(&deferred, &t->link);
}

/* Fibers that the tasks have woken run at once: they need no word from the kernel. */
static void run_deferred(void)
{
    list_t batch, *l;
    if (list_empty(&deferred)) return;
    list_init(&batch);
    while ((l = list_pop(&deferred))) list_push(&batch, l);
    while ((l = list_pop(&batch))) {
        loop_task_t *t = LIST_OF(l, loop_task_t, link);
        t->run(t);
    }
    fiber_run_ready();
}

void loop_turn(int max_ms)
{
    static struct epoll_event events[EVENTS];
    int wait = fiber_any_ready() || !list_empty(&deferred) ? 0 : timer_next();
    if (max_ms >= 0 && (wait < 0 || wait > max_ms)) wait = max_ms;
    uint64_t began_us = loop.measured ? clock_us_now() : 0;
    int n = epoll_wait(loop.epoll, events, EVENTS, wait);
    /* Who was stopped, and goes on late, hears what has come before timers say what has not. */
    if (n < 0 && errno == EINTR) n = epoll_wait(loop.epoll, events, EVENTS, 0);
    if (loop.measured) loop.idle_us += clock_us_now() - began_us;
    if (n < 0 && errno != EINTR) LOG(&log_main, LOG_ALERT, errno, "epoll_wait() failed");
    clock_update();
    for (int i = 0; i < n; i++) mark(events[i].data.ptr, ready_bits(events[i].events));
    timer_run();
    fiber_run_ready();
    run_deferred();
}

uint64_t loop_idle_us(void)
{
    loop.measured = true;
    return loop.idle_us;
}

void loop_run(void (*idle)(void))
{
    while (!loop.stop) {
        loop_turn(-1);
        if (idle) idle();
    }
    loop.stop = false;
}

void loop_stop(void)
{
    loop.stop = true;
}
