/*
 * acme_session: a conversation with an authority: its directory, the account, signed messages, each
 * with a fresh nonce (RFC 8555 6, 7.1 to 7.3).
 *
 * A nonce that the authority does not take is a matter of this room. Functions return NULL, or what
 * has failed. All but acme_session_close may suspend.
 */
#ifndef MODULES_SSL_ACME_SESSION_H
#define MODULES_SSL_ACME_SESSION_H

#include "modules/ssl/acme_http.h"
#include "modules/ssl/acme_message.h"

typedef struct acme_session {
    const acme_issuer_t *issuer;
    pool_t *pool;               /* of all that is said */
    EVP_PKEY *key;              /* the account's */
    str_t thumbprint;
    acme_directory_t directory;
    str_t account;              /* its URL; empty: not known yet */
    str_t nonce;                /* for the next message; empty: to be asked for */
    size_t received;            /* bytes of answers, of which there is a most */
    uint64_t asked_ms;          /* how long it has asked to be left alone; 0: it has not */
} acme_session_t;

/* Reads the directory and the account, which is made when there is none for the key. */
const char *acme_session_open(acme_session_t *s, const acme_issuer_t *issuer, pool_t *pool);
void acme_session_close(acme_session_t *s);

/* A message to a URL of the authority; payload.p NULL: only to read what is there (POST-as-GET).
   The answer is one of success. */
const char *acme_session_post(acme_session_t *s, str_t url, str_t payload, acme_reply_t *out);

/* Retry-After as milliseconds from now (RFC 9110 10.2.3); 0: none. */
uint64_t acme_session_retry_after(str_t value);

#endif
