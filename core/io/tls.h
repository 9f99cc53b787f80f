/*
 * tls: the same stream over OpenSSL, for either side.
 *
 *     stream_connect(s, ...); tls_connect(s, &how, timeout, &why); stream_read(s, ...) ...
 *
 * OpenSSL never touches the socket: a BIO reads from it as long as the stream remembers it
 * readable, and gathers what is to be sent, so that a batch of records is one write. Pieces of a
 * vector share records. What the kernel did not take is kept, and its plain text counts as written
 * only when it has gone: whoever got -EAGAIN offers the same bytes again (as stream_write does).
 *
 * A server's records are small after a pause, then full.
 *
 * An end without close_notify is an error (-ENODATA), not an end: only the message's own framing
 * can tell whether it was whole. Idle connections hold no buffers. Only tls_connect and tls_accept
 * suspend. Owned by the stream: stream_close says close_notify and frees all.
 */
#ifndef CORE_IO_TLS_H
#define CORE_IO_TLS_H

#include <openssl/types.h>

#include "core/base/buf.h"
#include "core/io/stream.h"

/* What a handshake failed of. */
typedef struct tls_failure {
    long verify;    /* X509_V_ERR_...: the peer's certificate; 0: it was not that */
    char text[256]; /* "SSL: error:0A00010B:SSL routines::wrong version number"; may be empty */
} tls_failure_t;

/* A connection as client. ctx and the strings need to live through tls_connect alone. */
typedef struct tls_client {
    SSL_CTX *ctx;
    str_t name;     /* whom the certificate must name: a host, or an address */
    str_t peer;     /* the address in text: sessions are kept per ctx, peer and name */
    str_t protocol; /* to be agreed on (ALPN, RFC 7301), at most 255 bytes; empty: none offered */
    bool send_name; /* as server name (RFC 6066; addresses are never sent) */
    bool verify;    /* the chain against the ctx's trust, and the name */
} tls_client_t;

/*
 * Puts TLS over an open stream and shakes hands, within timeout_ms in all. 0 or
 *
 *     -EPROTO        it failed: *why
 *     -EPROTONOSUPPORT  the protocol was not agreed on
 *     -EKEYREJECTED  the peer's certificate is not to be trusted: why->verify
 *     -ENODATA       the peer closed
 *     -ETIMEDOUT, -ECONNRESET ..., a cancellation's reason
 *
 * After a failure the stream is good for stream_close alone.
 */
int tls_connect(stream_t *s, const tls_client_t *how, uint64_t timeout_ms, tls_failure_t *why);

/*
 * The same as server. `read` (may be NULL) is taken over: what has been read from the socket
 * already. When the ctx takes early data (RFC 8446 2.3) and the client sends some, the handshake is
 * not over yet: SSL_is_init_finished tells, and reading completes it.
 */
int tls_accept(stream_t *s, SSL_CTX *ctx, buf_t *read, uint64_t timeout_ms, tls_failure_t *why);

/* Lets clients of the ctx take up the sessions of their earlier connections (tls_session.h). */
void tls_reuse_sessions(SSL_CTX *ctx);

/* Whether the stream was made by a tls_connect of the same ctx and name. */
bool tls_serves(const stream_t *s, const SSL_CTX *ctx, str_t name);

/* The connection's SSL, for what there is to ask of it; NULL: not over TLS. */
SSL *tls_ssl(const stream_t *s);

/* The stream that an SSL of ours belongs to (SSL_get_app_data is taken). */
stream_t *tls_stream(const SSL *ssl);

/* What OpenSSL has to say of the last failure: "SSL: error:...", with a NUL; empties its queue. */
void tls_reason(char *out, size_t n);

#endif
