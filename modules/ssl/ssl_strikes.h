/*
 * ssl_strikes: which early data has been taken before, in a zone for all workers.
 *
 * A first message that is sent again is the same to the byte, so it is told by the client's random
 * number (RFC 8446 section 8.2). The time for which one is remembered is longer than OpenSSL takes
 * early data of a ticket's age (section 8.3). When in doubt (no place left; a zone so young that it
 * may not know what was before) the answer is no, and the handshake goes on without early data.
 * Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_STRIKES_H
#define MODULES_SSL_SSL_STRIKES_H

#include <stdint.h>

#include "core/base/str.h"
#include "core/shared/slab.h"

typedef struct ssl_strikes ssl_strikes_t;

enum { SSL_STRIKES_ZONE = 1024 * 1024, SSL_STRIKES_MS = 20000 };

/* zone_t.init; arg is not looked at. */
void *ssl_strikes_init(slab_t *slab, void *arg);

/* True once for each id. keys_ms: since when (clock_ms) the keys of its ticket have been in use. */
bool ssl_strikes_first(ssl_strikes_t *s, str_t id, uint64_t keys_ms, uint64_t now_ms);

#endif
