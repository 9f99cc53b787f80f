/*
 * proxy_identity: contexts of https origins whose requests choose the certificate that is shown
 * (proxy_ssl_certificate with variables), as a worker has made them.
 *
 * As many as PROXY_IDENTITIES are kept, for PROXY_IDENTITY_MS at most, so that files are looked at
 * anew now and then; who was asked for longest ago gives way. A connection holds its context
 * itself, and is only used again for requests that chose the same one. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PROXY_IDENTITY_H
#define MODULES_UPSTREAM_PROXY_IDENTITY_H

#include <openssl/types.h>

#include "core/base/pool.h"

enum { PROXY_IDENTITIES = 64, PROXY_IDENTITY_MS = 60 * 1000 };

typedef struct proxy_identities proxy_identities_t;

/* Lives in the pool, and lets go of all contexts with it. */
proxy_identities_t *proxy_identities_new(pool_t *pool);

/* The context made for this name; NULL: there is none, or it is too old. */
SSL_CTX *proxy_identities_find(proxy_identities_t *all, str_t name);

/* Takes the ctx over. */
void proxy_identities_keep(proxy_identities_t *all, str_t name, SSL_CTX *ctx);

#endif
