#include "modules/cache/store_record.h"

#include <criterion/criterion.h>

#include "modules/cache/store.h"

static char bytes[4096];

static store_record_t sample(void)
{
    static const uint64_t tags[] = {1, 0xffffffffffffffff};
    return (store_record_t){.id = 42,
                            .variant = 7,
                            .length = 1000,
                            .body_check = 0xabcdef01,
                            .born = 3,
                            .stored = 1700000000,
                            .room = 512,
                            .version = 9,
                            .complete = true,
                            .key = STR("http://a/b?c"),
                            .vary = STR("cookie"),
                            .head = STR("200 OK"),
                            .tags = str_make((const char *)tags, sizeof(tags))};
}

static uint32_t put(size_t at, const store_record_t *r)
{
    store_record_put(bytes + at, r);
    return store_record_size(r);
}

static str_t all(void)
{
    return str_make(bytes, sizeof(bytes));
}

static void setup(void)
{
    memset(bytes, 0, sizeof(bytes));
}

TestSuite(store_record, .init = setup);

Test(store_record, comes_back_as_it_was)
{
    store_record_t r = sample(), got;
    uint32_t size = put(0, &r);
    cr_assert_eq(size, STORE_RECORD_FIXED + 12 + 6 + 16 + 6);
    cr_assert(store_record_get(str_make(bytes, size), &got));
    cr_expect(got.id == 42 && got.variant == 7 && got.length == 1000 && got.version == 9);
    cr_expect(got.body_check == 0xabcdef01 && got.born == 3 && got.stored == 1700000000);
    cr_expect(got.complete && got.room == 512 && got.size == size);
    cr_expect(str_eq(got.key, r.key) && str_eq(got.vary, r.vary) && str_eq(got.head, r.head));
    cr_expect_eq(store_record_tags(&got), 2);
    cr_expect_eq(store_record_tag(&got, 1), 0xffffffffffffffff);
}

Test(store_record, every_bit_counts)
{
    store_record_t r = sample(), got;
    uint32_t size = put(0, &r);
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        cr_expect_not(store_record_get(str_make(bytes, size), &got), "bit %u", bit);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (uint32_t n = 0; n < size; n++)
        cr_expect_not(store_record_get(str_make(bytes, n), &got), "%u bytes", n);
    cr_expect(store_record_get(all(), &got), "more may follow");
}

Test(store_record, what_is_too_large_is_none)
{
    static char large[STORE_HEAD_MAX + 1];
    store_record_t r = sample();
    r.head = str_make(large, STORE_HEAD_MAX);
    cr_expect_neq(store_record_size(&r), 0);
    r.head.n++;
    cr_expect_eq(store_record_size(&r), 0);
    r = sample();
    r.key = str_make(large, STORE_KEY_MAX + 1);
    cr_expect_eq(store_record_size(&r), 0);
}

Test(store_record, a_room_has_some_to_spare)
{
    for (uint32_t size = STORE_RECORD_FIXED; size < STORE_HEAD_MAX; size += 97) {
        uint32_t room = store_record_room(size);
        cr_assert(room % STORE_RECORD_ROUND == 0 && room >= size + size / 8 + 64);
    }
}

Test(store_record, the_later_of_two_is_found)
{
    store_record_t r = sample(), got;
    bool second;
    cr_expect_not(store_record_find(all(), &got, &second));
    put(0, &r);
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(!second && got.version == 9);
    r.version = 10;
    put(512, &r);
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(second && got.version == 10);
    r.version = 11;
    put(0, &r);
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(!second && got.version == 11);
    r.version = 255;
    put(0, &r);
    r.version = 0; /* it goes round */
    put(512, &r);
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(second && got.version == 0);
}

Test(store_record, a_torn_one_leaves_the_other)
{
    store_record_t r = sample(), got;
    bool second;
    put(0, &r);
    r.version = 10;
    put(512, &r);
    bytes[512 + 20] ^= 1;
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(!second && got.version == 9);
    bytes[512 + 20] ^= 1;
    bytes[3] ^= 1;
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(second && got.version == 10);
    r.id = 43; /* of another body */
    put(512, &r);
    bytes[3] ^= 1;
    cr_expect(store_record_find(all(), &got, &second));
    cr_expect(!second && got.id == 42);
}
