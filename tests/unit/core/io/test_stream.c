#include "core/io/stream.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE = 3000000, LONG_MS = 60000 };

static stream_t s;
static int peer = -1;
static ssize_t result;
static bool over;
static char *large;

/* A TCP connection over loopback: `s` in the loop, `peer` a plain descriptor. */
static net_addr_t listen_on(int *fd)
{
    net_addr_t a;
    cr_assert(net_parse(STR("127.0.0.1:1"), 0, &a));
    a.in.sin_port = 0;
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(*fd, &a.sa, a.len), 0);
    cr_assert_eq(listen(*fd, 8), 0);
    cr_assert(net_local(*fd, &a));
    return a;
}

static void begin(void)
{
    int listener, small = 16384;
    net_addr_t a = listen_on(&listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    cr_assert_eq(connect(fd, &a.sa, a.len), 0);
    peer = accept(listener, NULL, NULL);
    close(listener);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    cr_assert_eq(loop_open(), 0);
    cr_assert_eq(stream_open(&s, fd), 0);
    large = malloc(LARGE);
    for (int i = 0; i < LARGE; i++) large[i] = (char)(i * 31 + i / 1000);
}

static void end(void)
{
    stream_close(&s, false);
    if (peer >= 0) close(peer);
    loop_close();
    fiber_trim();
    free(large);
}

/* Runs fn in a fiber until it is over; meanwhile the peer does its part. */
static void run(void (*fn)(void *), void (*meanwhile)(void))
{
    over = false;
    cr_assert(fiber_start(fn, NULL));
    while (!over) {
        loop_turn(meanwhile ? 1 : -1);
        if (meanwhile) meanwhile();
    }
}

#define FIBER(name, body) \
    static void name(void *arg) \
    { \
        (void)arg; \
        body; \
        over = true; \
    }

static char bytes[64];

FIBER(read_some, result = stream_read(&s, bytes, sizeof(bytes), LONG_MS))
FIBER(read_briefly, result = stream_read(&s, bytes, sizeof(bytes), 20))
FIBER(write_large, result = stream_write(&s, large, LARGE, LONG_MS))
FIBER(write_briefly, result = stream_write(&s, large, LARGE, 20))

static void say_hello(void)
{
    static bool said;
    if (!said) cr_assert_eq(write(peer, "hello", 5), 5);
    said = true;
}

Test(stream, reads_what_comes_and_the_end, .init = begin, .fini = end)
{
    run(read_some, say_hello);
    cr_assert_eq(result, 5);
    cr_assert_eq(memcmp(bytes, "hello", 5), 0);
    cr_assert_eq(s.received, 5u);
    shutdown(peer, SHUT_WR);
    run(read_some, NULL);
    cr_assert_eq(result, 0);
    run(read_some, NULL);
    cr_assert_eq(result, 0, "the end stays");
}

Test(stream, data_before_the_end_is_not_lost, .init = begin, .fini = end)
{
    cr_assert_eq(write(peer, large, 100), 100);
    shutdown(peer, SHUT_WR);
    run(read_some, NULL);
    cr_assert_eq(result, 64);
    run(read_some, NULL);
    cr_assert_eq(result, 36);
    run(read_some, NULL);
    cr_assert_eq(result, 0);
}

Test(stream, a_read_times_out, .init = begin, .fini = end)
{
    run(read_briefly, NULL);
    cr_assert_eq(result, -ETIMEDOUT);
}

static size_t taken;
static bool wrong;

static void take_some(void)
{
    static char piece[70000];
    ssize_t n = recv(peer, piece, sizeof(piece), MSG_DONTWAIT);
    if (n <= 0) return;
    wrong |= memcmp(piece, large + taken, (size_t)n) != 0;
    taken += (size_t)n;
}

Test(stream, writes_all_however_slowly_it_is_taken, .init = begin, .fini = end)
{
    run(write_large, take_some);
    cr_assert_eq(result, LARGE);
    cr_assert_eq(s.sent, (uint64_t)LARGE);
    while (taken < LARGE) take_some();
    cr_assert(!wrong);
}

Test(stream, a_write_that_nobody_takes_times_out, .init = begin, .fini = end)
{
    run(write_briefly, NULL);
    cr_assert_eq(result, -ETIMEDOUT);
    cr_assert_lt(s.sent, (uint64_t)LARGE);
}

static void writev_all(void *arg)
{
    (void)arg;
    struct iovec iov[100];
    size_t at = 0;
    for (int i = 0; i < 100; i++) {
        size_t n = i == 99 ? LARGE - at : (size_t)(i * 617);
        iov[i] = (struct iovec){large + at, n};
        at += n;
    }
    result = stream_writev(&s, iov, 100, LONG_MS);
    over = true;
}

Test(stream, writes_vectors_longer_than_the_kernel_takes_at_once, .init = begin, .fini = end)
{
    run(writev_all, take_some);
    cr_assert_eq(result, LARGE);
    while (taken < LARGE) take_some();
    cr_assert(!wrong);
}

static int file = -1;

FIBER(send_file, result = stream_sendfile(&s, file, 1000, LARGE - 1000, LONG_MS))
FIBER(send_too_much, result = stream_sendfile(&s, file, 0, LARGE + 1, LONG_MS))

static void make_file(void)
{
    char path[] = "/tmp/proxyd-stream.XXXXXX";
    file = mkstemp(path);
    unlink(path);
    cr_assert_eq(write(file, large, LARGE), LARGE);
}

Test(stream, sends_files, .init = begin, .fini = end)
{
    make_file();
    taken = 1000;
    run(send_file, take_some);
    cr_assert_eq(result, LARGE - 1000);
    while (taken < LARGE) take_some();
    cr_assert(!wrong);
    close(file);
}

Test(stream, a_file_that_is_too_short_is_an_error, .init = begin, .fini = end)
{
    make_file();
    run(send_too_much, take_some);
    cr_assert_eq(result, -EIO);
    close(file);
}

Test(stream, trying_does_not_wait, .init = begin, .fini = end)
{
    cr_assert_eq(stream_try_read(&s, bytes, sizeof(bytes)), -EAGAIN);
    cr_assert(!stream_readable(&s));
    cr_assert_eq(write(peer, "x", 1), 1);
    loop_turn(1000);
    cr_assert(stream_readable(&s));
    cr_assert_eq(stream_try_read(&s, bytes, sizeof(bytes)), 1);
    cr_assert(!stream_readable(&s), "a short read has drained it");
    struct iovec iov = {large, 100};
    cr_assert_eq(stream_try_writev(&s, &iov, 1), 100);
}

Test(stream, a_reset_of_the_peer_is_an_error, .init = begin, .fini = end)
{
    struct linger drop = {.l_onoff = 1};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
    close(peer);
    peer = -1;
    run(read_some, NULL);
    cr_assert_eq(result, -ECONNRESET);
    run(write_large, NULL);
    cr_assert(result == -EPIPE || result == -ECONNRESET);
}

Test(stream, closing_with_a_reset_is_seen_as_one, .init = begin, .fini = end)
{
    stream_close(&s, true);
    cr_assert(!stream_is_open(&s));
    cr_assert_lt(read(peer, bytes, 1), 0);
    cr_assert_eq(errno, ECONNRESET);
    stream_close(&s, true);
}

Test(stream, after_a_shutdown_it_still_reads, .init = begin, .fini = end)
{
    stream_shutdown(&s);
    cr_assert_eq(read(peer, bytes, 1), 0);
    cr_assert_eq(write(peer, "late", 4), 4);
    run(read_some, NULL);
    cr_assert_eq(result, 4);
}

static void cancel_reader(void)
{
    if (s.io.reader) fiber_cancel(s.io.reader, -ECANCELED);
}

Test(stream, a_cancelled_read_says_why, .init = begin, .fini = end)
{
    run(read_some, cancel_reader);
    cr_assert_eq(result, -ECANCELED);
}

/* --- connecting --- */

static net_addr_t to, from;
static stream_t made;

FIBER(connect_there, result = stream_connect(&made, &to, from.len ? &from : NULL, LONG_MS))

Test(stream, connects_from_an_address, .init = begin, .fini = end)
{
    int listener;
    net_addr_t local;
    to = listen_on(&listener);
    cr_assert(net_parse(STR("127.0.0.9:1"), 0, &from));
    from.in.sin_port = 0;
    run(connect_there, NULL);
    cr_assert_eq(result, 0);
    cr_assert(net_local(made.io.fd, &local));
    cr_assert_eq(local.in.sin_addr.s_addr, from.in.sin_addr.s_addr);
    stream_close(&made, false);
    close(listener);
}

Test(stream, a_refused_connection_leaves_nothing_open, .init = begin, .fini = end)
{
    int listener;
    to = listen_on(&listener);
    close(listener);
    run(connect_there, NULL);
    cr_assert_eq(result, -ECONNREFUSED);
    cr_assert(!stream_is_open(&made));
}

Test(stream, a_missing_unix_socket_is_an_error, .init = begin, .fini = end)
{
    cr_assert(net_parse(STR("unix:/nonexistent/proxyd.sock"), 0, &to));
    run(connect_there, NULL);
    cr_assert_eq(result, -ENOENT);
    cr_assert(!stream_is_open(&made));
}
