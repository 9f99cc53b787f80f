/*
 * ssl_certificate: the certificates of a configuration, each read once however many servers show it.
 *
 * A store belongs to an http block and lives in the configuration's pool; it frees what it has read
 * when the pool goes. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_CERTIFICATE_H
#define MODULES_SSL_SSL_CERTIFICATE_H

#include "core/base/hash.h"
#include "core/config/conf.h"
#include "core/io/tls_identity.h"
#include "core/shared/zone.h"

/* A file that a directive names. */
typedef struct ssl_file {
    const char *path;        /* absolute, or "data:..."; NULL: not given */
    const tree_node_t *node; /* for what is wrong with it */
} ssl_file_t;

typedef VEC(ssl_file_t) ssl_files_t;

typedef struct ssl_certificate {
    ssl_file_t file, key;    /* as first named */
    tls_identity_t identity; /* cert NULL: it could not be read, and that has been said */
} ssl_certificate_t;

typedef struct ssl_store {
    pool_t *pool;
    hash_map_t known; /* by both paths */
    VEC(ssl_certificate_t *) all;
    zone_t *ring; /* of ticket keys */
} ssl_store_t;

ssl_store_t *ssl_store_new(pool_t *pool);

/*
 * The certificate of this file with this key, opened with one of the passwords in the file (path
 * NULL: there are none). NULL: said. What is doubtful about it is warned of.
 */
ssl_certificate_t *ssl_certificate_want(conf_t *cf, ssl_store_t *store, const ssl_file_t *file,
                                        const ssl_file_t *key, const ssl_file_t *passwords);

/* Warns of names in certificates that `serves` knows no server for. */
void ssl_certificate_check_names(conf_t *cf, const ssl_store_t *store,
                                 bool (*serves)(conf_t *cf, str_t name));

#endif
