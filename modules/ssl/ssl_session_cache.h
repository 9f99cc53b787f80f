/*
 * ssl_session_cache: sessions of clients in a zone, for all workers, whichever one a client comes
 * back to.
 *
 * A table whose places each have a block of the zone's slab. A place is filled and emptied by the
 * store of its block's address alone, last when it is filled and first when it is emptied, so what
 * a killed worker leaves is in order; at most one block is lost. When the zone is full, the oldest
 * of those that would be found in the same place go, then others in turn. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_SESSION_CACHE_H
#define MODULES_SSL_SSL_SESSION_CACHE_H

#include <stdint.h>

#include "core/base/str.h"
#include "core/shared/slab.h"

typedef struct ssl_session_cache ssl_session_cache_t;

enum { SSL_SESSION_ID_MAX = 32, SSL_SESSION_SIZE_MAX = 8192 };

/* zone_t.init; arg is the zone's size (size_t). */
void *ssl_session_cache_init(slab_t *slab, void *arg);

/* Keeps a copy until then (seconds, as `now`). What does not fit is not kept. */
void ssl_session_cache_put(ssl_session_cache_t *c, str_t id, str_t session, uint64_t now,
                           uint64_t until);

/* Copies it to out (SSL_SESSION_SIZE_MAX bytes). Its length; 0: there is none. */
size_t ssl_session_cache_get(ssl_session_cache_t *c, str_t id, uint64_t now, char *out);

void ssl_session_cache_remove(ssl_session_cache_t *c, str_t id);

#endif
