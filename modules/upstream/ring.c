#include "modules/upstream/ring.h"

#include <stdlib.h>

#include "core/base/crc32.h"

/* "host:port" taken apart; a name that does not end with a colon and digits is all host. */
static void split_name(str_t name, str_t *host, str_t *port)
{
    *host = name;
    *port = STR("");
    if (str_istarts(name, STR("unix:"))) {
        *host = str_sub(name, 5, name.n);
        return;
    }
    for (size_t i = name.n; i > 0 && (name.p[i - 1] == ':' || ascii_digit(name.p[i - 1])); i--) {
        if (name.p[i - 1] != ':') continue;
        *host = str_sub(name, 0, i - 1);
        *port = str_sub(name, i, name.n);
        return;
    }
}

/* crc32(HOST, a zero byte, PORT, the checksum before as four bytes, the lowest first) */
void ring_add(ring_t *ring, pool_t *pool, str_t name, unsigned weight, unsigned server)
{
    str_t host, port;
    split_name(name, &host, &port);
    uint32_t base = crc32_add(crc32_add(crc32_add(0, host), str_make("", 1)), port), hash = 0;
    for (unsigned i = 0; i < weight * RING_POINTS; i++) {
        char before[4];
        for (unsigned j = 0; j < 4; j++) before[j] = (char)(hash >> 8 * j);
        hash = crc32_add(base, str_make(before, 4));
        *VEC_PUSH(pool, &ring->points) = (ring_point_t){.hash = hash, .server = server};
    }
}

static int by_hash(const void *a, const void *b)
{
    const ring_point_t *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->server < y->server ? -1 : x->server > y->server;
}

static void make_starts(ring_t *ring, pool_t *pool)
{
    enum { POINTS_OF_PART = 8 }; /* a line of the cache */
    unsigned bits = 1, at = 0;
    while (bits < 28 && (1u << bits) * POINTS_OF_PART < ring->points.n) bits++;
    ring->shift = 32 - bits;
    if (ring->parts < 1u << bits) {
        ring->parts = 1u << bits;
        ring->starts = POOL_ARRAY(pool, uint32_t, ring->parts);
    }
    for (unsigned part = 0; part < 1u << bits; part++) {
        while (at < ring->points.n && ring->points.v[at].hash >> ring->shift < part) at++;
        ring->starts[part] = at;
    }
}

void ring_close(ring_t *ring, pool_t *pool)
{
    uint32_t kept = 0;
    if (ring->points.n == 0) return;
    qsort(ring->points.v, ring->points.n, sizeof(*ring->points.v), by_hash);
    for (uint32_t i = 1; i < ring->points.n; i++)
        if (ring->points.v[i].hash != ring->points.v[kept].hash)
            ring->points.v[++kept] = ring->points.v[i];
    ring->points.n = kept + 1;
    make_starts(ring, pool);
}

unsigned ring_find(const ring_t *ring, str_t key)
{
    uint32_t hash = crc32_add(0, key);
    unsigned at = ring->starts[hash >> ring->shift];
    while (at < ring->points.n && ring->points.v[at].hash < hash) at++;
    return at == ring->points.n ? 0 : at;
}
