#include "core/base/hash.h"

#include "core/base/panic.h"

static uint64_t key0 = 0x70726f7879643031, key1 = 0x6861736820736565;

void hash_seed(const unsigned char key[16])
{
    memcpy(&key0, key, 8);
    memcpy(&key1, key + 8, 8);
}

static inline uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0], v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2], v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_bytes(str_t s)
{
    uint64_t v[4] = {key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d,
                     key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573};
    uint64_t word, last = (uint64_t)s.n << 56;
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = whole; i < s.n; i++) last |= (uint64_t)(unsigned char)s.p[i] << 8 * (i - whole);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline void absorb(uint64_t v[4], uint64_t word, int rounds)
{
    v[3] ^= word;
    for (int i = 0; i < rounds; i++) sip_round(v);
    v[0] ^= word;
}

static inline uint64_t squeeze(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline __attribute__((always_inline)) void wide(str_t s, uint64_t k0, uint64_t k1, int c,
                                                       int d, uint64_t out[2])
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee,
                     k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
    uint64_t word, last = (uint64_t)s.n << 56;
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.p + i, 8);
        absorb(v, word, c);
    }
    for (size_t i = whole; i < s.n; i++) last |= (uint64_t)(unsigned char)s.p[i] << 8 * (i - whole);
    absorb(v, last, c);
    v[2] ^= 0xee;
    out[0] = squeeze(v, d);
    v[1] ^= 0xdd;
    out[1] = squeeze(v, d);
}

void hash_wide(str_t s, uint64_t out[2])
{
    wide(s, 0x70726f7879642d77, 0x6964652d68617368, 1, 3, out);
}

void hash_wide_24(str_t s, const unsigned char key[16], uint64_t out[2])
{
    uint64_t k[2];
    memcpy(k, key, 16);
    wide(s, k[0], k[1], 2, 4, out);
}

void hash_map_init(hash_map_t *map, pool_t *pool)
{
    *map = (hash_map_t){.pool = pool};
}

/* The slot that holds key, or the empty one where it belongs. */
static hash_slot_t *find_slot(hash_slot_t *slots, size_t mask, uint64_t hash, str_t key)
{
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        hash_slot_t *slot = &slots[i];
        if (!slot->value || (slot->hash == hash && str_eq(slot->key, key))) return slot;
    }
}

void *hash_map_get(const hash_map_t *map, str_t key)
{
    if (!map->count) return NULL;
    return find_slot(map->slots, map->mask, hash_bytes(key), key)->value;
}

static void grow(hash_map_t *map)
{
    size_t size = map->slots ? (map->mask + 1) * 2 : 8;
    hash_slot_t *slots = POOL_ARRAY(map->pool, hash_slot_t, size);
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        const hash_slot_t *old = &map->slots[i];
        if (old->value) *find_slot(slots, size - 1, old->hash, old->key) = *old;
    }
    map->slots = slots;
    map->mask = size - 1;
}

void *hash_map_set(hash_map_t *map, str_t key, void *value)
{
    ASSERT(value);
    if (!map->slots || map->count * 2 > map->mask) grow(map);
    uint64_t hash = hash_bytes(key);
    hash_slot_t *slot = find_slot(map->slots, map->mask, hash, key);
    void *before = slot->value;
    *slot = (hash_slot_t){.key = key, .hash = hash, .value = value};
    map->count += !before;
    return before;
}
