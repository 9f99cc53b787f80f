/* Every coding there is, through the one interface: what goes in comes out, in whatever pieces. */
#include <criterion/criterion.h>

#include "config.h"
#include "modules/gzip/codec.h"
#include "modules/gzip/unpacker.h"
#include "modules/gzip/whole.h"

enum { LENGTH = 100 * 1000, ROOM = 1 << 18, ROOM_LEAST = 7 };

static const coding_t packing[] = {
    CODING_GZIP,
#ifdef HAVE_BROTLI
    CODING_BR,
#endif
#ifdef HAVE_ZSTD
    CODING_ZSTD,
#endif
};

enum { PACKING = sizeof(packing) / sizeof(packing[0]) };

static char sample[LENGTH];

static void setup(void)
{
    for (unsigned i = 0; i < LENGTH; i++) sample[i] = (char)("<li>item "[i % 9] + (i / 900) % 7);
}

static void teardown(void)
{
    codec_trim();
    whole_trim();
    buf_trim();
}

TestSuite(codec, .init = setup, .fini = teardown);

/* Packs s in parts of n bytes. */
static buf_t *pack(coding_t coding, unsigned level, unsigned window, str_t s, size_t n)
{
    const codec_t *c = codec_of(coding);
    codec_wish_t wish = {.level = level, .window = window, .length = CODEC_LENGTH_UNKNOWN};
    void *packer = c->packer(&wish);
    buf_t *out = buf_take(ROOM);
    while (s.n) {
        str_t part = str_sub(s, 0, s.n < n ? s.n : n);
        s = str_sub(s, part.n, s.n);
        cr_assert(c->pack(packer, &part, CODEC_MORE, out));
        cr_assert_eq(part.n, 0);
    }
    cr_assert(c->pack(packer, &s, CODEC_END, out));
    c->packer_end(packer);
    return out;
}

/* Unpacks in parts of n bytes; what was made, or p NULL: it is broken. */
static str_t unpack(unpacker_t *u, str_t s, size_t n)
{
    static char made[2 * LENGTH];
    size_t have = 0;
    while (s.n) {
        str_t part = str_sub(s, 0, s.n < n ? s.n : n);
        s = str_sub(s, part.n, s.n);
        unpacker_got_t got;
        do {
            got = unpacker_step(u, &part);
            if (got == UNPACKER_BROKEN || got == UNPACKER_BOMB) return (str_t){NULL, 0};
            cr_assert_leq(have + buf_used(u->out), sizeof(made));
            memcpy(made + have, u->out->pos, buf_used(u->out));
            have += buf_used(u->out);
            buf_clear(u->out);
        } while (got == UNPACKER_FULL);
    }
    return str_make(made, have);
}

static void assert_unpacks(coding_t coding, str_t packed, size_t n, str_t expected)
{
    unpacker_t u = {.coding = coding, .strict = true};
    str_t got = unpack(&u, packed, n);
    cr_assert(got.p, "coding %d, parts of %zu: broken", coding, n);
    cr_assert(unpacker_is_whole(&u));
    cr_assert(str_eq(got, expected), "coding %d, parts of %zu: %zu bytes", coding, n, got.n);
    cr_assert_eq(u.taken, packed.n);
    cr_assert_eq(u.made, expected.n);
    unpacker_end(&u);
    unpacker_end(&u);
}

Test(codec, what_goes_in_comes_out)
{
    static const size_t parts[] = {1, 7, 1000, LENGTH};
    str_t all = str_make(sample, LENGTH);
    for (unsigned c = 0; c < PACKING; c++) {
        for (unsigned i = 0; i < 4; i++) {
            buf_t *packed = pack(packing[c], 5, 19, all, parts[i]);
            cr_assert_lt(buf_used(packed), LENGTH / 10);
            for (unsigned k = 0; k < 4; k++)
                assert_unpacks(packing[c], buf_str(packed), parts[k], all);
            buf_return(packed);
        }
    }
}

Test(codec, nothing_is_something_too)
{
    for (unsigned c = 0; c < PACKING; c++) {
        buf_t *packed = pack(packing[c], 1, 10, STR(""), 1);
        cr_assert_gt(buf_used(packed), 0);
        assert_unpacks(packing[c], buf_str(packed), 1, STR(""));
        buf_return(packed);
        unpacker_t u = {.coding = packing[c]};
        cr_assert(unpacker_is_whole(&u));
    }
}

Test(codec, all_levels_and_windows)
{
    static const unsigned most[CODING_COUNT] = {
        [CODING_GZIP] = 9, [CODING_BR] = 11, [CODING_ZSTD] = 19};
    str_t all = str_make(sample, LENGTH / 4);
    for (unsigned c = 0; c < PACKING; c++) {
        for (unsigned level = 1; level <= most[packing[c]]; level++) {
            buf_t *packed = pack(packing[c], level, 10 + level % 13, all, 4000);
            assert_unpacks(packing[c], buf_str(packed), LENGTH, all);
            buf_return(packed);
        }
    }
}

/* A stream that was left midway must not be felt by the next one. */
Test(codec, a_reused_packer_knows_nothing_of_its_past)
{
    str_t all = str_make(sample, LENGTH / 4);
    for (unsigned c = 0; c < PACKING; c++) {
        const codec_t *codec = codec_of(packing[c]);
        buf_t *first = pack(packing[c], 5, 16, all, 5000), *out = buf_take(ROOM);
        for (unsigned level = 1; level <= 9; level++) {
            codec_wish_t wish = {.level = level, .window = 18, .length = 1000};
            void *packer = codec->packer(&wish);
            str_t in = str_make(sample + 100, 3000);
            cr_assert(codec->pack(packer, &in, level % 2 ? CODEC_MORE : CODEC_FLUSH, out));
            codec->packer_end(packer);
            buf_t *again = pack(packing[c], 5, 16, all, 5000);
            cr_assert(str_eq(buf_str(first), buf_str(again)), "coding %d", packing[c]);
            buf_return(again);
        }
        buf_return(first);
        buf_return(out);
    }
}

Test(codec, what_was_flushed_can_be_read)
{
    for (unsigned c = 0; c < PACKING; c++) {
        const codec_t *codec = codec_of(packing[c]);
        codec_wish_t wish = {.level = 4, .window = 18, .length = CODEC_LENGTH_UNKNOWN};
        void *packer = codec->packer(&wish);
        buf_t *out = buf_take(ROOM);
        unpacker_t u = {.coding = packing[c]};
        for (unsigned i = 0; i < 20; i++) {
            str_t in = str_make(sample + i * 100, 100), none = STR("");
            cr_assert(codec->pack(packer, &in, CODEC_MORE, out));
            cr_assert(codec->pack(packer, &none, CODEC_FLUSH, out));
            str_t got = unpack(&u, buf_str(out), 50);
            cr_assert(str_eq(got, str_make(sample + i * 100, 100)), "%d: %zu", packing[c], got.n);
            buf_clear(out);
        }
        unpacker_end(&u);
        codec->packer_end(packer);
        buf_return(out);
    }
}

/* Nothing is lost when out is full at any point (less than seven bytes would make zlib flush again
   and again, as its manual says). */
Test(codec, however_little_room_there_is)
{
    for (unsigned c = 0; c < PACKING; c++) {
        const codec_t *codec = codec_of(packing[c]);
        codec_wish_t wish = {.level = 4, .window = 18, .length = CODEC_LENGTH_UNKNOWN};
        void *packer = codec->packer(&wish);
        buf_t *all = buf_take(ROOM), *small = buf_take(ROOM_LEAST);
        str_t in = str_make(sample, 20000);
        for (int i = 0; i < 3; i++) {
            static const codec_how_t hows[] = {CODEC_MORE, CODEC_FLUSH, CODEC_END};
            char *end = small->end;
            for (bool done = false; !done;) {
                small->end = small->last + ROOM_LEAST;
                done = codec->pack(packer, &in, hows[i], small);
                buf_put(all, buf_str(small));
                small->end = end;
                buf_clear(small);
            }
        }
        codec->packer_end(packer);
        assert_unpacks(packing[c], buf_str(all), 3, str_make(sample, 20000));
        buf_return(all);
        buf_return(small);
    }
}

Test(codec, broken_and_short_data_is_seen)
{
    for (unsigned c = 0; c < PACKING; c++) {
        buf_t *packed = pack(packing[c], 5, 16, str_make(sample, LENGTH), 5000);
        str_t s = buf_str(packed);
        unpacker_t u = {.coding = packing[c]};
        cr_assert(unpack(&u, str_sub(s, 0, s.n - 1), 100).p);
        cr_assert_not(unpacker_is_whole(&u));
        unpacker_end(&u);
        u = (unpacker_t){.coding = packing[c]};
        cr_assert_not(unpack(&u, STR("\xff\xffno packed data"), 100).p);
        unpacker_end(&u);
        assert_unpacks(packing[c], s, 100, str_make(sample, LENGTH));
        buf_return(packed);
    }
}

/* RFC 1952 2.2 and RFC 8878 3: members and frames follow each other; nothing follows Brotli. */
Test(codec, what_follows_the_end)
{
    for (unsigned c = 0; c < PACKING; c++) {
        buf_t *packed = pack(packing[c], 5, 16, STR("first"), 100), *all = buf_take(1000);
        buf_put(all, buf_str(packed));
        buf_put(all, buf_str(packed));
        unpacker_t u = {.coding = packing[c], .strict = true};
        if (packing[c] == CODING_BR)
            cr_assert_not(unpack(&u, buf_str(all), 1).p);
        else
            cr_assert(str_eq(unpack(&u, buf_str(all), 1), STR("firstfirst")));
        unpacker_end(&u);
        buf_clear(all);
        buf_put(all, buf_str(packed));
        buf_put(all, STR("\0\0\0"));
        u = (unpacker_t){.coding = packing[c], .strict = true};
        cr_assert_not(unpack(&u, buf_str(all), 100).p);
        unpacker_end(&u);
        u = (unpacker_t){.coding = packing[c]};
        cr_assert(str_eq(unpack(&u, buf_str(all), 2), STR("first")));
        cr_assert(unpacker_is_whole(&u));
        unpacker_end(&u);
        buf_return(packed);
        buf_return(all);
    }
}

Test(codec, bombs_go_off_unheard)
{
    static char zeros[1 << 16];
    for (unsigned c = 0; c < PACKING; c++) {
        const codec_t *codec = codec_of(packing[c]);
        codec_wish_t wish = {.level = 9, .window = 18, .length = CODEC_LENGTH_UNKNOWN};
        void *packer = codec->packer(&wish);
        buf_t *out = buf_take(ROOM);
        for (int i = 0; i < 64; i++) {
            str_t in = str_make(zeros, sizeof(zeros));
            cr_assert(codec->pack(packer, &in, i < 63 ? CODEC_MORE : CODEC_END, out));
        }
        codec->packer_end(packer);
        for (unsigned ratio = 0; ratio <= 200; ratio += 200) {
            unpacker_t u = {.coding = packing[c], .ratio = ratio};
            str_t in = buf_str(out);
            unpacker_got_t got;
            while ((got = unpacker_step(&u, &in)) == UNPACKER_FULL) buf_clear(u.out);
            cr_expect_eq(got, ratio ? UNPACKER_BOMB : UNPACKER_HUNGRY, "coding %d", packing[c]);
            cr_expect_lt(u.made, ratio ? UNPACKER_FREE + (1 << 17) : 1 << 23);
            unpacker_end(&u);
        }
        buf_return(out);
    }
}

/* zlib's form is RFC 1950's; the other is the same without its head and checksum. */
Test(codec, deflate_comes_in_two_forms)
{
    static const char zlib[] = "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15";
    static const char bare[] = "\xcb\x48\xcd\xc9\xc9\x07\x00";
    for (size_t n = 1; n < 20; n += 6) {
        assert_unpacks(CODING_DEFLATE, str_make(zlib, sizeof(zlib) - 1), n, STR("hello"));
        assert_unpacks(CODING_DEFLATE, str_make(bare, sizeof(bare) - 1), n, STR("hello"));
        buf_t *packed = pack(CODING_GZIP, 5, 15, STR("hello"), 100);
        assert_unpacks(CODING_GZIP, buf_str(packed), n, STR("hello"));
        buf_return(packed);
    }
    unpacker_t u = {.coding = CODING_DEFLATE};
    cr_assert_not(unpack(&u, STR("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x16"), 100).p);
    unpacker_end(&u);
}

#ifdef HAVE_ZSTD
/* RFC 9659: a window of more than 8 MiB may be refused, and is. Window_Descriptor of RFC 8878
   3.1.1.1.2: exponent 13 (of 2^10) is 8 MiB, one more is 16. An empty raw block ends both. */
Test(codec, zstd_windows_are_bounded)
{
    unpacker_t u = {.coding = CODING_ZSTD};
    cr_assert(unpack(&u, STR("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00"), 100).p);
    cr_assert(unpacker_is_whole(&u));
    unpacker_end(&u);
    u = (unpacker_t){.coding = CODING_ZSTD};
    cr_assert_not(unpack(&u, STR("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00"), 100).p);
    unpacker_end(&u);
}
#endif

Test(codec, windows_fit_the_length)
{
    cr_expect_eq(codec_window(19, CODEC_LENGTH_UNKNOWN), 19);
    cr_expect_eq(codec_window(19, 0), 10);
    cr_expect_eq(codec_window(19, 1024), 10);
    cr_expect_eq(codec_window(19, 1025), 11);
    cr_expect_eq(codec_window(19, INT64_MAX), 19);
}

/* --- whole --- */

Test(codec, whole_bodies_come_back_and_are_no_larger)
{
    static const size_t lengths[] = {0, 1, 20, 5000, LENGTH};
    for (unsigned c = 0; c < PACKING; c++) {
        for (unsigned level = 1; level <= 9; level++) {
            for (unsigned i = 0; i < 5; i++) {
                str_t all = str_make(sample, lengths[i]);
                buf_t *whole = whole_pack(packing[c], level, 19, all);
                buf_t *stream = pack(packing[c], level, 19, all, 4096);
                assert_unpacks(packing[c], buf_str(whole), LENGTH, all);
                cr_expect_leq(buf_used(whole), buf_used(stream) + buf_used(stream) / 20 + 256,
                              "coding %d, level %u, %zu bytes: %zu and %zu", packing[c], level,
                              all.n, buf_used(whole), buf_used(stream));
                buf_return(whole);
                buf_return(stream);
            }
        }
    }
}

Test(codec, what_is_packed_once_may_cost_more)
{
    str_t all = str_make(sample, LENGTH);
    size_t before = LENGTH;
    uint32_t x = 1;
    for (unsigned i = 0; i + 8 < LENGTH; i += 5) { /* words as they come, not the same over again */
        x = x * 1664525 + 1013904223;
        memcpy(sample + i, &"plain words come and go again "[(x >> 24) % 23], 8);
    }
    for (unsigned level = 9; level <= WHOLE_LEVEL_MOST; level++) {
        buf_t *whole = whole_pack(CODING_GZIP, level, 15, all);
        assert_unpacks(CODING_GZIP, buf_str(whole), LENGTH, all);
        cr_expect_leq(buf_used(whole), before, "level %u: %zu, before %zu", level,
                      buf_used(whole), before);
        before = buf_used(whole);
        buf_return(whole);
    }
}

/* What cannot be packed has room, too. */
Test(codec, noise_is_packed_whole)
{
    uint32_t x = 1;
    for (unsigned i = 0; i < LENGTH; i++) sample[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    for (unsigned c = 0; c < PACKING; c++) {
        buf_t *whole = whole_pack(packing[c], 1, 19, str_make(sample, LENGTH));
        assert_unpacks(packing[c], buf_str(whole), LENGTH, str_make(sample, LENGTH));
        buf_return(whole);
    }
}
