/*
 * acme_message: the objects of RFC 8555 section 7.1: read from JSON and held against what they must
 * be; and what is sent, written as JSON.
 *
 * Nothing of an authority is trusted: nesting, counts and lengths are bounded, URLs are https (or
 * http of this very machine, where the authority itself is), tokens are base64url. Everything is
 * copied into the pool. Readers return NULL, or what is wrong. Pure; nothing suspends.
 */
#ifndef MODULES_SSL_ACME_MESSAGE_H
#define MODULES_SSL_ACME_MESSAGE_H

#include "modules/ssl/acme.h"

enum { ACME_MESSAGE_AUTHORIZATIONS = 100 };

typedef struct acme_directory {
    str_t new_nonce, new_account, new_order; /* URLs */
    str_t terms; /* of service; empty: none */
} acme_directory_t;

typedef enum acme_status { /* of an order, an authorization, a challenge */
    ACME_PENDING,
    ACME_READY,
    ACME_PROCESSING,
    ACME_VALID,
    ACME_INVALID, /* or deactivated, expired, revoked, or nothing that is known */
} acme_status_t;

typedef struct acme_order {
    acme_status_t status;
    str_t authorizations[ACME_MESSAGE_AUTHORIZATIONS];
    unsigned count;
    str_t finalize, certificate; /* certificate: empty until it is valid */
    str_t error;                 /* why it is invalid; empty: not said */
} acme_order_t;

typedef struct acme_authorization {
    acme_status_t status;
    str_t name;       /* of the identifier, which is one of DNS */
    str_t url, token; /* of the challenge of the wanted kind; url empty: there is none */
    acme_status_t challenge; /* its status */
    str_t error;      /* why it is invalid; empty: not said */
} acme_authorization_t;

typedef struct acme_problem { /* RFC 7807 */
    str_t type; /* behind "urn:ietf:params:acme:error:"; empty: another's, or none */
    str_t text; /* "TYPE: DETAIL", shortened */
} acme_problem_t;

const char *acme_message_directory(pool_t *pool, str_t json, bool loopback, acme_directory_t *out);
const char *acme_message_order(pool_t *pool, str_t json, bool loopback, acme_order_t *out);
const char *acme_message_authorization(pool_t *pool, str_t json, bool loopback,
                                       acme_challenge_t kind, acme_authorization_t *out);

/* Of whatever is there; never fails. */
void acme_message_problem(pool_t *pool, str_t json, acme_problem_t *out);

/* What is sent. binding: a JWS of acme_jws_bind; empty: none. */
str_t acme_message_account(pool_t *pool, const conf_strs_t *contacts, bool terms, str_t binding);
str_t acme_message_new_order(pool_t *pool, const conf_strs_t *names);

#endif
