/*
 * ssl: TLS towards clients: what its directives say, and what is made of it.
 *
 * A server has the struct of the block that gave one of the directives; servers that share a struct
 * share its context. Contexts are made by the master, which may read keys, when the http block has
 * been read, and only for servers that listen with `ssl`.
 */
#ifndef MODULES_SSL_SSL_H
#define MODULES_SSL_SSL_H

#include <openssl/ssl.h>

#include "core/shared/zone.h"
#include "http/http.h"
#include "http/request.h"
#include "modules/ssl/ssl_certificate.h"
#include "modules/ssl/ssl_loaded.h"
#include "modules/ssl/ssl_ticket_keys.h"

typedef struct ssl_command {
    const char *name, *value;
    const tree_node_t *node;
} ssl_command_t;

typedef VEC(ssl_command_t) ssl_commands_t;

typedef VEC(ssl_staple_t *) ssl_staples_shown_t;

/* What is made of a struct of directives; shared by all who share the struct. */
typedef struct ssl_made {
    SSL_CTX *ctx; /* NULL: not needed, or no certificate and none wanted */
    bool dynamic;                  /* certificates with variables: ssl_dynamic.c */
    VEC(ssl_certificate_t *) shown; /* those without variables */
    ssl_staples_shown_t staples;   /* what is shown with them */
    const site_server_t *server;   /* the first that shares it */
    const char *groups;
    size_t record; /* the largest sent */
    unsigned char rules[SSL_MAX_SID_CTX_LENGTH]; /* sessions of other rules are not taken up */
    ssl_ticket_keys_t ticket_keys; /* from files; none: the ring's */
    bool done;    /* made, or failed and said so */
    bool failed;
} ssl_made_t;

enum { /* ssl_verify_client */
    SSL_VERIFY_CLIENT_OFF,
    SSL_VERIFY_CLIENT_ON,
    SSL_VERIFY_CLIENT_OPTIONAL,
    SSL_VERIFY_CLIENT_OPTIONAL_NO_CA,
};

typedef struct ssl_conf {
    ssl_files_t certificates, keys;
    struct acme_certificate *acme; /* acme_certificate; NULL: none */
    ssl_file_t passwords, dh, client_ca, trusted, revoked;
    unsigned protocols;
    str_t ciphers, groups;
    ssl_commands_t commands;
    size_t buffer_size; /* the largest record */
    unsigned verify, depth;
    msec_t handshake_timeout;
    unsigned handshake_limit; /* in flight in a worker */
    zone_t *session_zone;     /* ssl_session_cache shared:; NULL: none */
    unsigned session_builtin; /* sessions of the worker's own cache; 0: none */
    bool session_off, tickets;
    msec_t session_timeout;
    ssl_files_t ticket_keys;
    ssl_loaded_t *loaded; /* certificates with variables; NULL: they are not kept */
    bool stapling;
    ssl_file_t staple;
    str_t responder;
    bool staple_verify;
    bool server_order, reject, watch, early;
    ssl_store_t *store; /* of the http block */
    ssl_made_t *made;
} ssl_conf_t;

extern const module_t ssl_module;
extern unsigned ssl_index;

static inline const ssl_conf_t *ssl_conf(const site_server_t *server)
{
    return server->conf[ssl_index];
}

/* Where the directive stands that holds for the servers that share c; NULL: nowhere. */
static inline const tree_node_t *ssl_node(const ssl_conf_t *c, const char *directive)
{
    for (const tree_node_t *block = c->made->server->node; block; block = block->parent)
        for (const tree_node_t *n = block->children; n; n = n->next)
            if (n->n && str_eq(n->words[0].text, str_of(directive))) return n;
    return NULL;
}

/* Whether it says what certificate is shown. */
static inline bool ssl_has_certificate(const ssl_conf_t *c)
{
    return c->certificates.n || c->acme;
}

#endif
