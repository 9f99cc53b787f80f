/*
 * host_map: values under host names, exact ones and wildcards, as server_name and map write them.
 *
 * Three hash maps: the cost of a lookup grows with the labels of the host alone. Names are lower
 * case and live as long as the map. Nothing suspends.
 */
#ifndef HTTP_HOST_MAP_H
#define HTTP_HOST_MAP_H

#include "core/base/hash.h"

typedef struct host_map {
    hash_map_t exact;    /* "www.example.org" */
    hash_map_t leading;  /* "*.example.org" under "example.org" */
    hash_map_t trailing; /* "www.example.*" under "www.example" */
} host_map_t;

typedef enum host_map_result {
    HOST_MAP_ADDED,
    HOST_MAP_TAKEN,
    HOST_MAP_MALFORMED
} host_map_result_t;

void host_map_init(host_map_t *map, pool_t *pool);

/*
 * Puts value (not NULL) under "a.b", "*.a.b", "a.*", ".a.b" (both "a.b" and "*.a.b") or "". A name
 * that is taken keeps the value it has.
 */
host_map_result_t host_map_add(host_map_t *map, str_t name, void *value);

/* What is under the exact name, else the longest leading, else the longest trailing wildcard; or
 * NULL. */
void *host_map_find(const host_map_t *map, str_t host);

#endif
