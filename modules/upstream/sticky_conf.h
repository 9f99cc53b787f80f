/* sticky_conf: the directive `sticky` of upstream { }. */
#ifndef MODULES_UPSTREAM_STICKY_CONF_H
#define MODULES_UPSTREAM_STICKY_CONF_H

#include "modules/upstream/sticky.h"

/* The row's set function; conf is the upstream_conf_t. */
bool sticky_conf_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

#endif
