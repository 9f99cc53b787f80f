/*
 * acme_answer: how workers answer an authority that looks whether a name is ours.
 *
 * Over HTTP (RFC 8555 8.3) before anything that the server's configuration says of the request;
 * over TLS (RFC 8737) in a handshake that is all there is of the connection. Nothing is answered
 * that the board does not hold. Nothing suspends but acme_answer_http.
 */
#ifndef MODULES_SSL_ACME_ANSWER_H
#define MODULES_SSL_ACME_ANSWER_H

#include <openssl/ssl.h>

#include "http/request.h"
#include "modules/ssl/acme_board.h"

/* In a worker that starts: what the calls below look at; NULL: there is nothing to answer, ever. */
void acme_answer_from(acme_board_t *board);

/* PHASE_POST_READ. */
verdict_t acme_answer_http(request_t *r);

/* In the callback that sees the client's first message: whether it is an authority's that asks for
   this name; ssl shows it the answer then, and nothing else of its server counts. */
bool acme_answer_tls(SSL *ssl, str_t name);

/* In the callback for ALPN: whether acme_answer_tls was true; *out, *n: what is agreed on then. */
bool acme_answer_agree(const SSL *ssl, const unsigned char **out, unsigned char *n);

/* When hands are shaken: whether that was all. */
bool acme_answer_is_all(const SSL *ssl);

#endif
