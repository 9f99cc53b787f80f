/*
 * grpc_conf: the grpc_ directives: those of proxy_ that make sense for gRPC, and what is settled:
 * HTTP/2, and nothing is buffered in either direction.
 */
#ifndef MODULES_UPSTREAM_GRPC_CONF_H
#define MODULES_UPSTREAM_GRPC_CONF_H

#include "modules/upstream/proxy.h"

extern const conf_row_t grpc_conf_rows[];

/* Hooks of the module: a block's struct is complete; an http block begins, and ends. */
bool grpc_conf_check(conf_t *cf, void *conf);
bool grpc_conf_begin(conf_t *cf, const tree_node_t *http);
bool grpc_conf_finish(conf_t *cf);

#endif
