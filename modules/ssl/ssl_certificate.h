/*
 * ssl_certificate: the certificates of a configuration, each read once however many servers show
 * it.
 *
 * A store belongs to an http block and lives in the configuration's pool; it frees what it has read
 * when the pool goes. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_CERTIFICATE_H
#define MODULES_SSL_SSL_CERTIFICATE_H

#include <time.h>

#include "core/base/hash.h"
#include "core/config/conf.h"
#include "core/io/tls_identity.h"
#include "core/shared/zone.h"
#include "http/text.h"

/* A file that a directive names. */
typedef struct ssl_file {
    const char *path;        /* absolute, or "data:..."; NULL: not given, or with variables */
    text_t text;             /* the same as it was written, where it may have variables */
    const tree_node_t *node; /* for what is wrong with it */
} ssl_file_t;

typedef VEC(ssl_file_t) ssl_files_t;

/* How two files stood in the file system: another stamp is another content. */
typedef struct ssl_stamp {
    struct timespec changed[2];
    uint64_t number[2];
    int64_t size[2];
} ssl_stamp_t;

typedef struct ssl_staple ssl_staple_t; /* ssl_stapling.h */

typedef struct ssl_certificate {
    ssl_file_t file, key, passwords; /* as first named */
    tls_identity_t identity; /* cert NULL: it could not be read, and that has been said */
    unsigned edition;        /* from 1: which one it is that has stood in these files */
    VEC(SSL_CTX *) users;    /* who show it */
    ssl_staple_t *staple;    /* of its responder; NULL: that is not asked */
    bool watched;            /* ssl_certificate_watch on */
    bool asked_for;          /* of an authority (acme.h): its file is not the master's to read */
    ssl_stamp_t loaded, seen, refused; /* of ssl_watch.c */
} ssl_certificate_t;

typedef struct ssl_store {
    pool_t *pool;
    hash_map_t known; /* by both paths */
    VEC(ssl_certificate_t *) all;
    zone_t *ring; /* of ticket keys */
    zone_t *strikes; /* of ssl_early.c; NULL: nobody takes early data */
    zone_t *staples; /* what responders said; NULL: none is asked */
    VEC(ssl_staple_t *) fetched; /* of them */
    const struct acme_all *acme; /* some of these are of its certificates; NULL: none is */
    zone_t *asked; /* of ssl_watch.c: how often it was asked to look */
    uint32_t answered;
    str_t directory; /* what paths are relative to */
    bool serves;     /* there is a listen ... ssl */
    bool kernel;     /* some server lets the kernel make its records */
} ssl_store_t;

ssl_store_t *ssl_store_new(pool_t *pool);

/*
 * The certificate of this file with this key, opened with one of the passwords in the file (path
 * NULL: there are none). NULL: said. What is doubtful about it is warned of.
 */
ssl_certificate_t *ssl_certificate_want(conf_t *cf, ssl_store_t *store, const ssl_file_t *file,
                                        const ssl_file_t *key, const ssl_file_t *passwords);

/* One that was not read from the file, which is where another one may come to lie; *id is taken
   over. */
ssl_certificate_t *ssl_certificate_add(ssl_store_t *store, const ssl_file_t *file,
                                       tls_identity_t *id);

/* The ctx shows it from now on. False: tls_reason. */
bool ssl_certificate_show(ssl_certificate_t *c, pool_t *pool, SSL_CTX *ctx);

/* What is in *id takes its place with all who show it; its key is of the same kind. */
void ssl_certificate_replace(ssl_certificate_t *c, tls_identity_t *id);

ssl_stamp_t ssl_stamp(const ssl_certificate_t *c);
bool ssl_stamp_eq(const ssl_stamp_t *a, const ssl_stamp_t *b);

/* Warns of names in certificates that `serves` knows no server for. */
void ssl_certificate_check_names(conf_t *cf, const ssl_store_t *store,
                                 bool (*serves)(conf_t *cf, str_t name));

#endif
