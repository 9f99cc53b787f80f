/* store_filler: the one who fetches: what a store_fill_t is. For the rooms of the store alone. */
#ifndef MODULES_CACHE_STORE_FILLER_H
#define MODULES_CACHE_STORE_FILLER_H

#include "modules/cache/store_fill.h"

/* The row has been taken by this process. */
store_fill_t *store_filler_new(store_t *s, const store_key_t *key, store_row_t *row);

/* Puts what somebody waits for into its file: all fills of this process that have a head and none.
   */
void store_filler_show_wanted(void);

#endif
