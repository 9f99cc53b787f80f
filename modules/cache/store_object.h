/* store_object: opening what is stored, or being stored. For the rooms of the store alone. */
#ifndef MODULES_CACHE_STORE_OBJECT_H
#define MODULES_CACHE_STORE_OBJECT_H

#include "modules/cache/store_fill.h"

/* Opens what row number `number` fills, which looked like that a moment ago. */
store_turn_t store_object_follow(store_t *s, const store_key_t *key, const store_row_t *row,
                                 uint32_t number, pool_t *pool, store_object_t *o);

#endif
