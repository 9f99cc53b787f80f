/*
 * loop: the event loop of a process: epoll, timers, ready fibers.
 *
 * A descriptor is registered once, edge-triggered, for its whole life. What epoll said is
 * remembered in loop_fd.ready until an operation finds it no longer true, so that no syscall is
 * spent on asking. Events first mark readiness for a whole batch; only then do fibers run, so a
 * fiber may close any descriptor. on_ready hooks run while the batch is marked: they may start
 * fibers and close their own descriptor, nothing else.
 */
#ifndef CORE_IO_LOOP_H
#define CORE_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/io/fiber.h"

enum {
    LOOP_READ = 1,  /* readable, or at its end */
    LOOP_WRITE = 2,
    LOOP_HUP = 4,   /* the peer has closed its side (EPOLLRDHUP, EPOLLHUP) */
    LOOP_ERROR = 8, /* EPOLLERR */
};

typedef struct loop_fd {
    int fd;
    uint8_t ready;             /* LOOP_* bits */
    bool abort_on_hup;         /* LOOP_HUP cancels `owner` with -ECONNABORTED */
    fiber_t *reader, *writer;  /* waiting for LOOP_READ or LOOP_WRITE */
    fiber_t *owner;            /* see abort_on_hup */
    void (*on_ready)(struct loop_fd *io, unsigned events); /* no fiber waits; may be NULL */
} loop_fd_t;

/* Something to do once at the end of a turn, when all ready fibers have run. Embedded; before, set
   run and list_init(&t->link). */
typedef struct loop_task {
    list_t link;
    void (*run)(struct loop_task *t);
} loop_task_t;

/* Makes the process's loop. 0 or negative errno. */
int loop_open(void);
void loop_close(void);

/*
 * Registers fd (non-blocking) for reading and writing. 0 or negative errno. The loop does not own
 * fd. The other fields of io must be set before (zero is fine).
 */
int loop_add(loop_fd_t *io, int fd);

/* A listening descriptor: level-triggered, with EPOLLEXCLUSIVE when shared between processes. */
int loop_add_listener(loop_fd_t *io, int fd, bool shared);

/* Stops watching (before close). Waiting fibers are woken and find their descriptor gone. */
void loop_remove(loop_fd_t *io);

/*
 * Waits until one of `events` is ready on io, for at most timeout_ms. 0, -ETIMEDOUT, or the reason
 * of a cancellation. Suspends unless already ready.
 */
int loop_wait(loop_fd_t *io, unsigned events, uint64_t timeout_ms);

/* The same for two descriptors at once; returns when either is ready. */
int loop_wait_either(loop_fd_t *a, unsigned a_events, loop_fd_t *b, unsigned b_events,
                     uint64_t timeout_ms);

/*
 * Runs t at the end of this turn, once however often it is asked for; what it asks for again while
 * it runs comes with the next turn, which does not sleep. list_remove(&t->link) takes it back.
 */
void loop_defer(loop_task_t *t);

/* Runs until loop_stop, calling `idle` (may be NULL) once per turn after all fibers have run. */
void loop_run(void (*idle)(void));
void loop_stop(void);

/*
 * Microseconds that this process has spent in waiting for events since this was asked for the first
 * time. What is left of the time that has passed is work: how busy the loop is. Being asked once
 * costs two readings of the clock per turn from then on.
 */
uint64_t loop_idle_us(void);

/* One turn, waiting at most max_ms for events (-1: as long as it takes). For tests and the
   master. */
void loop_turn(int max_ms);

#endif
