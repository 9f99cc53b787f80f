/*
 * ring: consistent hashing by ketama: 160 points on a ring for each unit of a server's weight.
 *
 * A key belongs to the first point at or behind its checksum. The points are those that nginx and
 * Cache::Memcached::Fast make, so that a key keeps its server when a proxyd takes over. Made once,
 * while the configuration is read. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_RING_H
#define MODULES_UPSTREAM_RING_H

#include "core/base/vec.h"

typedef struct ring_point {
    uint32_t hash;
    unsigned server; /* index */
} ring_point_t;

/*
 * Points are spread evenly, so a key's lies near where its checksum says: `starts` has the first
 * point at or behind the begin of each part of the ring, of which there is one for some points. A
 * search among all of them would miss the cache with nearly every step.
 */
typedef struct ring {
    VEC(ring_point_t) points;
    uint32_t *starts;
    unsigned shift;  /* checksum >> shift: the part */
    unsigned parts;  /* that there is room for */
} ring_t;

enum { RING_POINTS = 160 };

/* Adds the points of a server: its name as written ("host:port", "unix:/path"). */
void ring_add(ring_t *ring, pool_t *pool, str_t name, unsigned weight, unsigned server);

/* After the last one, before the first ring_find. */
void ring_close(ring_t *ring, pool_t *pool);

/* The index of the point that the key belongs to. The ring is not empty. */
unsigned ring_find(const ring_t *ring, str_t key);

#endif
