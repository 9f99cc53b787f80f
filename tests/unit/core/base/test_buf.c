#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/asan.h"
#include "core/base/buf.h"

Test(buf, rounds_capacity_up)
{
    static const size_t want[] = {0, 1, 4096, 4097, 65536, 65537, 3u << 20};
    static const size_t got[] = {4096, 4096, 4096, 8192, 65536, 131072, 4u << 20};
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        buf_t *b = buf_take(want[i]);
        cr_assert_eq(buf_capacity(b), got[i], "%zu bytes wanted", want[i]);
        cr_assert_eq(buf_room(b), got[i]);
        cr_assert_eq(buf_used(b), 0);
        memset(b->start, 'x', got[i]);
        buf_return(b);
    }
    buf_trim();
}

Test(buf, holds_what_was_put)
{
    buf_t *b = buf_take(4096);
    buf_put(b, STR("HTTP/1.1 "));
    buf_put(b, (str_t){NULL, 0});
    buf_putc(b, '2');
    buf_put(b, STR("00 OK"));
    cr_assert(str_eq(buf_str(b), STR("HTTP/1.1 200 OK")));
    cr_assert_eq(buf_room(b), 4096 - 15);
    buf_clear(b);
    cr_assert_eq(buf_used(b), 0);
    cr_assert_eq(buf_room(b), 4096);
    buf_return(b);
}

Test(buf, can_be_filled_to_the_last_byte)
{
    buf_t *b = buf_take(4096);
    for (int i = 0; i < 4096 / 8; i++) buf_put(b, STR("12345678"));
    cr_assert_eq(buf_room(b), 0);
    cr_assert_eq(buf_used(b), 4096);
    buf_return(b);
}

Test(buf, asserts_that_there_is_room, .signal = SIGABRT)
{
    buf_t *b = buf_take(4096);
    b->last = b->end - 1;
    buf_put(b, STR("ab"));
}

Test(buf, compacts_what_is_unread)
{
    buf_t *b = buf_take(4096);
    buf_put(b, STR("GET / HTTP/1.1"));
    b->pos += 6;
    buf_compact(b);
    cr_assert_eq(b->pos, b->start);
    cr_assert(str_eq(buf_str(b), STR("HTTP/1.1")));
    cr_assert_eq(buf_room(b), 4096 - 8);
    b->pos = b->last;
    buf_compact(b);
    cr_assert_eq(buf_room(b), 4096, "nothing unread: everything is room");
    buf_return(b);
}

Test(buf, grows_with_what_is_unread)
{
    buf_t *b = buf_take(4096);
    buf_put(b, STR("xxresponse head"));
    b->pos += 2;
    b = buf_grow(b, 10000);
    cr_assert_eq(buf_capacity(b), 16384);
    cr_assert(str_eq(buf_str(b), STR("response head")));
    buf_return(b);
    buf_trim();
}

Test(buf, is_reused_and_comes_back_empty)
{
    buf_t *b = buf_take(4096);
    buf_put(b, STR("old"));
    buf_return(b);
    buf_t *again = buf_take(100);
    cr_assert_eq(again, b);
    cr_assert_eq(buf_used(again), 0);
    cr_assert_null(again->next);
    buf_return(again);
    buf_return(NULL);
    buf_trim();
}

Test(buf, keeps_two_takers_apart)
{
    buf_t *a = buf_take(4096), *b = buf_take(4096);
    cr_assert_neq(a, b);
    cr_assert(a->end <= b->start || b->end <= a->start);
    buf_return(a);
    buf_return(b);
}

static size_t mapped_kib(void)
{
    unsigned pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    cr_assert(f && fscanf(f, "%u", &pages) == 1);
    fclose(f);
    return (size_t)pages * 4;
}

/* What a burst has taken goes back to the system, whatever small blocks were allocated
   meanwhile. */
Test(buf, large_ones_leave_no_holes_behind)
{
    enum { N = 500, SIZE = 128 * 1024, LEFT_MOST_KIB = 24 * 1024 };
    static buf_t *taken[N];
    static void *small[N];
    size_t before = mapped_kib();
    for (int i = 0; i < N; i++) {
        taken[i] = buf_take(SIZE);
        small[i] = malloc(100);
    }
    cr_assert_gt(mapped_kib(), before + N * SIZE / 1024 / 2);
    for (int i = 0; i < N; i++) buf_return(taken[i]);
    if (!ASAN_WATCHES) cr_assert_lt(mapped_kib(), before + LEFT_MOST_KIB);
    for (int i = 0; i < N; i++) free(small[i]);
    buf_trim();
}
