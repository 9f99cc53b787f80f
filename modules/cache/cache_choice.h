/*
 * cache_choice: `proxy_cache $name`, which says request by request in which cache to look: to part
 * what is stored among several disks, or to have some requests go without. What the name has to be
 * is a keys_zone; "off" and nothing at all are no cache, and so is a zone that is not there, which
 * is logged. Nothing suspends.
 */
#ifndef MODULES_CACHE_CACHE_CHOICE_H
#define MODULES_CACHE_CACHE_CHOICE_H

#include "http/request.h"
#include "modules/cache/cache_conf.h"

/* Of the directive at that node. NULL: said with conf_error. */
cache_choice_t *cache_choice_new(conf_t *cf, const tree_node_t *node);

/* What holds for the request; of the configuration, so it outlives the request. */
const cache_conf_t *cache_choice_conf(request_t *r);

#endif
