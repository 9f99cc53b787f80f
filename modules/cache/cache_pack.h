/*
 * cache_pack: each stored body is packed once, on the first demand, and kept beside the plain one
 * as a variant of it: found, evicted and purged with its key, and never sent for another body.
 */
#ifndef MODULES_CACHE_CACHE_PACK_H
#define MODULES_CACHE_CACHE_PACK_H

#include "core/base/buf.h"
#include "modules/cache/cache.h"

/*
 * When the reply's head has been made from u->entry: whether this client gets u->object packed.
 * Then the head is made to fit, and either u->packed is open or *body holds all of it (the caller
 * returns it). Else it gets the plain body, and nobody packs that on its way: what comes from the
 * cache is never packed but to be kept. May suspend: for another that fetches it (a moment) or
 * packs it.
 */
bool cache_pack(cache_use_t *u, buf_t **body);

#endif
