/*
 * visit_tls: TLS for the function that serves an origin's connection, by way of memory, so that
 * every byte is the test's. The origin's arg is the directory where leaf.pem and leaf.key are.
 */
#ifndef TESTS_E2E_VISIT_TLS_H
#define TESTS_E2E_VISIT_TLS_H

#include <openssl/ssl.h>

#include "tests/e2e/origin.h"

typedef struct visit_tls {
    visit_t *v;
    SSL_CTX *ctx;
    SSL *ssl;
} visit_tls_t;

/* The handshake; false when it failed. Has to be ended in either case. */
bool visit_tls_begin(visit_tls_t *s, visit_t *v);

/* What comes next, NUL-terminated. */
bool visit_tls_read(visit_tls_t *s, char *out, int n);
void visit_tls_send(visit_tls_t *s, const char *bytes);

/* Sends what `ssl` wants to say. */
void visit_tls_push(visit_tls_t *s);

/* Frees all; with or without a close_notify. */
void visit_tls_end(visit_tls_t *s, bool goodbye);

#endif
