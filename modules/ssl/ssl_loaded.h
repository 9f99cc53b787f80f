/*
 * ssl_loaded: certificates that were read when they were asked for (ssl_certificate_cache).
 *
 * One for each directive, in the configuration's pool and freed with it; what it holds is the
 * worker's own. It never holds more than `most`: the one that has not been used for longest makes
 * room. Finding one costs the same however many there are. Times are those of clock_ms. Nothing
 * suspends.
 */
#ifndef MODULES_SSL_SSL_LOADED_H
#define MODULES_SSL_SSL_LOADED_H

#include "core/config/value.h"
#include "core/io/tls_identity.h"

typedef struct ssl_loaded ssl_loaded_t;

typedef struct ssl_loaded_limits {
    unsigned most;    /* not 0 */
    msec_t valid;     /* what was read longer ago is read again */
    msec_t inactive;  /* what has not been asked for in that time makes room */
} ssl_loaded_limits_t;

ssl_loaded_t *ssl_loaded_new(pool_t *pool, ssl_loaded_limits_t limits);

/* The one under this name; NULL: there is none, or it has been there for too long. Good until the
   next call. */
const tls_identity_t *ssl_loaded_find(ssl_loaded_t *l, str_t name, uint64_t now);

/* Takes over what is in *id, in place of what was under the name; the name is copied. */
void ssl_loaded_keep(ssl_loaded_t *l, str_t name, const tls_identity_t *id, uint64_t now);

unsigned ssl_loaded_count(const ssl_loaded_t *l);

#endif
