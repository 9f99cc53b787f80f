/*
 * acme: certificates that are asked of an authority, installed and renewed by themselves
 * (RFC 8555; RFC 8737).
 *
 *     acme_module.c     the directives of an issuer, and what becomes of all of them
 *     acme_names.c      the directive of a server: for which names
 *     acme_stopgap.c    what is shown until there is a certificate
 *     acme_agent.c      the one process that asks: when, for what
 *     acme_order.c      a certificate, from the order to the download
 *     acme_session.c    signed messages to an authority, its directory, the account
 *     acme_http.c       one exchange over HTTPS
 *     acme_message.c    the authority's JSON, held against what it must be
 *     acme_jws.c, acme_key.c, acme_x509.c    signatures, keys, certificates
 *     acme_files.c      what is kept in the state_path
 *     acme_board.c      what all processes know: challenges in work, how each certificate fares
 *     acme_answer.c     answers to challenges, by workers
 *     acme_worker.c     takes up new certificates
 *     acme_status.c     /status, `proxyd ctl acme`
 *     acme_policy.c     times
 *
 * The master never reads what came from an authority: it makes a certificate of its own for each
 * name that is to be served until there is a better one, and gives the state_path to the workers'
 * user. The agent writes there; each worker reads there when it starts and when the board says that
 * there is something new.
 */
#ifndef MODULES_SSL_ACME_H
#define MODULES_SSL_ACME_H

#include <openssl/ssl.h>

#include "http/http.h"
#include "modules/ssl/acme_board.h"
#include "modules/ssl/acme_key.h"
#include "modules/ssl/ssl_certificate.h"

typedef enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01 } acme_challenge_t;

typedef struct acme_issuer {
    str_t name;
    const tree_node_t *node;
    str_t uri;                 /* of the directory */
    bool loopback;             /* it is http, of this very machine: so may all its URLs be */
    conf_strs_t contacts;      /* URLs */
    bool terms;                /* accepted */
    acme_challenge_t challenge;
    EVP_PKEY *key;             /* the account's, from a file; NULL: made as key_type says */
    acme_key_type_t key_type;
    str_t state_path;          /* without a slash at its end */
    str_t binding_id, binding_secret; /* of an account elsewhere; empty: none */
    SSL_CTX *ctx;              /* towards the authority */
    bool verify;
    msec_t retry_least, retry_most;
    const http_conf_t *http;   /* of its block: resolver */
    const zone_t *zone;        /* whose root is the board, when it is mapped */
    unsigned number;           /* its row on the board */
    bool used;                 /* some certificate is asked of it */
} acme_issuer_t;

typedef struct acme_certificate {
    str_t name;                /* "a.test": the first identifier */
    str_t issuer_name;
    const acme_issuer_t *issuer; /* when the http block has been read */
    const tree_node_t *node;
    conf_strs_t names;         /* all identifiers: lower case */
    acme_key_type_t key_type;
    str_t id;                  /* issuer, identifiers, kind of key: told from all others by it */
    str_t path;                /* of the file in the state_path */
    struct acme_all *all;
    ssl_certificate_t *shown;  /* NULL: no server that listens with ssl shows it */
    unsigned number;           /* its row on the board */
} acme_certificate_t;

/* All of an http block. */
typedef struct acme_all {
    pool_t *pool;
    VEC(acme_issuer_t *) issuers;
    VEC(acme_certificate_t *) certificates;
    hash_map_t by_id;          /* of certificates */
    str_t zone_name;
    size_t zone_size;
    const zone_t *zone;        /* whose root is the board; NULL: there are no certificates */
    EVP_PKEY *stopgap[2];      /* keys of what is shown at first: ECDSA, RSA; made when asked for */
} acme_all_t;

/* The board of a configuration that serves and has certificates. */
static inline acme_board_t *acme_board(const zone_t *zone)
{
    return zone->root;
}

extern const module_t acme_module;

/* The directives inside of an issuer's block. */
typedef struct acme_conf {
    str_t uri, state_path, trusted, account_file;
    acme_key_type_t account_type;
    unsigned challenge;
    conf_strs_t contacts;
    str_t binding_id, binding_secret;
    bool terms, verify;
    msec_t retry_least, retry_most;
    acme_all_t *all; /* the same in all of an http block */
} acme_conf_t;

/* What the module's struct, of any block, leads to; NULL: there is no http block. */
static inline acme_all_t *acme_all(const void *module_struct)
{
    return ((const acme_conf_t *)module_struct)->all;
}

#endif
