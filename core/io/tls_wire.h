/*
 * tls_wire: a socket as OpenSSL sees it. A BIO reads from it as long as the stream remembers it
 * readable, and gathers what is to be sent until tls_wire_flush. Nothing suspends.
 */
#ifndef CORE_IO_TLS_WIRE_H
#define CORE_IO_TLS_WIRE_H

#include <openssl/bio.h>

#include "core/base/buf.h"
#include "core/io/stream.h"

typedef struct tls_wire {
    stream_t *stream;
    buf_t *read; /* was read from the socket before it was known to be TLS; NULL: nothing */
    buf_t *out;  /* records on their way to the kernel; NULL: none */
    int error;   /* of the socket, negative errno */
} tls_wire_t;

/* For both directions; freed by OpenSSL, before the wire. */
BIO *tls_wire_bio(tls_wire_t *w);

/* Sends what has been gathered. 0 when all is out, -EAGAIN, or an error. */
int tls_wire_flush(tls_wire_t *w);

/* Gives its buffers back. */
void tls_wire_drop(tls_wire_t *w);

#endif
