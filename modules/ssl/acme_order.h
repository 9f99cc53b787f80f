/*
 * acme_order: a certificate, from the order to the download (RFC 8555 7.4, 7.5).
 *
 * One authorization after the other: the challenge in work stands on the board, where all workers
 * see it. Suspends.
 */
#ifndef MODULES_SSL_ACME_ORDER_H
#define MODULES_SSL_ACME_ORDER_H

#include "modules/ssl/acme_session.h"

/* NULL and the new certificate with its key and chain, the caller's to clear; or what has
   failed. */
const char *acme_order_run(acme_session_t *s, const acme_certificate_t *c, tls_identity_t *out);

#endif
