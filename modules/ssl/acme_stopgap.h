/*
 * acme_stopgap: what is shown for the names of an acme_certificate until there is one: a
 * certificate signed with its own key, made by the master. Nothing suspends.
 */
#ifndef MODULES_SSL_ACME_STOPGAP_H
#define MODULES_SSL_ACME_STOPGAP_H

#include "modules/ssl/acme.h"

/* Once for each acme_certificate, however many servers show it. NULL: tls_reason. */
ssl_certificate_t *acme_stopgap_want(acme_certificate_t *c, ssl_store_t *store);

#endif
