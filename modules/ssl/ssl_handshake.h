/*
 * ssl_handshake: TLS on a client's connection, and what a request over it must be.
 */
#ifndef MODULES_SSL_SSL_HANDSHAKE_H
#define MODULES_SSL_SSL_HANDSHAKE_H

#include "modules/ssl/ssl.h"

/* site_address_t.shake_hands. Suspends. */
bool ssl_handshake(conn_t *c);

/* PHASE_POST_READ: refuses plain HTTP where TLS was to be spoken, and who has not shown what he
   must. */
verdict_t ssl_handshake_check(request_t *r);

#endif
