/*
 * ssl_context: OpenSSL contexts from the directives. In the master; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_CONTEXT_H
#define MODULES_SSL_SSL_CONTEXT_H

#include "modules/ssl/ssl.h"

/* What the words `ssl_ecdh_curve auto` and none at all stand for. */
#define SSL_CONTEXT_GROUPS "X25519:P-256:P-384"
#define SSL_CONTEXT_GROUPS_HYBRID "X25519MLKEM768:" SSL_CONTEXT_GROUPS

/* Of TLS 1.3; the first is strong enough and the fastest. */
#define SSL_CONTEXT_SUITES \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/*
 * Makes c->made->ctx unless it has been made. A struct without a certificate gets none unless it
 * refuses every handshake. False: said.
 */
bool ssl_context_make(conf_t *cf, const ssl_conf_t *c);

#endif
