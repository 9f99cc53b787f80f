#include "http/tunnel.h"

#include <errno.h>

#include "core/base/clock.h"
#include "http/flow.h"

enum { PIECE = 32 * 1024, TURN_MOST = 256 * 1024, RETRY_MS = 10 };

/* One way: bytes read and not yet written stand in `held`, taken when the other side is slow. */
typedef struct way {
    stream_t *from, *to;
    buf_t *held;
    bool ended; /* `from` has ended, and `to` has been told */
} way_t;

typedef struct tunnel {
    list_t link;
    request_t *r;
    tunnel_side_t origin;
    way_t up, down;
    stream_t *client;
    uint64_t sent, received;       /* its counters when the tunnel began */
    struct timer timer;
    uint64_t timeout_ms, moved_ms; /* clock_ms when something moved last */
    fiber_t *fiber;                /* while moving, or ending */
    const char *why;               /* it has to end; for the log; NULL: in order */
    int err;                       /* with `why`: negative errno */
    bool over;
} tunnel_t;

static list_t tunnels = {&tunnels, &tunnels};

/* --- the end --- */

static void note_attempt(tunnel_t *t)
{
    request_t *r = t->r;
    if (r->attempts.n == 0) return;
    upstream_attempt_t *a = &r->attempts.v[r->attempts.n - 1];
    a->received = t->origin.stream->received;
    a->sent = t->origin.stream->sent;
    a->response_us = (int64_t)(clock_ms() * 1000 - a->started_us);
}

static void count_bytes(tunnel_t *t)
{
    const stream_t *s = t->client;
    t->r->reply.bytes_sent += s->sent - t->sent;
    t->r->reply.body_sent += s->sent - t->sent;
    t->r->received += s->received - t->received;
}

/* In the tunnel's fiber. Everything of it is in the request's pool, which goes last. */
static void end(tunnel_t *t)
{
    request_t *r = t->r;
    if (t->why)
        LOG(&r->log, t->err == -ETIMEDOUT ? LOG_ERR : LOG_INFO, 0,
            "%s (%d: %s) while proxying upgraded connection", t->why, -t->err, strerror(-t->err));
    timer_disarm(&t->timer);
    note_attempt(t);
    count_bytes(t);
    buf_return(t->up.held);
    buf_return(t->down.held);
    t->origin.close(t->origin.holder, t->why ? t->err : 0);
    list_remove(&t->link);
    r->reply.finished = true;
    flow_log(r);
    r->sink->close(r, t->why ? t->err : 0);
}

/* --- moving --- */

static void fail(tunnel_t *t, const char *why, int err)
{
    t->over = true;
    t->why = why;
    t->err = err;
}

/* Writes; what does not go is held. Bytes written, or an error. */
static ssize_t put(way_t *w, str_t data)
{
    struct iovec iov = {(void *)(uintptr_t)data.p, data.n};
    ssize_t n = data.n ? stream_try_writev(w->to, &iov, 1) : 0;
    if (n == -EAGAIN) n = 0;
    if (n < 0 || (size_t)n == data.n) return n;
    w->held = buf_take(data.n - (size_t)n);
    buf_put(w->held, str_sub(data, (size_t)n, data.n));
    return n;
}

static ssize_t flush(way_t *w)
{
    struct iovec iov = {w->held->pos, buf_used(w->held)};
    ssize_t n = stream_try_writev(w->to, &iov, 1);
    if (n <= 0) return n == -EAGAIN ? 0 : n;
    w->held->pos += n;
    if (buf_used(w->held)) return n;
    buf_return(w->held);
    w->held = NULL;
    return n;
}

/* One step on a way: 1 something has moved, 0 not, or an error. */
static int step(way_t *w, char *scratch)
{
    if (w->held) {
        ssize_t n = flush(w);
        return n < 0 ? (int)n : n > 0;
    }
    if (w->ended) return 0;
    ssize_t got = stream_try_read(w->from, scratch, PIECE);
    if (got == -EAGAIN) return 0;
    if (got < 0) return (int)got;
    if (got == 0) {
        w->ended = true;
        stream_shutdown(w->to);
        return 1;
    }
    ssize_t n = put(w, str_make(scratch, (size_t)got));
    return n < 0 ? (int)n : 1;
}

/* Moves until nothing can be moved, giving way now and then. */
static void move(tunnel_t *t)
{
    static char scratch[PIECE]; /* shared: used between two suspensions only */
    unsigned steps = 0;
    for (;;) {
        int up = step(&t->up, scratch), down = up < 0 ? up : step(&t->down, scratch);
        if (up < 0) return fail(t, "connection broke", up);
        if (down < 0) return fail(t, "connection broke", down);
        if (up + down == 0) break;
        t->moved_ms = clock_ms();
        if (++steps % (TURN_MOST / PIECE) == 0) fiber_yield();
    }
    if (t->up.ended && t->down.ended && !t->up.held && !t->down.held) t->over = true;
}

static void run(void *arg)
{
    tunnel_t *t = arg;
    if (!t->over) move(t);
    if (!t->over && clock_ms() - t->moved_ms >= t->timeout_ms)
        fail(t, "upstream timed out", -ETIMEDOUT);
    if (t->over) {
        end(t);
        return;
    }
    t->fiber = NULL;
    if (!timer_armed(&t->timer)) timer_arm(&t->timer, t->timeout_ms);
}

/* --- being woken --- */

static void wake(tunnel_t *t)
{
    if (t->fiber) return; /* it looks at everything before it ends */
    t->fiber = fiber_start(run, t);
    if (!t->fiber) timer_arm(&t->timer, RETRY_MS);
}

static void on_ready(loop_fd_t *io, unsigned events)
{
    (void)events;
    wake(LIST_OF(io, stream_t, io)->keeper);
}

static void on_timer(struct timer *timer)
{
    tunnel_t *t = LIST_OF(timer, tunnel_t, timer);
    uint64_t idle = clock_ms() - t->moved_ms;
    if (idle < t->timeout_ms) timer_arm(timer, t->timeout_ms - idle);
    wake(t);
}

/* --- the start --- */

static buf_t *copy_of(str_t data)
{
    if (data.n == 0) return NULL;
    buf_t *b = buf_take(data.n);
    buf_put(b, data);
    return b;
}

static void watch(tunnel_t *t, stream_t *s)
{
    s->keeper = t;
    s->io.on_ready = on_ready;
}

void tunnel_start(request_t *r, const tunnel_side_t *origin, uint64_t timeout_ms)
{
    str_t early;
    stream_t *client = r->sink->detach(r, &early);
    tunnel_t *t = POOL_NEW(r->pool, tunnel_t);
    t->r = r;
    t->origin = *origin;
    t->client = client;
    t->up = (way_t){.from = client, .to = origin->stream, .held = copy_of(early)};
    t->down = (way_t){.from = origin->stream, .to = client, .held = copy_of(origin->rest)};
    t->sent = client->sent;
    t->received = client->received;
    t->timeout_ms = timeout_ms;
    t->moved_ms = clock_ms();
    t->timer.fire = on_timer;
    watch(t, client);
    watch(t, origin->stream);
    list_push(&tunnels, &t->link);
    timer_arm(&t->timer, timeout_ms);
    wake(t); /* what has been announced already is no event any more */
}

void tunnel_cancel_all(void)
{
    LIST_EACH(l, &tunnels)
    {
        tunnel_t *t = LIST_OF(l, tunnel_t, link);
        fail(t, "worker stops", -ECANCELED);
        if (t->fiber) fiber_cancel(t->fiber, -ECANCELED);
        wake(t);
    }
}
