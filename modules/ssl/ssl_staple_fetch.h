/*
 * ssl_staple_fetch: the process that asks responders for the status of certificates (RFC 6960 A.1).
 *
 * One for all workers; what it learns goes into the zone (ssl_staples.h), so that also the workers
 * after a reload have it. A responder is asked again when half of the time is over that its answer
 * holds, and, while it gives no good one, after a while that grows. What is there is shown
 * meanwhile, until it runs out; when the certificate is said to be revoked it is not.
 */
#ifndef MODULES_SSL_SSL_STAPLE_FETCH_H
#define MODULES_SSL_SSL_STAPLE_FETCH_H

#include "modules/ssl/ssl_stapling.h"

/* When the http block has been read: the zone and the process, if there is something to ask. False:
   said. */
bool ssl_staple_fetch_want(conf_t *cf, ssl_store_t *store);

/* A certificate has been replaced. In any process. */
void ssl_staple_fetch_wake(void);

/* When to ask again: for an answer that holds until then; after so many failures in a row. */
time_t ssl_staple_fetch_again(time_t now, time_t until);
time_t ssl_staple_fetch_retry(time_t now, unsigned failures);

#endif
