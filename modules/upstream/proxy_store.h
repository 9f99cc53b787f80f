/*
 * proxy_store: keeps what origins answer as plain files, as nginx does (proxy_store,
 * proxy_store_access): a mirror that fills itself, not a cache: nothing is ever asked anew or
 * dropped.
 *
 * A whole 200 to a GET becomes a file: written beside its place under another name, renamed when
 * the last byte has come, before the client gets that. What goes wrong with the file is logged,
 * and the client has its answer all the same. Writes do not suspend.
 */
#ifndef MODULES_UPSTREAM_PROXY_STORE_H
#define MODULES_UPSTREAM_PROXY_STORE_H

#include "http/filter.h"
#include "http/text.h"

typedef struct proxy_store_conf {
    text_t path;   /* not set: off */
    unsigned mode; /* of the files */
} proxy_store_conf_t;

typedef struct proxy_store proxy_store_t;

/* proxy_store on | off | PATH;  proxy_store_access users:permissions ... */
bool proxy_store_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool proxy_store_set_access(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* The reply's head has come from the origin. NULL: it is not to be stored, or cannot be (logged).
   What is begun ends with the request at the latest. */
proxy_store_t *proxy_store_begin(const proxy_store_conf_t *c, request_t *r);

/* The next of the body; with last set it is whole. NULL as s: nothing happens. */
void proxy_store_take(proxy_store_t *s, const piece_t *pieces, unsigned n, bool last);

#endif
