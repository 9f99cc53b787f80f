#include "core/io/stream.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "core/base/panic.h"

/* A fiber whose peers are always ready lets others run after this many bytes. */
enum { FAIR_SHARE = 1024 * 1024, IOV_MOST = 64 };

static size_t moved; /* bytes since a fiber last gave way */

static void give_way(ssize_t n)
{
    if (n <= 0 || (moved += (size_t)n) < FAIR_SHARE) return;
    moved = 0;
    fiber_yield();
}

static int wait_for(stream_t *s, unsigned event, uint64_t timeout_ms)
{
    if (s->io.ready & event) return 0;
    moved = 0;
    return loop_wait(&s->io, event, timeout_ms);
}

/* --- the plain socket --- */

/* What a failed call means: "not now" clears the remembered readiness. */
static ssize_t failed(stream_t *s, unsigned event)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
    s->io.ready &= (uint8_t)~event;
    return -EAGAIN;
}

static ssize_t socket_read(stream_t *s, void *p, size_t n)
{
    ssize_t got;
    do got = recv(s->io.fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) return failed(s, LOOP_READ);
    /* A short read has drained the socket; what comes later is a new edge. An end that has been
       announced already is not. */
    if ((size_t)got < n && !(s->io.ready & (LOOP_HUP | LOOP_ERROR)))
        s->io.ready &= (uint8_t)~LOOP_READ;
    return got;
}

static ssize_t socket_writev(stream_t *s, const struct iovec *iov, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
    int flags = MSG_NOSIGNAL | (s->more ? MSG_MORE : 0);
    ssize_t put;
    do put = n == 1 ? send(s->io.fd, iov->iov_base, iov->iov_len, flags)
                    : sendmsg(s->io.fd, &m, flags);
    while (put < 0 && errno == EINTR);
    return put < 0 ? failed(s, LOOP_WRITE) : put;
}

static ssize_t socket_sendfile(stream_t *s, int fd, off_t *at, size_t n)
{
    ssize_t put;
    do put = sendfile(s->io.fd, fd, at, n);
    while (put < 0 && errno == EINTR);
    return put < 0 ? failed(s, LOOP_WRITE) : put;
}

static bool socket_pending(const stream_t *s)
{
    (void)s;
    return false;
}

static void socket_shutdown(stream_t *s)
{
    shutdown(s->io.fd, SHUT_WR);
}

const stream_ops_t stream_socket_ops = {
    .read = socket_read,
    .writev = socket_writev,
    .sendfile = socket_sendfile,
    .pending = socket_pending,
    .shutdown = socket_shutdown,
};

/* --- opening and closing --- */

int stream_open(stream_t *s, int fd)
{
    s->ops = &stream_socket_ops;
    s->transport = NULL;
    s->received = s->sent = 0;
    s->more = false;
    s->io.ready = LOOP_WRITE; /* a fresh socket has room */
    int r = loop_add(&s->io, fd);
    if (r < 0) s->ops = NULL;
    return r;
}

static int finish_connect(stream_t *s, uint64_t timeout_ms)
{
    int err = 0;
    socklen_t len = sizeof(err);
    int r = wait_for(s, LOOP_WRITE, timeout_ms);
    if (r < 0) return r;
    if (getsockopt(s->io.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) return -errno;
    return -err;
}

static int start_connect(stream_t *s, int fd, const net_addr_t *to, const net_addr_t *from)
{
    if (from && from->len && bind(fd, &from->sa, from->len) < 0) return -errno;
    if (to->sa.sa_family != AF_UNIX) net_nodelay(fd);
    if (connect(fd, &to->sa, to->len) == 0) return stream_open(s, fd);
    if (errno != EINPROGRESS) return -errno;
    int r = stream_open(s, fd);
    s->io.ready = 0;
    return r < 0 ? r : -EINPROGRESS;
}

int stream_connect(stream_t *s, const net_addr_t *to, const net_addr_t *from, uint64_t timeout_ms)
{
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int r = start_connect(s, fd, to, from);
    if (r == -EINPROGRESS) r = finish_connect(s, timeout_ms);
    if (r == 0) return 0;
    s->ops = NULL;
    close(fd);
    return r;
}

void stream_close(stream_t *s, bool reset)
{
    if (!s->ops) return;
    ASSERT(!s->io.reader && !s->io.writer);
    struct linger drop = {.l_onoff = 1};
    if (s->ops->close) s->ops->close(s, reset);
    if (reset) setsockopt(s->io.fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
    close(s->io.fd); /* which also ends epoll's interest: no process shares the descriptor */
    s->ops = NULL;
    s->io.fd = -1;
}

void stream_shutdown(stream_t *s)
{
    s->ops->shutdown(s);
}

/* --- without waiting --- */

ssize_t stream_try_read(stream_t *s, void *p, size_t n)
{
    if (!stream_readable(s)) return -EAGAIN;
    ssize_t got = s->ops->read(s, p, n);
    if (got > 0) s->received += (size_t)got;
    return got;
}

ssize_t stream_try_writev(stream_t *s, const struct iovec *iov, int n)
{
    if (!(s->io.ready & LOOP_WRITE)) return -EAGAIN;
    ssize_t put = s->ops->writev(s, iov, n);
    if (put > 0) s->sent += (size_t)put;
    return put;
}

bool stream_readable(const stream_t *s)
{
    return (s->io.ready & LOOP_READ) || s->ops->pending(s);
}

/* --- with waiting --- */

ssize_t stream_read(stream_t *s, void *p, size_t n, uint64_t timeout_ms)
{
    for (;;) {
        ssize_t got = stream_try_read(s, p, n);
        if (got != -EAGAIN) {
            give_way(got);
            return got;
        }
        int r = wait_for(s, LOOP_READ, timeout_ms);
        if (r < 0) return r;
    }
}

/* Takes n written bytes off the front of the vector. */
static void advance(struct iovec **iov, int *count, size_t n)
{
    while (*count && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++, (*count)--;
    }
    if (!*count) return;
    (*iov)->iov_base = (char *)(*iov)->iov_base + n;
    (*iov)->iov_len -= n;
}

ssize_t stream_writev(stream_t *s, struct iovec *iov, int n, uint64_t timeout_ms)
{
    ssize_t total = 0;
    advance(&iov, &n, 0);
    while (n) {
        ssize_t put = stream_try_writev(s, iov, n < IOV_MOST ? n : IOV_MOST);
        if (put == -EAGAIN) put = wait_for(s, LOOP_WRITE, timeout_ms);
        if (put < 0) return put;
        total += put;
        advance(&iov, &n, (size_t)put);
        give_way(put);
    }
    return total;
}

ssize_t stream_write(stream_t *s, const void *p, size_t n, uint64_t timeout_ms)
{
    struct iovec iov = {(void *)(uintptr_t)p, n};
    return stream_writev(s, &iov, 1, timeout_ms);
}

ssize_t stream_sendfile(stream_t *s, int fd, off_t at, size_t n, uint64_t timeout_ms)
{
    size_t left = n;
    while (left) {
        ssize_t put = -EAGAIN;
        if (s->io.ready & LOOP_WRITE) put = s->ops->sendfile(s, fd, &at, left);
        if (put == 0) return -EIO; /* the file has become shorter */
        if (put == -EAGAIN) put = wait_for(s, LOOP_WRITE, timeout_ms);
        if (put < 0) return put;
        left -= (size_t)put;
        s->sent += (size_t)put;
        give_way(put);
    }
    return (ssize_t)n;
}
