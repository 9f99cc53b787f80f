/*
 * http_block: the http, server and location blocks while they are read, and what is made of them.
 *
 * A server's addresses and names are gathered while its block is read and put into the tables of
 * site.c when it ends. Nothing here is needed once the configuration is loaded. Nothing suspends.
 */
#ifndef HTTP_HTTP_BLOCK_H
#define HTTP_HTTP_BLOCK_H

#include "http/http.h"

/* One `listen` of the server being read. */
typedef struct http_block_listen {
    listen_t *listen;
    bool fallback; /* default_server */
    const tree_node_t *node;
} http_block_listen_t;

/* One name of the server being read. */
typedef struct http_block_name {
    const tree_node_t *node;
    unsigned word;
} http_block_name_t;

typedef struct http_block {
    site_server_t *server;            /* being read */
    site_location_t *location;        /* the innermost being read; NULL in the server itself */
    VEC(http_block_listen_t) listens; /* of the server */
    VEC(http_block_name_t) names;     /* of the server */
    http_scopes_t scopes;             /* of all servers and locations */
    http_addresses_t addresses;       /* of all servers */
} http_block_t;

/* Set functions of the rows in http.c. */
bool http_block_http(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool http_block_server(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool http_block_location(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool http_block_limit_except(conf_t *cf, const conf_row_t *row, void *conf,
                             const tree_node_t *node);
bool http_block_server_name(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

#endif
