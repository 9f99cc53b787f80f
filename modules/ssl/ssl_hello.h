/*
 * ssl_hello: what the client's first message asks for: which server, which protocol above TLS.
 *
 * The server is found by the name in the message with the map that finds it by Host; without one it
 * is the address's default. Everything of that server holds from there on, protocol versions
 * included. Called back by OpenSSL in a handshake; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_HELLO_H
#define MODULES_SSL_SSL_HELLO_H

#include "modules/ssl/ssl.h"

void ssl_hello_watch(SSL_CTX *ctx);

/* Whether the message begins like one: the first byte of a connection. */
bool ssl_hello_begins(str_t bytes);

/* The name in the body of a server_name extension (RFC 6066 section 3), in lower case and without a
   last dot, in `out`; empty when there is none or it is malformed. */
enum { SSL_HELLO_NAME_MAX = 255 };
str_t ssl_hello_name(str_t extension, char out[SSL_HELLO_NAME_MAX]);

#endif
