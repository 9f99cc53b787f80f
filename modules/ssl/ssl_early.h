/*
 * ssl_early: requests that come with a client's first message (RFC 8446 section 2.3, RFC 8470).
 *
 * What comes so may be sent again by somebody else. Each first message is therefore taken once
 * (ssl_strikes.h), requests that are not safe are answered 425, and the others are passed on with
 * Early-Data: 1, so that an origin can refuse them, too. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_EARLY_H
#define MODULES_SSL_SSL_EARLY_H

#include "modules/ssl/ssl.h"

/* When the struct says so: c->made->ctx takes early data. False: said. */
bool ssl_early_prepare(conf_t *cf, const ssl_conf_t *c);

/* Of a connection that takes this server's place (ssl_adopt). */
void ssl_early_adopt(SSL *ssl, const ssl_conf_t *c);

/* Of a request over a connection whose handshake may not be over. */
verdict_t ssl_early_check(request_t *r, const SSL *ssl);

#endif
