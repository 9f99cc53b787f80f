/*
 * ssl_dynamic: certificates whose paths hold variables, read when a client asks for them.
 *
 * What has been read is kept by the worker for a while (ssl_certificate_cache), so that a change on
 * disk is seen when that time is over. The name that the client sends is no path: one that could
 * lead elsewhere fails the handshake. Called back in a handshake; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_DYNAMIC_H
#define MODULES_SSL_SSL_DYNAMIC_H

#include "modules/ssl/ssl.h"

/* Whether certificate number i of the struct, or its key, has variables. */
bool ssl_dynamic_is(const ssl_conf_t *c, unsigned i);

/* The connection shows the certificates with variables that c names. False: the handshake fails. */
bool ssl_dynamic_show(SSL *ssl, conn_t *conn, const ssl_conf_t *c);

/* Set function of ssl_certificate_cache off | max=N [inactive=TIME] [valid=TIME]. */
bool ssl_dynamic_set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* Whether a name may stand in a path. */
bool ssl_dynamic_is_harmless(str_t name);

#endif
