/*
 * ssl_verify: certificates of clients: whether one is asked for, and who is let in with it.
 *
 * A handshake does not fail for a certificate: the request over it is refused, so that the client
 * is told why and error_page can help (495, 496).
 */
#ifndef MODULES_SSL_SSL_VERIFY_H
#define MODULES_SSL_SSL_VERIFY_H

#include "modules/ssl/ssl.h"

/* Makes c->made->ctx ask. False: said. */
bool ssl_verify_prepare(conf_t *cf, const ssl_conf_t *c);

/*
 * What goes into a digest that tells sessions with other rules apart: a session that was begun
 * under one set of rules is not taken up under another.
 */
bool ssl_verify_digest(const ssl_conf_t *c, EVP_MD_CTX *digest);

/* Whether the request may be served by the server that Host names, over the connection it came
   on. */
verdict_t ssl_verify_check(request_t *r);

#endif
