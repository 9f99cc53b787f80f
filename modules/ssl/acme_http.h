/*
 * acme_http: one exchange with an authority: a request out, an answer in, each on a connection of
 * its own, over TLS with the authority verified.
 *
 * Everything that comes is bounded: head, body, the time that it takes in all.
 */
#ifndef MODULES_SSL_ACME_HTTP_H
#define MODULES_SSL_ACME_HTTP_H

#include "modules/ssl/acme.h"

enum { ACME_HTTP_URL_MOST = 1024, ACME_HTTP_BODY_MOST = 256 * 1024 };

/* Where a URL leads. */
typedef struct acme_url {
    bool tls;
    str_t host;   /* a name, or an address; [::1] with its brackets */
    uint16_t port;
    str_t authority, target; /* "ca.test:14000", "/dir?a" */
} acme_url_t;

/*
 * Takes a URL apart: https, or with `loopback` http to this very machine; nothing in it that would
 * have to be escaped in JSON. False: it is none of these.
 */
bool acme_http_url(str_t url, bool loopback, acme_url_t *out);

/* Whether the URL is http of this machine. */
bool acme_http_is_loopback(const acme_url_t *url);

typedef struct acme_reply {
    unsigned status;
    str_t nonce, location, retry_after; /* of the fields; empty: none */
    str_t body;
} acme_reply_t;

/* body.p NULL: none. NULL when there is an answer, whatever its status; else why there is none, in
   the pool. Suspends. */
const char *acme_http_ask(const acme_issuer_t *issuer, pool_t *pool, const char *method, str_t url,
                          str_t body, acme_reply_t *out);

#endif
