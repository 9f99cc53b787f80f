/*
 * tls_ctx: OpenSSL contexts as the configuration describes them, for either side.
 *
 * Made by the master, which may read keys; workers inherit them. Every function that returns false
 * has left its reason in OpenSSL's queue (tls_reason). Nothing suspends.
 */
#ifndef CORE_IO_TLS_CTX_H
#define CORE_IO_TLS_CTX_H

#include <openssl/types.h>
#include <stdbool.h>

/* Bits of tls_ctx_new. */
enum { TLS_1_0 = 1 << 0, TLS_1_1 = 1 << 1, TLS_1_2 = 1 << 2, TLS_1_3 = 1 << 3 };

/*
 * A context that speaks these protocols (at least one), lets go of buffers when idle, never
 * renegotiates, trusts nobody and verifies nothing; a server's lets the kernel make its records
 * (tls_kernel.h). NULL: tls_reason. The caller frees it.
 */
SSL_CTX *tls_ctx_new(bool server, unsigned protocols);

bool tls_ctx_ciphers(SSL_CTX *ctx, const char *list); /* of TLS 1.2 and before, OpenSSL's syntax */

/* Trusts the certificates in this file, and chains up to `depth` issuers long. */
bool tls_ctx_trust(SSL_CTX *ctx, const char *path, unsigned depth);

/* Refuses what the lists in this file revoke; every issuer of a chain must have a list there. */
bool tls_ctx_revoked(SSL_CTX *ctx, const char *path);

/* The groups for key exchange, the preferred ones first: "X25519:P-256". */
bool tls_ctx_groups(SSL_CTX *ctx, const char *list);

/* The parameters of finite-field Diffie-Hellman in this file; without, such ciphers are not
   used. */
bool tls_ctx_dh(SSL_CTX *ctx, const char *path);

/* A command of SSL_CONF_cmd(3) as in a file: "MinProtocol", "TLSv1.3". */
bool tls_ctx_command(SSL_CTX *ctx, const char *name, const char *value);

#endif
