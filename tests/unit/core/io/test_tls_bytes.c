/* Bytes over TLS: records, files, what waits. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/core/io/ends.h"

static struct iovec pieces[100];
static int file = -1, records;
static size_t taken;
static bool wrong;

static void cut_into_pieces(void)
{
    size_t at = 0;
    for (int i = 0; i < 100; i++) {
        size_t n = i == 99 ? ENDS_LARGE - at : (size_t)(i * 61);
        pieces[i] = (struct iovec){ends.large + at, n};
        at += n;
    }
}

static void take_all(void)
{
    static char piece[70000];
    ssize_t n;
    while (taken < ENDS_LARGE &&
           (n = stream_read(&ends.right, piece, sizeof(piece), ENDS_LONG_MS)) > 0) {
        wrong |= memcmp(piece, ends.large + taken, (size_t)n) != 0;
        taken += (size_t)n;
    }
}

static void count_records(int out, int version, int type, const void *p, size_t n, SSL *ssl,
                          void *arg)
{
    (void)version, (void)p, (void)n, (void)ssl, (void)arg;
    if (!out && type == SSL3_RT_HEADER) records++;
}

static ENDS_FIBER(write_pieces, ends.result = stream_writev(&ends.left, pieces, 100, ENDS_LONG_MS))
static ENDS_FIBER(write_large, ends.result = stream_write(&ends.left, ends.large, ENDS_LARGE,
                                                          ENDS_LONG_MS))
static ENDS_FIBER(send_file, ends.result = stream_sendfile(&ends.left, file, 0, ENDS_LARGE,
                                                           ENDS_LONG_MS))
static ENDS_FIBER(send_too_much, ends.result = stream_sendfile(&ends.left, file, ENDS_LARGE - 10,
                                                               11, ENDS_LONG_MS))
static ENDS_FIBER(read_large, take_all())

static void took_all(void)
{
    cr_assert_eq(ends.result, ENDS_LARGE);
    cr_assert_eq(taken, (size_t)ENDS_LARGE);
    cr_assert(!wrong);
    cr_assert_eq(ends.left.sent, (uint64_t)ENDS_LARGE);
    cr_assert_eq(ends.right.received, (uint64_t)ENDS_LARGE);
}

Test(tls_bytes, pieces_share_full_records, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    SSL_set_msg_callback(tls_ssl(&ends.right), count_records);
    cut_into_pieces();
    ends_run(write_pieces, read_large);
    took_all();
    /* Vectors are handed on 64 pieces at a time, so two batches may end with a part of a record. */
    cr_assert_leq(records, ENDS_LARGE / SSL3_RT_MAX_PLAIN_LENGTH + 3);
}

static size_t sizes[64];
static unsigned sized;

static void note_sizes(int out, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
    const unsigned char *head = p;
    (void)version, (void)n, (void)ssl, (void)arg;
    if (!out && type == SSL3_RT_HEADER && sized < 64)
        sizes[sized++] = (size_t)head[3] << 8 | head[4];
}

static ENDS_FIBER(answer_large, stream_write(&ends.right, ends.large, 100000, ENDS_LONG_MS))
static ENDS_FIBER(take_answer, while (taken < 100000) {
    ssize_t n = stream_read(&ends.left, ends.large + 200000, 70000, ENDS_LONG_MS);
    if (n <= 0) break;
    taken += (size_t)n;
})

/* After a pause the first records fit a packet each (1460 ends.bytes on most paths); then they are
   full. */
Test(tls_bytes, a_server_begins_with_small_records, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    SSL_set_msg_callback(tls_ssl(&ends.left), note_sizes);
    ends_run(answer_large, take_answer);
    cr_assert_eq(taken, 100000);
    cr_assert_gt(sized, 12); /* two tickets come first */
    for (unsigned i = 2; i < 12; i++) cr_assert_leq(sizes[i], 1400, "%u: %zu", i, sizes[i]);
    cr_assert_gt(sizes[12], SSL3_RT_MAX_PLAIN_LENGTH);
    sized = 0, taken = 0;
    ends_run(answer_large, take_answer);
    cr_assert_gt(sizes[0], SSL3_RT_MAX_PLAIN_LENGTH, "%zu", sizes[0]);
}

Test(tls_bytes, much_passes_a_slow_socket, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    ends_run(write_large, read_large);
    took_all();
}

static void make_file(void)
{
    char path[] = "/tmp/proxyd-tls.XXXXXX";
    file = mkstemp(path);
    unlink(path);
    cr_assert_eq(write(file, ends.large, ENDS_LARGE), ENDS_LARGE);
}

Test(tls_bytes, sends_files, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    make_file();
    ends_run(send_file, read_large);
    took_all();
    ends_run(send_too_much, NULL);
    cr_assert_eq(ends.result, -EIO);
    close(file);
}

static ENDS_FIBER(write_briefly, ends.result = stream_write(&ends.left, ends.large, ENDS_LARGE, 20))

Test(tls_bytes, a_write_that_nobody_takes_times_out, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    ends_run(write_briefly, NULL);
    cr_assert_eq(ends.result, -ETIMEDOUT);
}

Test(tls_bytes, more_than_is_read_at_once_is_pending, .init = ends_begin, .fini = ends_end)
{
    struct iovec iov = {ends.large, 100};
    ends_shake_hands();
    cr_assert_eq(stream_try_writev(&ends.right, &iov, 1), 100);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 64);
    cr_assert(stream_readable(&ends.left));
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 36);
    cr_assert_eq(stream_try_read(&ends.left, ends.bytes, 1), -EAGAIN);
}
