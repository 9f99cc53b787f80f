#include <criterion/criterion.h>

#include "core/base/str.h"
#include "modules/gzip/zpool.h"

static const char sample[] = "the quick brown fox jumps over the lazy dog, the quick brown fox";

/* Packs n bytes of the sample; returns the length. */
static size_t pack(zpool_state_t *s, size_t n, char *out, size_t room)
{
    s->z.next_in = (Bytef *)(uintptr_t)sample;
    s->z.avail_in = (uInt)n;
    s->z.next_out = (Bytef *)out;
    s->z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&s->z, Z_FINISH), Z_STREAM_END);
    return room - s->z.avail_out;
}

static int unpack(zpool_state_t *s, str_t packed, char *out, size_t room)
{
    s->z.next_in = (Bytef *)(uintptr_t)packed.p;
    s->z.avail_in = (uInt)packed.n;
    s->z.next_out = (Bytef *)out;
    s->z.avail_out = (uInt)room;
    return inflate(&s->z, Z_SYNC_FLUSH);
}

TestSuite(zpool, .fini = zpool_trim);

Test(zpool, states_are_reused)
{
    zpool_state_t *a = zpool_deflate(1), *b = zpool_inflate();
    cr_assert_neq(a, b);
    zpool_return(a);
    zpool_return(b);
    cr_expect_eq(zpool_inflate(), b);
    cr_expect_eq(zpool_deflate(1), a);
    zpool_return(a);
    zpool_return(b);
    zpool_return(NULL);
}

/* Whatever was done with a state, also in the middle of something, and at whatever level. */
Test(zpool, a_reused_state_knows_nothing_of_its_past)
{
    char first[256], again[256];
    zpool_state_t *s = zpool_deflate(9);
    size_t n = pack(s, sizeof(sample), first, sizeof(first));
    zpool_return(s);
    for (int level = 1; level <= 9; level++) {
        s = zpool_deflate(level);
        s->z.next_in = (Bytef *)(uintptr_t)sample;
        s->z.avail_in = 20;
        s->z.next_out = (Bytef *)again;
        s->z.avail_out = sizeof(again);
        cr_assert_eq(deflate(&s->z, level % 2 ? Z_SYNC_FLUSH : Z_NO_FLUSH), Z_OK);
        zpool_return(s);
        s = zpool_deflate(9);
        cr_expect_eq(pack(s, sizeof(sample), again, sizeof(again)), n);
        cr_expect_eq(memcmp(first, again, n), 0, "after level %d", level);
        zpool_return(s);
    }
}

Test(zpool, reading_begins_anew_after_what_was_broken)
{
    char packed[256], out[256];
    zpool_state_t *d = zpool_deflate(6), *i = zpool_inflate();
    size_t n = pack(d, sizeof(sample), packed, sizeof(packed));
    cr_assert_eq(unpack(i, STR("no gzip"), out, sizeof(out)), Z_DATA_ERROR);
    zpool_return(i);
    cr_assert_eq(zpool_inflate(), i);
    cr_assert_eq(unpack(i, str_make(packed, n), out, sizeof(out)), Z_STREAM_END);
    cr_expect_eq(memcmp(out, sample, sizeof(sample)), 0);
    zpool_return(d);
    zpool_return(i);
}
