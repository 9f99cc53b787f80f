/* proxy_conf: the proxy_ directives. */
#ifndef MODULES_UPSTREAM_PROXY_CONF_H
#define MODULES_UPSTREAM_PROXY_CONF_H

#include "modules/upstream/proxy.h"

extern const conf_row_t proxy_conf_rows[];

/* Hooks of the module: a block's struct is complete; an http block begins, and ends. */
bool proxy_conf_check(conf_t *cf, void *conf);
bool proxy_conf_begin(conf_t *cf, const tree_node_t *http);
bool proxy_conf_finish(conf_t *cf);

#endif
