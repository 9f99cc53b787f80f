/*
 * resolve: the `resolver` directive: which name servers origins' names are asked of.
 *
 *     resolver ADDRESS[:PORT] ... [valid=TIME] [ipv4=on|off] [ipv6=on|off];
 *
 * Each directive has its resolver in each worker, made at its first use; without a directive the
 * system's name servers (/etc/resolv.conf) are asked. Nothing here suspends.
 */
#ifndef HTTP_RESOLVE_H
#define HTTP_RESOLVE_H

#include "core/io/resolver.h"
#include "http/http.h"

/* The set function of the row, whose field is a struct http_resolver *. */
bool resolve_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* The resolver in force for these directives; NULL when none can be made (logged). */
resolver_t *resolve_for(const http_conf_t *c);

/* The worker is about to end: stops asking what nobody waits for any more. */
void resolve_settle(void);

/* The worker ends: frees all resolvers. */
void resolve_stop(void);

#endif
