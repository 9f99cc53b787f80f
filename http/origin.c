#include "http/origin.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/io/fiber.h"
#include "core/process/worker.h"

static list_t resting = {&resting, &resting};

static void discard(origin_t *o)
{
    timer_disarm(&o->idle);
    list_remove(&o->all);
    stream_close(&o->stream, false);
    free(o);
    worker_release();
}

static void lose(origin_t *o)
{
    o->lost(o);
    discard(o);
}

static void on_idle_timeout(struct timer *t)
{
    lose(LIST_OF(t, origin_t, idle));
}

/* What has come is TLS's own (a session's ticket), and no byte for us, nor an end. */
static bool says_nothing(origin_t *o)
{
    char byte;
    return o->stream.transport && stream_try_read(&o->stream, &byte, 1) == -EAGAIN;
}

static void on_idle_ready(loop_fd_t *io, unsigned events)
{
    origin_t *o = LIST_OF(io, origin_t, stream.io);
    if (!(events & (LOOP_READ | LOOP_HUP | LOOP_ERROR))) return;
    if (!(events & (LOOP_HUP | LOOP_ERROR)) && says_nothing(o)) return;
    lose(o);
}

static origin_t *origin_new(const net_addr_t *to, const net_addr_t *from)
{
    origin_t *o = calloc(1, sizeof(*o));
    if (!o) panic("out of memory: connection to an origin");
    o->peer = *to;
    if (from) o->from = *from;
    o->opened_ms = clock_ms();
    o->idle.fire = on_idle_timeout;
    list_init(&o->all);
    list_init(&o->link);
    list_init(&o->bucket);
    return o;
}

/* Some of what is closed goes by its own fiber. */
static bool make_room(void)
{
    if (!worker_reclaim()) return false;
    fiber_yield();
    return true;
}

origin_t *origin_open(const net_addr_t *to, const net_addr_t *from, uint64_t timeout_ms, int *err)
{
    *err = -EMFILE;
    if (!worker_has_room()) make_room();
    if (!worker_hold()) return NULL;
    origin_t *o = origin_new(to, from);
    *err = stream_connect(&o->stream, to, from, timeout_ms);
    if ((*err == -EMFILE || *err == -ENFILE) && make_room())
        *err = stream_connect(&o->stream, to, from, timeout_ms);
    if (*err == 0) return o;
    discard(o);
    return NULL;
}

void origin_close(origin_t *o)
{
    if (o) discard(o);
}

bool origin_is_quiet(origin_t *o)
{
    char byte;
    if (stream_readable(&o->stream)) return says_nothing(o);
    ssize_t n = recv(o->stream.io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    o->stream.io.ready |= LOOP_READ; /* its event is still to come */
    return says_nothing(o);
}

void origin_rest(origin_t *o, uint64_t timeout_ms, void (*lost)(origin_t *o))
{
    o->lost = lost;
    o->stream.io.on_ready = on_idle_ready;
    list_push(&resting, &o->all);
    timer_arm(&o->idle, timeout_ms);
}

void origin_resume(origin_t *o)
{
    o->stream.io.on_ready = NULL;
    list_remove(&o->all);
    timer_disarm(&o->idle);
}

unsigned origin_reclaim(void)
{
    enum { PART = 8, MOST = 32 }; /* one in so many, and not more than these */
    unsigned idle = 0, closed = 0;
    for (const list_t *l = resting.next; l != &resting && idle < PART * MOST; l = l->next) idle++;
    for (; closed * PART < idle; closed++) lose(LIST_OF(resting.next, origin_t, all));
    return closed;
}

void origin_close_idle(void)
{
    LIST_EACH_SAFE(l, &resting) lose(LIST_OF(l, origin_t, all));
}
