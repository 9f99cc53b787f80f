/*
 * secure: a client over TLS that chooses what it offers.
 *
 *     secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = "a.test"});
 *     assert_text(secure_ask(s, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), "body");
 *
 * Certificates are not verified. All waiting ends after PATIENCE_MS. Closed when
 * the test ends at the latest.
 */
#ifndef TESTS_E2E_SECURE_H
#define TESTS_E2E_SECURE_H

#include <openssl/ssl.h>

#include "tests/e2e/harness.h"

typedef struct secure_how {
    const char *port;        /* its name */
    const char *name;        /* sent as server name; NULL: none */
    int version;             /* the only one spoken; 0: any */
    const char *ciphers, *groups, *signatures; /* offered; NULL: the usual */
    str_t alpn;              /* "\2h2"; empty: none */
    const char *certificate; /* shown: NAME.pem and NAME.key; NULL: none */
    const char *before;      /* sent before the handshake */
    SSL_SESSION *session;    /* offered; NULL: none */
    str_t early;             /* sent as early data; empty: nothing */
    int (*status)(SSL *ssl, void *arg); /* asks for the certificate's status, is called with it */
    void *status_arg;
    void (*midway)(void);    /* called when the server has begun to answer the handshake */
} secure_how_t;

typedef struct secure {
    SSL *ssl;
    int fd;
    const char *failed;      /* why the handshake failed; NULL: it did not */
    SSL_SESSION *session;    /* the newest that it was given; the test's */
    unsigned sessions;       /* that it was given */
    const char *head;        /* of the last reply */
} secure_t;

secure_t *secure_open(const secure_how_t *how);
void secure_close(secure_t *s);

/* Sends it (if it is not empty) and reads a reply with Content-Length: its body. NULL: the
   connection broke. */
const char *secure_ask(secure_t *s, const char *request);

/* A GET on a connection of its own, which must succeed: the body. */
const char *secure_get(const secure_how_t *how, const char *path);

/* The common name of the server's certificate, and of who has signed it. */
const char *secure_peer(const secure_t *s);
const char *secure_issuer(const secure_t *s);

#endif
