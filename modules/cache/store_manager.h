/*
 * store_manager: the process that makes the index from the files at the start, drops what nobody
 * asks for, and makes room: for max_size, for min_free, and for new entries, so that workers need
 * not.
 */
#ifndef MODULES_CACHE_STORE_MANAGER_H
#define MODULES_CACHE_STORE_MANAGER_H

#include "modules/cache/store_zone.h"

/* A fiber for the store, which runs until store_manager_stop. 0 or negative errno. */
int store_manager_start(store_t *s);

/* All fibers of this process end soon. */
void store_manager_stop(void);

/* What it does in one turn, without waiting for the next (for tests). Suspends. 0, or the reason of
   a cancellation. */
int store_manager_turn(store_t *s);

#endif
