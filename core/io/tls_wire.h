/*
 * tls_wire: a socket as OpenSSL sees it. A BIO reads from it as long as the stream remembers it
 * readable, and gathers what is to be sent until tls_wire_flush. Nothing suspends.
 *
 * When OpenSSL offers the keys of what is sent (SSL_OP_ENABLE_KTLS) and the kernel takes them, it
 * is the plain text of alerts and handshake messages that is gathered from then on, and data is to
 * be written to the socket as it is, with nothing gathered before it.
 */
#ifndef CORE_IO_TLS_WIRE_H
#define CORE_IO_TLS_WIRE_H

#include <openssl/bio.h>
#include <openssl/types.h>

#include "core/base/buf.h"
#include "core/io/stream.h"

typedef struct tls_wire {
    stream_t *stream;
    SSL *ssl;    /* whose wire it is */
    buf_t *read; /* was read from the socket before it was known to be TLS; NULL: nothing */
    buf_t *out;  /* records on their way to the kernel; NULL: none */
    int error;   /* of the socket, negative errno */
    bool kernel; /* makes the records (tls_kernel.h) */
    unsigned char next, type; /* then: the record type of what is written next, and of what is in
                                 out */
} tls_wire_t;

/* Gives the SSL its BIO, for both directions; freed by OpenSSL, before the wire. */
void tls_wire_attach(tls_wire_t *w, SSL *ssl);

/* Sends what has been gathered. 0 when all is out, -EAGAIN, or an error. */
int tls_wire_flush(tls_wire_t *w);

/* Gives its buffers back. */
void tls_wire_drop(tls_wire_t *w);

#endif
