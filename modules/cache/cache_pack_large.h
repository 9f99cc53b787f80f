/* cache_pack_large: a stored body that is too long to be packed while somebody waits is packed by a
   fiber of its own, piece by piece, for those who come later. For cache_pack. */
#ifndef MODULES_CACHE_CACHE_PACK_LARGE_H
#define MODULES_CACHE_CACHE_PACK_LARGE_H

#include "modules/cache/cache.h"

/*
 * Begins to pack u->object, which is whole, to be kept under `variant`; one at a time in a worker,
 * and one of all workers for each. It does not need the request any longer, and if it cannot be
 * done nobody misses it. Does not suspend.
 */
void cache_pack_large(cache_use_t *u, coding_t coding, str_t variant);

#endif
