#include "http/mux.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/process/worker.h"

enum { READ_BUFFER = 64 * 1024, READS_MOST = 16 /* before others have their turn */ };

static list_t all = {&all, &all};

/* --- the driver --- */

static int take_in(mux_t *m)
{
    static char in[READ_BUFFER]; /* nothing suspends while it is in use */
    stream_t *s = &m->origin->stream;
    bool settled = m->session.settled;
    int err = 0;
    m->more = true;
    for (int i = 0; i < READS_MOST && err == 0 && m->more; i++) {
        ssize_t n = stream_try_read(s, in, sizeof(in));
        m->more = n != -EAGAIN; /* half a record of TLS is readable, too */
        if (!m->more) break;
        if (n <= 0) err = n ? (int)n : -ENODATA;
        else err = mux_session_feed(&m->session, str_make(in, (size_t)n));
        m->heard_ms = clock_ms();
        m->pinged = false;
    }
    if (!settled && m->session.settled && m->settled) m->settled(m);
    return err;
}

/* Writes what the kernel takes. 0, also when it did not take all; or an error. */
static int write_out(mux_t *m)
{
    while (m->session.out) {
        buf_t *out = m->session.out;
        struct iovec iov = {out->pos, buf_used(out)};
        ssize_t n = iov.iov_len ? stream_try_writev(&m->origin->stream, &iov, 1) : 0;
        if (n == -EAGAIN) return 0;
        if (n < 0) return (int)n;
        out->pos += n;
        if (buf_used(out)) continue;
        buf_return(out);
        m->session.out = NULL;
    }
    return 0;
}

static int put_out(mux_t *m)
{
    int err = 0;
    while (err == 0) {
        err = mux_session_push(&m->session);
        if (err < 0 || !m->session.out) break;
        err = write_out(m);
        if (m->session.out) break;
    }
    if (err == -EPIPE || err == -ECONNRESET) take_in(m); /* it may have said why before */
    return err;
}

/* Notes that the last stream has gone. */
static void note_rest(mux_t *m)
{
    if (!m->busy || m->session.count) return;
    m->busy = false;
    m->idle_ms = clock_ms();
    list_remove(&m->all);
    list_push(&all, &m->all);
    if (m->rested) m->rested(m);
}

static bool is_done(const mux_t *m)
{
    if (m->session.count == 0 && (m->retired || m->session.leaving || worker_stopping)) return true;
    return mux_session_over(&m->session) && !m->session.out;
}

/* When something must be done though nothing comes: ms from now. */
static uint64_t patience(const mux_t *m)
{
    uint64_t now = clock_ms(), at;
    if (m->session.count == 0) at = m->idle_ms + m->limits.idle;
    else if (m->limits.ping) at = m->heard_ms + m->limits.ping * (m->pinged ? 2 : 1);
    else return UINT64_MAX;
    return at > now ? at - now : 0;
}

/* The time has come that `patience` told. */
static int lose_patience(mux_t *m)
{
    if (m->session.count == 0) {
        m->retired = true;
    } else if (m->pinged) {
        return -ETIMEDOUT;
    } else {
        m->pinged = true;
        mux_session_ping(&m->session);
    }
    return 0;
}

static int rest(mux_t *m)
{
    if (m->more) {
        fiber_yield();
        return 0;
    }
    uint64_t ms = patience(m);
    if (ms == 0) return lose_patience(m);
    unsigned events = m->session.out ? LOOP_READ | LOOP_WRITE : LOOP_READ;
    int r = loop_wait(&m->origin->stream.io, events, ms);
    return r == -ETIMEDOUT ? 0 : r;
}

/* What the streams of a connection that ends are told. */
static int fault(const mux_t *m, int err)
{
    if (err == 0) return m->session.why ? -EBADMSG : -ENODATA;
    return err == -EPIPE ? -ECONNRESET : err;
}

static void finish(mux_t *m, int err)
{
    m->retired = true;
    if (m->lost) m->lost(m);
    mux_session_fail(&m->session, fault(m, err), m->session.why);
    mux_session_goodbye(&m->session);
    if (err == 0 && mux_session_push(&m->session) == 0) write_out(m);
    list_remove(&m->all);
    mux_session_free(&m->session);
    origin_close(m->origin);
    free(m);
}

static void drive(void *arg)
{
    mux_t *m = arg;
    int err;
    do {
        err = take_in(m);
        int written = put_out(m); /* also what tells the origin what it did wrong */
        if (err == 0) err = written;
        note_rest(m);
        if (err == 0 && !is_done(m)) err = rest(m);
    } while (err == 0 && !is_done(m));
    finish(m, err);
}

/* Has the driver run when the fibers that are ready now have run. */
static void kick(const mux_t *m)
{
    fiber_wake(m->driver);
}

/* --- the door --- */

mux_t *mux_start(origin_t *o, const mux_limits_t *limits)
{
    mux_t *m = calloc(1, sizeof(*m));
    if (!m) panic("out of memory: connection to an origin");
    m->driver = fiber_start(drive, m);
    if (!m->driver) {
        free(m);
        origin_close(o);
        return NULL;
    }
    m->origin = o;
    m->limits = *limits;
    m->heard_ms = m->idle_ms = clock_ms();
    mux_session_init(&m->session);
    list_init(&m->link);
    list_push(&all, &m->all);
    return m;
}

bool mux_has_room(const mux_t *m)
{
    return !m->retired && m->origin->exchanges < m->limits.requests &&
           clock_ms() - m->origin->opened_ms < m->limits.time &&
           mux_session_has_room(&m->session);
}

bool mux_is_quiet(mux_t *m)
{
    char byte;
    stream_t *s = &m->origin->stream;
    if (m->session.count) return true;
    if (!stream_readable(s)) {
        ssize_t n = recv(s->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        s->io.ready |= LOOP_READ; /* its event is still to come */
    }
    if (take_in(m) < 0) m->retired = true;
    kick(m);
    return mux_has_room(m);
}

void mux_retire(mux_t *m)
{
    m->retired = true;
    kick(m);
}

static bool is_idle(const mux_t *m)
{
    return !m->retired && m->session.settled && m->session.count == 0;
}

unsigned mux_reclaim(void)
{
    enum { PART = 8, MOST = 32 }; /* one in so many, and not more than these */
    unsigned idle = 0, closed = 0;
    LIST_EACH(l, &all) idle += is_idle(LIST_OF(l, mux_t, all));
    if (idle > PART * MOST) idle = PART * MOST;
    for (list_t *l = all.next; closed * PART < idle; l = l->next) {
        mux_t *m = LIST_OF(l, mux_t, all);
        if (!is_idle(m)) continue;
        mux_retire(m);
        closed++;
    }
    return closed;
}

int mux_open(mux_t *m, mux_stream_t *s, const nghttp2_nv *head, size_t n, bool ends)
{
    int err = mux_session_open(&m->session, s, head, n, ends);
    if (err < 0) return err;
    m->origin->exchanges++;
    if (!m->busy) m->heard_ms = clock_ms(); /* nothing was to be heard before */
    m->busy = true;
    mux_session_push(&m->session);
    kick(m);
    return 0;
}

static mux_t *mux_of(const mux_stream_t *s)
{
    return s->session ? LIST_OF(s->session, mux_t, session) : NULL;
}

void mux_send(mux_stream_t *s)
{
    mux_t *m = mux_of(s);
    if (!m) return;
    mux_session_send(s);
    mux_session_push(&m->session);
    kick(m);
}

void mux_consume(mux_stream_t *s, size_t n)
{
    mux_t *m = mux_of(s);
    mux_session_consume(s, n);
    if (m && nghttp2_session_want_write(m->session.ng)) kick(m);
}

void mux_close(mux_stream_t *s)
{
    mux_t *m = mux_of(s);
    mux_session_close(s);
    if (m) kick(m);
}

void mux_stop_all(void)
{
    LIST_EACH(l, &all) kick(LIST_OF(l, mux_t, all));
}
