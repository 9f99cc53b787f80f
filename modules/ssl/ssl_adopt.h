/*
 * ssl_adopt: a connection that was begun with one server's context goes on with another's.
 */
#ifndef MODULES_SSL_SSL_ADOPT_H
#define MODULES_SSL_SSL_ADOPT_H

#include "modules/ssl/ssl.h"

/*
 * All that the context of c says holds for the connection from here on: protocol versions, groups,
 * clients' certificates, sessions, records. In the callback that sees the client's first message,
 * before anything of it has been acted on.
 */
bool ssl_adopt(SSL *ssl, const ssl_conf_t *c);

#endif
