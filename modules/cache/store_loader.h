/* store_loader: the index from the files that are there. For the manager. */
#ifndef MODULES_CACHE_STORE_LOADER_H
#define MODULES_CACHE_STORE_LOADER_H

#include "modules/cache/store_zone.h"

typedef struct store_load {
    uint64_t files, loaded, dropped; /* seen; taken into the index; removed */
} store_load_t;

/*
 * Goes through the directories. The first time what the index does not know is taken into it, to be
 * verified when it is first used. What is no whole object of ours (torn, truncated, void, one of
 * two of the same key) is removed; later so is all that the index does not know, since then it was
 * left by a process that died before it had told the index, or after the index had dropped it.
 * Files with other names are left alone. Pauses as loader_files, loader_threshold and loader_sleep
 * say. 0, or the reason of a cancellation. Suspends.
 */
int store_loader_run(store_t *s, bool first, store_load_t *out);

#endif
