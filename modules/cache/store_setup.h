/* store_setup: how a store comes about: its zones, and its use by a process. For store_module. */
#ifndef MODULES_CACHE_STORE_SETUP_H
#define MODULES_CACHE_STORE_SETUP_H

#include "modules/cache/store_zone.h"

/* Declares the zones of the store. False and *why. */
bool store_setup_want(zone_set_t *set, store_t *s, const char **why);

/* In a process that is going to use the store, once the zones are mapped. 0, or a negative errno:
   its directory cannot be opened; then nothing is found and nothing stored. */
int store_setup_enter(store_t *s);
void store_setup_leave(store_t *s);

#endif
