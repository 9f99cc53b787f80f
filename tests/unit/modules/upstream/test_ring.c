#include "modules/upstream/ring.h"

#include <criterion/criterion.h>

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(ring, .init = setup, .fini = teardown);

/* --- the published algorithm once more, without any of the ring's own parts --- */

/* CRC-32 of ISO-HDLC, bit by bit; check value of "123456789": cbf43926. */
static uint32_t crc_of(const char *bytes, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

/* The points of one server: crc32(HOST \\0 PORT PREVIOUS), PREVIOUS little endian, 0 at first. */
static void points_of(const char *host, const char *port, unsigned n, uint32_t *out)
{
    char text[128];
    size_t h = strlen(host), p = strlen(port);
    memcpy(text, host, h + 1);
    memcpy(text + h + 1, port, p);
    for (unsigned i = 0; i < n; i++) {
        uint32_t before = i ? out[i - 1] : 0;
        for (unsigned j = 0; j < 4; j++) text[h + 1 + p + j] = (char)(before >> 8 * j);
        out[i] = crc_of(text, h + 1 + p + 4);
    }
}

static const struct {
    const char *name, *host, *port;
    unsigned weight;
} servers[] = {
    {"127.0.0.1:8080", "127.0.0.1", "8080", 1}, {"127.0.0.1:8081", "127.0.0.1", "8081", 3},
    {"app.internal", "app.internal", "", 2},    {"unix:/run/app.sock", "/run/app.sock", "", 1},
    {"[::1]:80", "[::1]", "80", 1},
};

enum { SERVERS = 5, MOST = 8 * RING_POINTS };

/* The first point at or behind the key's checksum, or else the very first. */
static unsigned server_of(const uint32_t *hash, const unsigned *server, unsigned n, uint32_t key)
{
    unsigned best = n, first = 0;
    for (unsigned i = 0; i < n; i++) {
        if (hash[i] < hash[first]) first = i;
        if (hash[i] >= key && (best == n || hash[i] < hash[best])) best = i;
    }
    return server[best == n ? first : best];
}

Test(ring, has_the_points_of_the_published_algorithm)
{
    static uint32_t hash[MOST];
    static unsigned server[MOST];
    unsigned n = 0;
    ring_t ring = {0};
    cr_assert_eq(crc_of("123456789", 9), 0xcbf43926);
    for (unsigned i = 0; i < SERVERS; i++) {
        unsigned points = servers[i].weight * RING_POINTS;
        points_of(servers[i].host, servers[i].port, points, hash + n);
        for (unsigned j = 0; j < points; j++) server[n++] = i;
        ring_add(&ring, pool, str_of(servers[i].name), servers[i].weight, i);
    }
    ring_close(&ring, pool);
    cr_assert_eq(n, MOST);
    for (unsigned i = 0; i < 5000; i++) {
        str_t key = pool_printf(pool, "/path/%u?q=%u", i, i * 7);
        unsigned expected = server_of(hash, server, n, crc_of(key.p, key.n));
        cr_assert_eq(ring.points.v[ring_find(&ring, key)].server, expected, "key %u", i);
    }
}

Test(ring, keeps_one_of_points_that_coincide)
{
    ring_t ring = {0};
    ring_add(&ring, pool, STR("a:1"), 1, 0);
    ring_add(&ring, pool, STR("a:1"), 2, 1);
    ring_close(&ring, pool);
    cr_expect_eq(ring.points.n, 2 * RING_POINTS);
    for (unsigned i = 1; i < ring.points.n; i++)
        cr_assert_lt(ring.points.v[i - 1].hash, ring.points.v[i].hash);
}
