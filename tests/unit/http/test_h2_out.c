#include "http/h2_out.h"

#include <criterion/criterion.h>
#include <errno.h>

/* A stream that takes so many bytes at a time and then no more until it is let. */
static char taken[1 << 20];
static size_t taken_n, takes, broken;
static unsigned done_calls;

static ssize_t put(stream_t *s, const struct iovec *iov, int n)
{
    size_t sum = 0;
    if (broken) return -EPIPE;
    for (int i = 0; i < n && takes; i++) {
        size_t m = iov[i].iov_len < takes ? iov[i].iov_len : takes;
        memcpy(taken + taken_n, iov[i].iov_base, m);
        taken_n += m;
        takes -= m;
        sum += m;
    }
    if (sum) return (ssize_t)sum;
    s->io.ready = 0;
    return -EAGAIN;
}

static const stream_ops_t ops = {.writev = put};
static stream_t stream;

static void begin(void)
{
    stream = (stream_t){.ops = &ops};
    stream.io.ready = LOOP_WRITE;
    taken_n = broken = 0;
    done_calls = 0;
    takes = sizeof(taken);
}

static void done(void *owner)
{
    done_calls += *(unsigned *)owner;
}

static int let(h2_out_t *o, size_t n)
{
    takes = n;
    stream.io.ready = LOOP_WRITE;
    return h2_out_write(o, &stream, done);
}

static void assert_taken(const char *text)
{
    cr_assert(str_eq(str_make(taken, taken_n), str_of(text)), "%.*s", (int)taken_n, taken);
}

Test(h2_out, copies_and_references_leave_in_order, .init = begin)
{
    h2_out_t o = {NULL};
    unsigned one = 1, ten = 10;
    char text[] = "refers";
    cr_assert(h2_out_empty(&o));
    h2_out_copy(&o, STR("head "));
    h2_out_copy(&o, STR("more "));
    h2_out_refer(&o, str_of(text), &one);
    h2_out_copy(&o, STR(" and "));
    h2_out_refer(&o, str_of(text), &ten);
    memcpy(h2_out_room(&o, 3), "end", 3);
    cr_assert_eq(h2_out_write(&o, &stream, done), 1);
    assert_taken("head more refers and refersend");
    cr_assert_eq(done_calls, 11);
    cr_assert(h2_out_empty(&o));
}

Test(h2_out, goes_on_where_the_socket_stopped, .init = begin)
{
    h2_out_t o = {NULL};
    unsigned one = 1;
    h2_out_copy(&o, STR("0123"));
    h2_out_refer(&o, STR("4567"), &one);
    h2_out_copy(&o, STR("89"));
    for (size_t i = 0; i < 9; i++) {
        cr_assert_eq(let(&o, 1), 0);
        cr_assert_eq(done_calls, i >= 7);
    }
    cr_assert_eq(let(&o, 1), 1);
    assert_taken("0123456789");
}

/* Who leaves before all is written takes the memory with it. */
Test(h2_out, keeps_what_its_owner_takes_away, .init = begin)
{
    h2_out_t o = {NULL};
    unsigned one = 1, ten = 10;
    char mine[] = "abcdef", other[] = "uvwxyz";
    h2_out_refer(&o, str_of(mine), &one);
    h2_out_refer(&o, str_of(other), &ten);
    h2_out_refer(&o, str_of(mine), &one);
    cr_assert_eq(let(&o, 2), 0);
    h2_out_keep(&o, &one);
    memset(mine, '!', sizeof(mine) - 1);
    cr_assert_eq(let(&o, sizeof(taken)), 1);
    assert_taken("abcdefuvwxyzabcdef");
    cr_assert_eq(done_calls, 10);
}

Test(h2_out, is_bounded, .init = begin)
{
    h2_out_t o = {NULL};
    static char large[100000];
    unsigned one = 1, n = 0;
    for (; h2_out_takes(&o, 1); n++) h2_out_refer(&o, STR("x"), &one);
    cr_assert(n > 8 && n < H2_OUT_SLICES);
    h2_out_drop(&o);
    cr_assert_eq(done_calls, 0);
    for (n = 0; h2_out_takes(&o, 1); n++) h2_out_copy(&o, str_make(large, sizeof(large)));
    cr_assert_leq(n, 2u);
    h2_out_drop(&o);
    cr_assert(h2_out_empty(&o));
}

Test(h2_out, an_error_is_passed_on, .init = begin)
{
    h2_out_t o = {NULL};
    broken = 1;
    h2_out_copy(&o, STR("x"));
    cr_assert_eq(h2_out_write(&o, &stream, done), -EPIPE);
    h2_out_drop(&o);
}
