/*
 * ends: two ends of TLS over a TCP connection with small buffers, each with a fiber of its own;
 * `left` is the client. A root has signed an issuer, who has signed the server's certificate, for
 * origin.test, *.wild.test and 127.0.0.1.
 */
#ifndef TESTS_UNIT_IO_ENDS_H
#define TESTS_UNIT_IO_ENDS_H

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "core/io/tls.h"

enum { ENDS_LARGE = 3000000, ENDS_LONG_MS = 60000 };

typedef struct ends_identity {
    X509 *cert;
    EVP_PKEY *key;
} ends_identity_t;

typedef struct ends {
    stream_t left, right;
    SSL_CTX *client_ctx, *server_ctx;
    ends_identity_t root, issuer, leaf;
    tls_client_t how;
    tls_failure_t left_why, right_why;
    int left_result, right_result; /* of the handshake */
    ssize_t result;                /* of reading and writing */
    int running;                   /* fibers */
    char *large, bytes[64];        /* ENDS_LARGE; what ends_read_left has read */
} ends_t;

extern ends_t ends;

/* Around a test. */
void ends_begin(void);
void ends_end(void);

/* Connects them (anew). */
void ends_connect(void);

/* Runs these in fibers (NULL: none) until they are over. */
void ends_run(void (*a)(void *), void (*b)(void *));

#define ENDS_FIBER(name, body) \
    void name(void *arg) \
    { \
        (void)arg; \
        body; \
        ends.running--; \
    }

void ends_shake_left(void *arg);
void ends_shake_right(void *arg);
void ends_read_left(void *arg);

/* Both of them, which must go well. */
void ends_shake_hands(void);

#endif
