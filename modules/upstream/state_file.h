/*
 * state_file: `state FILE;`: what an operator has changed of a group's servers, kept in a file.
 *
 *     server "10.0.0.9:80" "weight=2";                             one that was added
 *     peer "10.0.0.1:80 app.internal:80" weight=3 max_conns=0 drain;    settings of an address
 *     peer "app.internal:80" weight=1 max_conns=0 down;    and of a name, for all it leads to
 *
 * Written whole, by way of a new file beside it, by the worker that makes a change; read with the
 * configuration, and taken where the group's zone does not know better. A file that cannot be read
 * is told and does no harm. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_STATE_FILE_H
#define MODULES_UPSTREAM_STATE_FILE_H

#include "modules/upstream/upstream.h"

/* What the file of g->state says; node: the block, for messages. */
void state_file_read(conf_t *cf, const tree_node_t *node, upstream_t *g);

/* 0 or negative errno; without a file nothing happens. The group is up to date. */
int state_file_write(upstream_t *g, pool_t *pool);

#endif
