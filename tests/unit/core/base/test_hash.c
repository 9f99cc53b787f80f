#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/hash.h"
#include "core/base/pool.h"

static str_t bytes_0_to_62(void)
{
    static char bytes[63];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)i;
    return str_make(bytes, sizeof(bytes));
}

/* Known answers: CPython 3.11 hashes bytes with SipHash-1-3; PYTHONHASHSEED=0 is the zero key. */
Test(hash, is_siphash_1_3_under_the_zero_key)
{
    static const unsigned char zero[16];
    hash_seed(zero);
    cr_assert_eq(hash_bytes(STR("a")), 0x407448d2b89b1813);
    cr_assert_eq(hash_bytes(STR("abcdefg")), 0x6db12aae9070f506);
    cr_assert_eq(hash_bytes(STR("abcdefgh")), 0x3f7b849c0b8e35ea);
    cr_assert_eq(hash_bytes(STR("GET /index.html HTTP/1.1")), 0x529ed32a9e0af914);
    cr_assert_eq(hash_bytes(bytes_0_to_62()), 0x385d3e39e5f37359);
}

/* The same under PYTHONHASHSEED=42, which CPython's generator stretches to this key. */
Test(hash, is_siphash_1_3_under_a_key)
{
    static const unsigned char key[16] = {0xaf, 0x90, 0xcd, 0x68, 0xd3, 0x4f, 0x50, 0xdc,
                                          0xc1, 0xe9, 0x99, 0xfe, 0x9f, 0xbb, 0x20, 0xb9};
    hash_seed(key);
    cr_assert_eq(hash_bytes(STR("a")), 0xfe4a47335692551e);
    cr_assert_eq(hash_bytes(STR("abcdefg")), 0x13162120b6bf06ed);
    cr_assert_eq(hash_bytes(STR("abcdefgh")), 0xb441be6d79f21056);
    cr_assert_eq(hash_bytes(STR("GET /index.html HTTP/1.1")), 0xece074bc730beef6);
    cr_assert_eq(hash_bytes(bytes_0_to_62()), 0x06e24d6f0d014c37);
}

Test(hash, counts_every_byte_and_the_length)
{
    char text[24] = {0};
    for (size_t n = 0; n < sizeof(text); n++) {
        uint64_t before = hash_bytes(str_make(text, n));
        cr_assert_neq(before, hash_bytes(str_make(text, n + 1)), "length %zu", n);
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            cr_assert_neq(before, hash_bytes(str_make(text, n)), "byte %zu of %zu", i, n);
            text[i] ^= 1;
        }
    }
}

Test(hash, does_not_care_for_alignment)
{
    char room[64];
    uint64_t first = 0;
    for (size_t at = 0; at < 16; at++) {
        memcpy(room + at, "connection: close", 17);
        uint64_t h = hash_bytes(str_make(room + at, 17));
        if (at == 0) first = h;
        cr_assert_eq(h, first, "at %zu", at);
    }
}

Test(hash_map, is_empty_at_first)
{
    pool_t *pool = pool_create();
    hash_map_t map;
    hash_map_init(&map, pool);
    cr_assert_null(hash_map_get(&map, STR("a")));
    cr_assert_null(hash_map_get(&map, STR("")));
    cr_assert_eq(map.count, 0);
    pool_destroy(pool);
}

Test(hash_map, gives_back_what_was_set)
{
    pool_t *pool = pool_create();
    hash_map_t map;
    int one = 1, two = 2;
    hash_map_init(&map, pool);
    cr_assert_null(hash_map_set(&map, STR("a"), &one));
    cr_assert_null(hash_map_set(&map, STR(""), &two), "the empty key is a key");
    cr_assert_eq(hash_map_get(&map, STR("a")), &one);
    cr_assert_eq(hash_map_get(&map, STR("")), &two);
    cr_assert_null(hash_map_get(&map, STR("A")), "case is not folded");
    cr_assert_null(hash_map_get(&map, STR("a\0")));
    pool_destroy(pool);
}

Test(hash_map, replaces_and_tells_what_was_there)
{
    pool_t *pool = pool_create();
    hash_map_t map;
    int one = 1, two = 2;
    hash_map_init(&map, pool);
    hash_map_set(&map, STR("key"), &one);
    cr_assert_eq(hash_map_set(&map, STR("key"), &two), &one);
    cr_assert_eq(hash_map_get(&map, STR("key")), &two);
    cr_assert_eq(map.count, 1);
    pool_destroy(pool);
}

Test(hash_map, keeps_everything_while_it_grows)
{
    enum { COUNT = 10000 };
    static int values[COUNT];
    pool_t *pool = pool_create();
    hash_map_t map;
    hash_map_init(&map, pool);
    for (int i = 0; i < COUNT; i++)
        cr_assert_null(hash_map_set(&map, pool_printf(pool, "www%d.example.org", i), &values[i]));
    cr_assert_eq(map.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(hash_map_get(&map, pool_printf(pool, "www%d.example.org", i)), &values[i]);
    cr_assert_null(hash_map_get(&map, STR("www10000.example.org")));
    cr_assert_geq(map.mask + 1, map.count * 2 - 1, "at most about half of the slots are taken");
    pool_destroy(pool);
}

/* The first vectors of the reference implementation of SipHash-2-4 with 128 bits: key 00 01 .. 0f,
   text 00 01 ... */
Test(hash, wide_known_answers)
{
    static const struct {
        size_t n;
        unsigned char out[16];
    } rows[] = {
        {0, {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
             0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93}},
        {1, {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
             0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45}},
    };
    unsigned char key[16];
    for (int i = 0; i < 16; i++) key[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t out[2];
        hash_wide_24(str_make((const char *)key, rows[i].n), key, out);
        cr_expect_arr_eq(out, rows[i].out, 16);
    }
}

Test(hash, wide_is_another_for_every_length_and_byte)
{
    uint64_t seen[64][2];
    char text[64] = {0};
    for (size_t n = 0; n < 64; n++) {
        hash_wide(str_make(text, n), seen[n]);
        for (size_t i = 0; i < n; i++)
            cr_assert(seen[i][0] != seen[n][0] && seen[i][1] != seen[n][1]);
    }
}
