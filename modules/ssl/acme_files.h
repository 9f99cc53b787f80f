/*
 * acme_files: what is kept in the state_path: the account's key, certificates with their keys; each
 * in one file of mode 0600, replaced whole.
 *
 * In processes of the workers' user, never in the master. Nothing suspends.
 */
#ifndef MODULES_SSL_ACME_FILES_H
#define MODULES_SSL_ACME_FILES_H

#include "modules/ssl/acme.h"

/* The certificate of the file, for these names or for those of before; false: there is none that
   could be shown (*why says so, NULL: no file). */
bool acme_files_read(const acme_certificate_t *c, tls_identity_t *out, const char **why);

/* 0 or negative errno. */
int acme_files_write(const acme_certificate_t *c, const tls_identity_t *id);

/* The account's key, made and kept when there is none. NULL: *why, which may be in the pool. */
EVP_PKEY *acme_files_account(const acme_issuer_t *issuer, pool_t *pool, const char **why);

/*
 * Takes the state_path for this process until *fd is closed: 0; -EAGAIN: another one has it; or
 * another errno.
 */
int acme_files_take(const acme_issuer_t *issuer, int *fd);

#endif
