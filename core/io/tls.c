#include "core/io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/io/tls_kernel.h"
#include "core/io/tls_session.h"
#include "core/io/tls_wire.h"

enum {
    RECORD = SSL3_RT_MAX_PLAIN_LENGTH,
    BATCH = 3 * RECORD,              /* plain text of one write: its records fill a buffer of 64k */
    RECORD_COST = 64,                /* more than a record adds to its plain text */
    EAGER_RECORD = 1369,             /* with that, a packet on any path */
    EAGER_RECORDS = 10,
    PAUSE_MS = 1000,
    FILE_MOST = 1024 * 1024,         /* that the kernel encrypts by one call, before others run */
};

typedef struct tls {
    SSL *ssl;
    tls_wire_t wire;
    buf_t *early;    /* of a server: plain text that came with the first message; NULL: none */
    bool hasty;      /* more of it may come: it is read by a call of its own */
    size_t accepted; /* plain text in wire.out that its writer was told to offer again */
    unsigned eager;  /* small records that are still to be sent */
    uint64_t wrote_ms;
    int error;       /* what ended the connection, said to every later read */
    str_t name, peer; /* of a client; behind this struct */
} tls_t;

/* --- the stream's operations --- */

/* What a call that did not succeed means: -EAGAIN, 0 at the end, or an error that stays. */
static int failed(tls_t *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ: return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: t->error = t->wire.error ? t->wire.error : -EIO; break;
    default: t->error = -EPROTO; break;
    }
    return t->error;
}

static int take_early(tls_t *t, char *p, size_t n, size_t *got)
{
    *got = buf_used(t->early) < n ? buf_used(t->early) : n;
    memcpy(p, t->early->pos, *got);
    t->early->pos += *got;
    if (buf_used(t->early)) return 1;
    buf_return(t->early);
    t->early = NULL;
    return 1;
}

/* Plain text by whichever call gives it at present; as SSL_read_ex. */
static int read_plain(tls_t *t, char *p, size_t n, size_t *got)
{
    if (t->early) return take_early(t, p, n, got);
    if (t->hasty) {
        int r = SSL_read_early_data(t->ssl, p, n, got);
        if (r != SSL_READ_EARLY_DATA_FINISH) return r == SSL_READ_EARLY_DATA_SUCCESS;
        t->hasty = false; /* the rest of the handshake is read with what follows */
    }
    return SSL_read_ex(t->ssl, p, n, got);
}

static ssize_t tls_read(stream_t *s, void *p, size_t n)
{
    tls_t *t = s->transport;
    size_t total = 0, got;
    int r = t->error;
    if (r) return r;
    ERR_clear_error();
    do {
        r = read_plain(t, (char *)p + total, n - total, &got);
        if (r > 0) total += got;
    } while (r > 0 && total < n && SSL_has_pending(t->ssl));
    if (r <= 0) r = failed(t, r);
    /* An alert, or the answer to a key update; the rest goes with a write. */
    if (t->wire.out) tls_wire_flush(&t->wire);
    return total ? (ssize_t)total : r;
}

/* The plain text of the last batch, when it is on its way at last; 0: there was none. */
static ssize_t finish_batch(tls_t *t)
{
    int r = tls_wire_flush(&t->wire);
    if (r < 0) return r;
    size_t n = t->accepted;
    t->accepted = 0;
    return (ssize_t)n;
}

/*
 * A server's first records after a pause fit a packet each, up to what a fresh connection may have
 * in flight (RFC 6928), so that a client can use the first packet without waiting for the others.
 */
static size_t record_size(const tls_t *t)
{
    return t->eager ? EAGER_RECORD : RECORD;
}

static void begin_batch(tls_t *t, size_t size)
{
    if (SSL_is_server(t->ssl) && clock_ms() - t->wrote_ms >= PAUSE_MS) t->eager = EAGER_RECORDS;
    t->wrote_ms = clock_ms();
    size_t most = size < BATCH ? size : BATCH;
    if (size && !t->wire.out)
        t->wire.out = buf_take(most + (most / EAGER_RECORD + 1) * RECORD_COST);
}

/* The next record's plain text: from one piece as it lies, from several by way of `scratch`. */
static str_t next_record(const struct iovec *iov, int n, size_t skip, size_t most, char *scratch)
{
    size_t have = 0;
    while (n && skip >= iov->iov_len) skip -= iov->iov_len, iov++, n--;
    if (n == 0) return (str_t){NULL, 0};
    size_t first = iov->iov_len - skip;
    if (first >= most || n == 1)
        return str_make((char *)iov->iov_base + skip, first < most ? first : most);
    for (; n && have < most; iov++, n--, skip = 0) {
        size_t piece = iov->iov_len - skip;
        if (piece > most - have) piece = most - have;
        if (piece) memcpy(scratch + have, (char *)iov->iov_base + skip, piece);
        have += piece;
    }
    return str_make(scratch, have);
}

static size_t size_of(const struct iovec *iov, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++) size += iov[i].iov_len;
    return size;
}

/* A server may answer early data before the handshake is over. */
static int write_plain(tls_t *t, str_t text, size_t *put)
{
    return SSL_is_init_finished(t->ssl) ? SSL_write_ex(t->ssl, text.p, text.n, put)
                                        : SSL_write_early_data(t->ssl, text.p, text.n, put);
}

/* As many records as a batch has; the plain text in them, or an error. */
static ssize_t encrypt(tls_t *t, const struct iovec *iov, int n)
{
    static char scratch[RECORD]; /* nothing suspends here */
    size_t total = 0, put;
    ERR_clear_error();
    begin_batch(t, size_of(iov, n));
    while (total < BATCH) {
        str_t record = next_record(iov, n, total, record_size(t), scratch);
        if (record.n == 0) break;
        int r = write_plain(t, record, &put);
        if (r <= 0) {
            r = failed(t, r);
            return t->error = r == -EAGAIN || r == 0 ? -EPIPE : r;
        }
        if (t->eager) t->eager--;
        total += put;
    }
    return (ssize_t)total;
}

/* The kernel keeps the keys it has: a peer that asked for new ones (RFC 8446 4.6.3) must not be
   sent more with the old. */
static int may_write(tls_t *t)
{
    if (!t->error && t->wire.kernel && SSL_get_key_update_type(t->ssl) != SSL_KEY_UPDATE_NONE)
        t->error = -EKEYEXPIRED;
    return t->error == -ENODATA ? -EPIPE : t->error;
}

static ssize_t tls_writev(stream_t *s, const struct iovec *iov, int n)
{
    tls_t *t = s->transport;
    ssize_t r = finish_batch(t);
    if (r == 0) r = may_write(t);
    if (r != 0) return r;
    if (t->wire.kernel) return stream_socket_ops.writev(s, iov, n);
    ssize_t put = encrypt(t, iov, n);
    if (put <= 0) return put;
    r = tls_wire_flush(&t->wire);
    if (r == -EAGAIN) t->accepted = (size_t)put;
    return r < 0 ? r : put;
}

static ssize_t tls_sendfile(stream_t *s, int fd, off_t *at, size_t n)
{
    static char scratch[BATCH];
    tls_t *t = s->transport;
    struct iovec iov = {.iov_base = scratch};
    ssize_t got, put = finish_batch(t);
    if (put == 0 && t->wire.kernel) {
        put = may_write(t);
        return put < 0 ? put : stream_socket_ops.sendfile(s, fd, at, n < FILE_MOST ? n : FILE_MOST);
    }
    if (put == 0) {
        do got = pread(fd, scratch, n < BATCH ? n : BATCH, *at);
        while (got < 0 && errno == EINTR);
        if (got <= 0) return got < 0 ? -errno : 0;
        iov.iov_len = (size_t)got;
        put = tls_writev(s, &iov, 1);
    }
    if (put > 0) *at += put;
    return put;
}

static bool tls_pending(const stream_t *s)
{
    const tls_t *t = s->transport;
    return t->error || t->wire.read || t->early || SSL_has_pending(t->ssl) ||
           SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN; /* read with the data */
}

static void say_goodbye(tls_t *t)
{
    ERR_clear_error();
    if (t->error || !SSL_is_init_finished(t->ssl)) return;
    SSL_shutdown(t->ssl);
    t->wire.stream->more = false;
    tls_wire_flush(&t->wire);
}

static bool is_settled(const tls_t *t)
{
    return !t->wire.kernel || tls_kernel_settled(t->wire.stream->io.fd);
}

static void tls_shutdown(stream_t *s)
{
    tls_t *t = s->transport;
    say_goodbye(t);
    if (!t->wire.out && is_settled(t)) shutdown(s->io.fd, SHUT_WR);
}

static void tls_close(stream_t *s, bool reset)
{
    tls_t *t = s->transport;
    if (!reset) say_goodbye(t);
    if (!reset && !t->error && !is_settled(t)) {
        loop_remove(&s->io);
        tls_kernel_linger(s->io.fd);
    }
    SSL_free(t->ssl);
    buf_return(t->early);
    tls_wire_drop(&t->wire);
    free(t);
    s->transport = NULL;
    ERR_clear_error();
}

static const stream_ops_t tls_ops = {
    .read = tls_read,
    .writev = tls_writev,
    .sendfile = tls_sendfile,
    .pending = tls_pending,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

/* --- shaking hands --- */

static tls_t *start(stream_t *s, SSL_CTX *ctx, str_t name, str_t peer)
{
    tls_t *t = calloc(1, sizeof(*t) + name.n + peer.n + 1);
    SSL *ssl = SSL_new(ctx);
    if (!t || !ssl) panic("out of memory: TLS connection");
    char *text = (char *)(t + 1);
    if (name.n) memcpy(text, name.p, name.n); /* a NUL follows: OpenSSL takes it as it is */
    t->name = str_make(text, name.n);
    text += name.n + 1;
    if (peer.n) memcpy(text, peer.p, peer.n);
    t->peer = str_make(text, peer.n);
    t->ssl = ssl;
    t->wire.stream = s;
    tls_wire_attach(&t->wire, ssl);
    SSL_set_app_data(ssl, t);
    SSL_set_read_ahead(ssl, 1);
    s->transport = t;
    s->ops = &tls_ops;
    return t;
}

void tls_reason(char *out, size_t n)
{
    unsigned long code;
    const char *data;
    int flags;
    size_t at = 0;
    if (n) out[0] = '\0';
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags))) {
        char one[160];
        bool said = flags & ERR_TXT_STRING && *data;
        ERR_error_string_n(code, one, sizeof(one));
        int more = snprintf(out + at, n - at, "%s%s%s%s", at ? " " : "SSL: ", one, said ? ":" : "",
                            said ? data : "");
        at += (size_t)more < n - at ? (size_t)more : n - at - 1;
    }
}

static int explain(tls_t *t, int err, tls_failure_t *why)
{
    long verdict = SSL_get_verify_result(t->ssl);
    tls_wire_flush(&t->wire); /* the alert */
    if (err == -EPROTO && verdict != X509_V_OK && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE) {
        why->verify = verdict;
        err = -EKEYREJECTED;
    }
    tls_reason(why->text, sizeof(why->text));
    t->error = err;
    return err;
}

/* As SSL_do_handshake; early data counts as its end: the rest comes with what is read. */
static int shake_once(tls_t *t)
{
    size_t got = 0;
    if (!t->hasty) return SSL_do_handshake(t->ssl);
    t->early = buf_take(RECORD);
    int r = SSL_read_early_data(t->ssl, t->early->last, buf_room(t->early), &got);
    t->early->last += got;
    if (got == 0) {
        buf_return(t->early);
        t->early = NULL;
    }
    t->hasty = r != SSL_READ_EARLY_DATA_FINISH;
    return t->hasty ? r == SSL_READ_EARLY_DATA_SUCCESS : SSL_do_handshake(t->ssl);
}

static int shake_hands(tls_t *t, uint64_t timeout_ms, tls_failure_t *why)
{
    uint64_t until = clock_ms() + timeout_ms;
    *why = (tls_failure_t){.verify = 0};
    for (;;) {
        ERR_clear_error();
        int r = shake_once(t), err = 0;
        bool over = r == 1;
        if (!over && (err = failed(t, r)) != -EAGAIN)
            return explain(t, err ? err : -ENODATA, why); /* 0: it said goodbye */
        err = tls_wire_flush(&t->wire);
        if (err < 0 && err != -EAGAIN) return t->error = err;
        if (over && err == 0) return 0;
        uint64_t now = clock_ms();
        if (now >= until) return -ETIMEDOUT;
        err = loop_wait(&t->wire.stream->io, err == -EAGAIN ? LOOP_WRITE : LOOP_READ, until - now);
        if (err < 0) return err;
    }
}

static bool is_address(str_t name, net_addr_t *addr)
{
    return net_parse(name, 1, addr) && addr->sa.sa_family != AF_UNIX;
}

/* True unless there is nothing to compare a certificate with. */
static bool expect_name(SSL *ssl, const tls_t *t)
{
    net_addr_t addr;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (t->name.n == 0) return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (!is_address(t->name, &addr))
        return X509_VERIFY_PARAM_set1_host(param, t->name.p, t->name.n);
    str_t bytes = net_bytes(&addr);
    return X509_VERIFY_PARAM_set1_ip(param, (const unsigned char *)bytes.p, bytes.n);
}

static void offer_protocol(SSL *ssl, str_t protocol)
{
    unsigned char list[256];
    if (!protocol.n || protocol.n >= sizeof(list)) return;
    list[0] = (unsigned char)protocol.n;
    memcpy(list + 1, protocol.p, protocol.n);
    if (SSL_set_alpn_protos(ssl, list, (unsigned)protocol.n + 1)) panic("out of memory: TLS");
}

static bool has_agreed(SSL *ssl, str_t protocol)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &p, &n);
    return !protocol.n || str_eq(str_make((const char *)p, n), protocol);
}

int tls_connect(stream_t *s, const tls_client_t *how, uint64_t timeout_ms, tls_failure_t *why)
{
    net_addr_t addr;
    tls_t *t = start(s, how->ctx, how->name, how->peer);
    SSL_set_connect_state(t->ssl);
    if (how->send_name && t->name.n && !is_address(t->name, &addr))
        SSL_set_tlsext_host_name(t->ssl, t->name.p);
    if (how->verify && !expect_name(t->ssl, t)) {
        *why = (tls_failure_t){.verify = X509_V_ERR_HOSTNAME_MISMATCH};
        return t->error = -EKEYREJECTED;
    }
    offer_protocol(t->ssl, how->protocol);
    tls_session_offer(t->ssl, t->peer, t->name);
    int err = shake_hands(t, timeout_ms, why);
    if (err == 0 && !has_agreed(t->ssl, how->protocol)) err = t->error = -EPROTONOSUPPORT;
    return err;
}

int tls_accept(stream_t *s, SSL_CTX *ctx, buf_t *read, uint64_t timeout_ms, tls_failure_t *why)
{
    tls_t *t = start(s, ctx, STR(""), STR(""));
    if (read && buf_used(read)) t->wire.read = read;
    else buf_return(read);
    SSL_set_accept_state(t->ssl);
    t->hasty = SSL_get_max_early_data(t->ssl) > 0;
    return shake_hands(t, timeout_ms, why);
}

/* --- sessions --- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const tls_t *t = SSL_get_app_data(ssl);
    tls_session_keep(SSL_get_SSL_CTX(ssl), t->peer, t->name, session);
    return 1; /* it is the store's now */
}

void tls_reuse_sessions(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

/* --- questions --- */

stream_t *tls_stream(const SSL *ssl)
{
    return ((const tls_t *)SSL_get_app_data(ssl))->wire.stream;
}

SSL *tls_ssl(const stream_t *s)
{
    return s->ops == &tls_ops ? ((const tls_t *)s->transport)->ssl : NULL;
}

bool tls_serves(const stream_t *s, const SSL_CTX *ctx, str_t name)
{
    const tls_t *t = s->transport;
    return s->ops == &tls_ops && SSL_get_SSL_CTX(t->ssl) == ctx && str_eq(t->name, name);
}
