/*
 * ssl_stapling: the certificate's status shown with it, from a file that another program renews.
 *
 * A worker looks at the file at most once a minute. It is shown with the server's first certificate
 * alone, and not once it has run out. Called back in a handshake; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_STAPLING_H
#define MODULES_SSL_SSL_STAPLING_H

#include "modules/ssl/ssl.h"

/* When the struct says so: makes c->made->ctx staple. False: said. */
bool ssl_stapling_prepare(conf_t *cf, const ssl_conf_t *c);

#endif
