/*
 * stream: bytes to and from a peer with a deadline on every wait: a socket, or TLS over one.
 *
 * Owned by whoever made it (a connection, an exchange); closed exactly once. All calls but the
 * stream_try_ ones may suspend. A timeout is the longest wait without progress, in milliseconds.
 * Errors are negative errno: -ETIMEDOUT, -ECONNRESET, -EPIPE, a cancellation's reason. Short reads
 * tell that the socket is drained, so the next read waits for an event instead of asking the
 * kernel.
 */
#ifndef CORE_IO_STREAM_H
#define CORE_IO_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "core/io/loop.h"
#include "core/io/net.h"

typedef struct stream stream_t;

/* What a transport does; none of these suspends. -EAGAIN: not now, and io.ready has been
   cleared. */
typedef struct stream_ops {
    ssize_t (*read)(stream_t *s, void *p, size_t n);
    ssize_t (*writev)(stream_t *s, const struct iovec *iov, int n);
    ssize_t (*sendfile)(stream_t *s, int fd, off_t *at, size_t n);
    bool (*pending)(const stream_t *s); /* bytes buffered inside the transport */
    void (*shutdown)(stream_t *s);
    void (*close)(stream_t *s, bool reset); /* frees the transport; NULL: there is none */
} stream_ops_t;

extern const stream_ops_t stream_socket_ops; /* of a plain socket */

struct stream {
    loop_fd_t io;
    const stream_ops_t *ops;
    void *transport;            /* of ops (tls.c); NULL for a plain socket */
    void *keeper;               /* of whoever has set io.on_ready */
    uint64_t received, sent;    /* bytes, as seen above the transport */
    bool more;                  /* more is written at once: a short segment may wait (MSG_MORE) */
};

/* Takes over fd (a connected, non-blocking socket) and registers it. 0 or negative errno (fd kept
   open). */
int stream_open(stream_t *s, int fd);

/*
 * Connects to `to`, bound to `from` (may be NULL). 0 or negative errno; on failure nothing is left
 * open. Suspends.
 */
int stream_connect(stream_t *s, const net_addr_t *to, const net_addr_t *from, uint64_t timeout_ms);

/* At least one byte, 0 at the end of the stream, or an error. */
ssize_t stream_read(stream_t *s, void *p, size_t n, uint64_t timeout_ms);

/* All of it, or an error. stream_writev may change iov. Returns the sum or an error. */
ssize_t stream_write(stream_t *s, const void *p, size_t n, uint64_t timeout_ms);
ssize_t stream_writev(stream_t *s, struct iovec *iov, int n, uint64_t timeout_ms);

/* n bytes of file fd from offset `at`; -EIO when the file ends before. */
ssize_t stream_sendfile(stream_t *s, int fd, off_t at, size_t n, uint64_t timeout_ms);

/* Without waiting: bytes, 0 at the end (read), -EAGAIN, or an error. */
ssize_t stream_try_read(stream_t *s, void *p, size_t n);
ssize_t stream_try_writev(stream_t *s, const struct iovec *iov, int n);

/* Whether a read would find something without asking the kernel: a remembered event, or TLS
   bytes. */
bool stream_readable(const stream_t *s);

/* Sends the end of the stream and keeps reading possible. */
void stream_shutdown(stream_t *s);

/* Closes; with reset, unsent data is dropped and the peer sees a reset. A closed stream:
   nothing. */
void stream_close(stream_t *s, bool reset);

static inline bool stream_is_open(const stream_t *s)
{
    return s->ops != NULL;
}

#endif
