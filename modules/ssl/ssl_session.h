/*
 * ssl_session: how clients come back without a full handshake: by session id, by ticket.
 *
 * Sessions are looked up and kept by the rules of the server that the client names; a session
 * carries a digest of the rules it was begun under (ssl_made_t.rules). Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_SESSION_H
#define MODULES_SSL_SSL_SESSION_H

#include "modules/ssl/ssl.h"

/* The ring of ticket keys, when the http block has been read; `timeout` is the longest of a
   session, in milliseconds. False: said. */
bool ssl_session_share_keys(conf_t *cf, ssl_store_t *store, msec_t timeout);

/* Makes c->made->ctx keep sessions and seal tickets. False: said. */
bool ssl_session_prepare(conf_t *cf, const ssl_conf_t *c);

/* A session that has just begun holds as long as c says. */
void ssl_session_limit(SSL *ssl, const ssl_conf_t *c);

/* Set functions of their rows. */
bool ssl_session_set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

#endif
