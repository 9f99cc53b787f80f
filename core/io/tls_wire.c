#include "core/io/tls_wire.h"

#include <errno.h>
#include <openssl/ssl.h>

#include "core/io/tls_kernel.h"

enum {
    SMALL_ROOM = 4096,
    LARGE_ROOM = 52 * 1024, /* the records of what is written at once (tls.c) */
    OUT_MOST = 4 * LARGE_ROOM,
};

/* What OpenSSL tells the BIO of a socket; since 3.0, these have their numbers in a comment of bio.h
   alone. */
enum { SET_KEYS = 72, SET_NEXT_TYPE = 74 };

static int take_read(tls_wire_t *w, char *p, size_t n, size_t *got)
{
    *got = buf_used(w->read) < n ? buf_used(w->read) : n;
    if (*got) memcpy(p, w->read->pos, *got);
    w->read->pos += *got;
    if (buf_used(w->read)) return 1;
    buf_return(w->read);
    w->read = NULL;
    return 1;
}

static int bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
    tls_wire_t *w = BIO_get_data(bio);
    loop_fd_t *io = &w->stream->io;
    ssize_t r = -1;
    BIO_clear_retry_flags(bio);
    if (w->read && n) return take_read(w, p, n, got);
    errno = EAGAIN;
    if (io->ready & LOOP_READ)
        do r = recv(io->fd, p, n, 0);
        while (r < 0 && errno == EINTR);
    bool later = r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    bool drained = r > 0 && (size_t)r < n && !(io->ready & (LOOP_HUP | LOOP_ERROR));
    if (later || drained) io->ready &= (uint8_t)~LOOP_READ;
    if (later) BIO_set_retry_read(bio);
    else if (r <= 0) w->error = r == 0 ? -ENODATA : -errno;
    *got = r > 0 ? (size_t)r : 0;
    return r > 0;
}

/* Records of two types are not sent by one call. */
static bool fits(tls_wire_t *w)
{
    if (w->out && w->next != w->type) tls_wire_flush(w);
    return !w->out || (w->next == w->type && buf_used(w->out) <= OUT_MOST);
}

/* Takes what comes: its way out is tls_wire_flush's business. A peer that asks for answers (key
   updates) and does not read them is not put up with for long. */
static int bio_write(BIO *bio, const char *p, size_t n, size_t *put)
{
    tls_wire_t *w = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!fits(w)) {
        w->error = -ENOBUFS;
        return 0;
    }
    w->type = w->next;
    w->next = w->kernel ? SSL3_RT_APPLICATION_DATA : 0;
    if (!w->out) w->out = buf_take(n > SMALL_ROOM ? n : SMALL_ROOM);
    if (buf_room(w->out) < n) {
        size_t needed = buf_used(w->out) + n;
        w->out = buf_grow(w->out, needed > LARGE_ROOM ? needed : LARGE_ROOM);
    }
    buf_put(w->out, str_make(p, n));
    *put = n;
    return 1;
}

/*
 * What was gathered before must be out: it is records already. Answers to early data would have to
 * be gathered along with handshake messages, so connections with some keep their keys.
 */
static bool hand_over(tls_wire_t *w, const void *keys)
{
    if (SSL_get_early_data_status(w->ssl) == SSL_EARLY_DATA_ACCEPTED) return false;
    w->kernel = tls_wire_flush(w) == 0 && tls_kernel_take(w->stream->io.fd, keys);
    if (w->kernel) w->next = SSL3_RT_APPLICATION_DATA;
    return w->kernel;
}

static long bio_ctrl(BIO *bio, int what, long number, void *p)
{
    tls_wire_t *w = BIO_get_data(bio);
    switch (what) {
    case BIO_CTRL_FLUSH: return 1;
    case SET_KEYS: return number && hand_over(w, p); /* 0: of what is received */
    case BIO_CTRL_GET_KTLS_SEND: return w->kernel;
    case SET_NEXT_TYPE: w->next = (unsigned char)number; return 1;
    default: return 0;
    }
}

/* The method is one for the process. */
void tls_wire_attach(tls_wire_t *w, SSL *ssl)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (!method) panic("out of memory: TLS");
        BIO_meth_set_read_ex(method, bio_read);
        BIO_meth_set_write_ex(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    BIO *bio = BIO_new(method);
    if (!bio) panic("out of memory: TLS");
    BIO_set_data(bio, w);
    BIO_set_init(bio, 1);
    w->ssl = ssl;
    SSL_set_bio(ssl, bio, bio);
}

static ssize_t send_out(const tls_wire_t *w)
{
    const stream_t *s = w->stream;
    size_t n = buf_used(w->out);
    if (w->kernel) return tls_kernel_send(s->io.fd, w->type, w->out->pos, n);
    return send(s->io.fd, w->out->pos, n, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
}

int tls_wire_flush(tls_wire_t *w)
{
    stream_t *s = w->stream;
    while (w->out) {
        if (!(s->io.ready & LOOP_WRITE)) return -EAGAIN;
        ssize_t put = send_out(w);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
        if (put < 0) {
            s->io.ready &= (uint8_t)~LOOP_WRITE;
            return -EAGAIN;
        }
        w->out->pos += put;
        if (buf_used(w->out)) continue;
        buf_return(w->out);
        w->out = NULL;
    }
    return 0;
}

void tls_wire_drop(tls_wire_t *w)
{
    buf_return(w->read);
    buf_return(w->out);
    w->read = w->out = NULL;
}
