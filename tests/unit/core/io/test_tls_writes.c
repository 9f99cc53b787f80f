/* Writes under TLS: the records of a batch, the first of which are small, leave by one call. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/core/io/ends.h"

enum { BATCH = 3 * SSL3_RT_MAX_PLAIN_LENGTH, TICKETS = 2, SMALL = 10, FULL = 3, PIECES = 40 };

static unsigned sends, records;
static int file = -1;
static struct iovec pieces[PIECES];

/* In libc's place: what sockets are given, call by call. */
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    sends++;
    return sendto(fd, p, n, flags, NULL, 0);
}

static void count_records(int out, int version, int type, const void *p, size_t n, SSL *ssl,
                          void *arg)
{
    (void)version, (void)p, (void)n, (void)ssl, (void)arg;
    if (!out && type == SSL3_RT_HEADER) records++;
}

static ENDS_FIBER(write_batch, ends.result = stream_write(&ends.right, ends.large, BATCH,
                                                          ENDS_LONG_MS))
static ENDS_FIBER(write_pieces, ends.result = stream_writev(&ends.right, pieces, PIECES,
                                                            ENDS_LONG_MS))
static ENDS_FIBER(send_file, ends.result = stream_sendfile(&ends.right, file, 0, BATCH,
                                                           ENDS_LONG_MS))

/* By a server whose socket takes all of it. */
static void is_one_write(void (*what)(void *))
{
    unsigned before = sends;
    ends_run(what, NULL);
    cr_assert_eq(ends.result, BATCH);
    cr_assert_eq(sends - before, 1, "%u", sends - before);
}

Test(tls_writes, a_batch_of_records_is_one, .init = ends_begin, .fini = ends_end)
{
    size_t taken = 0;
    ends_shake_hands();
    SSL_set_msg_callback(tls_ssl(&ends.left), count_records);
    is_one_write(write_batch);
    for (; taken < BATCH; taken += (size_t)ends.result) {
        ends_run(ends_read_left, NULL);
        cr_assert_gt(ends.result, 0);
    }
    cr_assert_eq(records, TICKETS + SMALL + FULL, "%u", records);
}

Test(tls_writes, pieces_are_one, .init = ends_begin, .fini = ends_end)
{
    size_t each = BATCH / PIECES, at = 0;
    for (int i = 0; i < PIECES; i++, at += each)
        pieces[i] = (struct iovec){ends.large + at, i + 1 < PIECES ? each : BATCH - at};
    ends_shake_hands();
    is_one_write(write_pieces);
}

Test(tls_writes, a_part_of_a_file_is_one, .init = ends_begin, .fini = ends_end)
{
    char path[] = "/tmp/proxyd-tls.XXXXXX";
    ends_shake_hands();
    file = mkstemp(path);
    unlink(path);
    cr_assert_eq(write(file, ends.large, BATCH), BATCH);
    is_one_write(send_file);
    close(file);
}
