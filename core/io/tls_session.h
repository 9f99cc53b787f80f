/*
 * tls_session: sessions of a process as TLS client, to be taken up again.
 *
 * A table of fixed size under (ctx, peer, name); the newest session of a key counts, and what falls
 * on the same place displaces it. The ctx is told from others by its address alone: it must outlive
 * the process's connections. Nothing suspends.
 */
#ifndef CORE_IO_TLS_SESSION_H
#define CORE_IO_TLS_SESSION_H

#include <openssl/ssl.h>

#include "core/base/str.h"

enum { TLS_SESSION_PLACES = 1024 };

/* Takes over the caller's reference. */
void tls_session_keep(const SSL_CTX *ctx, str_t peer, str_t name, SSL_SESSION *session);

/* Gives the connection the session that was kept for it, if there is one that may be used again. */
void tls_session_offer(SSL *ssl, str_t peer, str_t name);

/* Forgets all (leak checks). */
void tls_session_trim(void);

#endif
