/*
 * http_listen: the listen directive: addresses and their options. Nothing suspends.
 */
#ifndef HTTP_HTTP_LISTEN_H
#define HTTP_HTTP_LISTEN_H

#include "http/http_block.h"

/* Set function of the row: adds to block->listens. */
bool http_listen_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* The listen of a server that has none: port 80, or 8000 without the privilege for it. */
bool http_listen_default(conf_t *cf, http_block_t *block, const tree_node_t *node);

/* "0.0.0.0:80" for messages, in the configuration's pool. */
str_t http_listen_name(const conf_t *cf, const listen_t *l);

#endif
