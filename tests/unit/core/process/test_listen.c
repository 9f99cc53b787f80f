#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/process/listen.h"

static pool_t *pool;
static log_t silent = {.level = -1};

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(listen, .init = setup, .fini = teardown);

/* Tests run side by side: each process has a loopback address of its own. */
static net_addr_t address(uint16_t port)
{
    net_addr_t a;
    unsigned id = (unsigned)getpid();
    str_t text = pool_printf(pool, "127.%u.%u.%u:%u", 1 + (id >> 16) % 250, (id >> 8) & 255,
                             id & 255, port);
    cr_assert(net_parse(text, 0, &a), STR_FMT, STR_ARG(text));
    return a;
}

static listen_set_t set_of(const net_addr_t *a, size_t n)
{
    listen_set_t set = {.pool = pool};
    for (size_t i = 0; i < n; i++) listen_want(&set, &a[i]);
    return set;
}

static int connect_to(const net_addr_t *a)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, &a->sa, a->len) == 0) return fd;
    int err = -errno;
    close(fd);
    return err;
}

static bool queued(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

Test(listen, one_for_each_address)
{
    listen_set_t set = {.pool = pool};
    net_addr_t a = address(80), b = address(81);
    listen_t *l = listen_want(&set, &a);
    cr_assert_neq(l, listen_want(&set, &b));
    cr_assert_eq(l, listen_want(&set, &a));
    cr_assert_eq(listen_find(&set, &b)->addr.len, b.len);
    cr_assert(l->options.ipv6only);
    cr_assert_eq(l->options.keepalive, -1);
    cr_assert_eq(listen_fd(l, 0), -1);
}

Test(listen, a_socket_for_each_worker)
{
    net_addr_t a = address(8000);
    listen_set_t set = set_of(&a, 1);
    cr_assert(listen_set_bind(&set, NULL, 3, &silent));
    cr_assert_eq(set.first->fd_count, 3);
    cr_assert_neq(listen_fd(set.first, 0), listen_fd(set.first, 2));
    cr_assert_eq(listen_fd(set.first, 3), -1);
    int client = connect_to(&a);
    cr_assert_geq(client, 0);
    cr_assert_eq(queued(set.first->fds[0]) + queued(set.first->fds[1]) + queued(set.first->fds[2]),
                 1);
    listen_set_close(&set, NULL);
    cr_assert_eq(connect_to(&a), -ECONNREFUSED);
}

Test(listen, an_address_in_use_is_refused_though_sockets_share)
{
    net_addr_t a[2] = {address(8000), address(8001)};
    listen_set_t first = set_of(&a[1], 1), second = set_of(a, 2);
    cr_assert(listen_set_bind(&first, NULL, 2, &silent));
    cr_assert_not(listen_set_bind(&second, NULL, 2, &silent));
    listen_set_abandon(&second, NULL);
    cr_assert_eq(connect_to(&a[0]), -ECONNREFUSED);
    cr_assert_geq(connect_to(&a[1]), 0);
}

Test(listen, a_reload_takes_sockets_over)
{
    net_addr_t a[2] = {address(8000), address(8001)};
    listen_set_t before = set_of(a, 1), now = set_of(a, 2);
    cr_assert(listen_set_bind(&before, NULL, 2, &silent));
    cr_assert(listen_set_bind(&now, &before, 2, &silent));
    cr_assert_eq(now.first->fds[0], before.first->fds[0]);
    cr_assert_eq(now.first->fds[1], before.first->fds[1]);
    cr_assert(listen_kept(before.first, 0, &now));
    listen_set_commit(&now, &before);
    listen_set_close(&before, &now);
    cr_assert_geq(connect_to(&a[0]), 0);
    cr_assert_geq(connect_to(&a[1]), 0);
}

Test(listen, an_abandoned_reload_leaves_everything_as_it_was)
{
    net_addr_t a[2] = {address(8000), address(8001)};
    listen_set_t before = set_of(a, 1), now = set_of(a, 2);
    cr_assert(listen_set_bind(&before, NULL, 1, &silent));
    cr_assert(listen_set_bind(&now, &before, 4, &silent));
    listen_set_abandon(&now, &before);
    cr_assert_eq(connect_to(&a[1]), -ECONNREFUSED);
    for (int i = 0; i < 32; i++) {
        cr_assert_geq(connect_to(&a[0]), 0);
        cr_assert(queued(before.first->fds[0]));
        close(accept(before.first->fds[0], NULL, NULL));
    }
}

/* Connects n times; how many connections each socket got. */
static void spread(const net_addr_t *a, const listen_t *l, unsigned n, unsigned *count)
{
    for (unsigned i = 0; i < l->fd_count; i++) count[i] = 0;
    while (n-- > 0) {
        int client = connect_to(a);
        cr_assert_geq(client, 0);
        for (unsigned i = 0; i < l->fd_count; i++)
            if (queued(l->fds[i])) {
                close(accept(l->fds[i], NULL, NULL));
                count[i]++;
            }
        close(client);
    }
}

Test(listen, fewer_workers_take_sockets_out_of_the_kernels_choice)
{
    unsigned count[4];
    net_addr_t a = address(8000);
    listen_set_t before = set_of(&a, 1), now = set_of(&a, 1);
    cr_assert(listen_set_bind(&before, NULL, 4, &silent));
    cr_assert(listen_set_bind(&now, &before, 2, &silent));
    listen_set_commit(&now, &before);
    spread(&a, before.first, 200, count);
    cr_assert(count[0] > 0 && count[1] > 0, "%u %u", count[0], count[1]);
    cr_assert_eq(count[2] + count[3], 0);
    cr_assert_not(listen_kept(before.first, 2, &now));
    listen_set_close(&before, &now);
    spread(&a, now.first, 50, count);
    cr_assert_eq(count[0] + count[1], 50);
}

Test(listen, more_workers_get_connections_when_they_are_ready)
{
    unsigned count[4];
    net_addr_t a = address(8000);
    listen_set_t before = set_of(&a, 1), now = set_of(&a, 1);
    cr_assert(listen_set_bind(&before, NULL, 2, &silent));
    cr_assert(listen_set_bind(&now, &before, 4, &silent));
    spread(&a, now.first, 200, count);
    cr_assert_eq(count[2] + count[3], 0);
    listen_set_commit(&now, &before);
    spread(&a, now.first, 400, count);
    cr_assert(count[2] > 0 && count[3] > 0, "%u %u", count[2], count[3]);
}

/* Some kernels let nobody but root put one on TCP. */
static bool filters_are_allowed(void)
{
    struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    struct sock_fprog prog = {.len = 1, .filter = &all};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
    close(fd);
    return r == 0;
}

Test(listen, a_retired_address_keeps_its_queue_and_takes_no_more)
{
    if (!filters_are_allowed()) cr_skip_test("no filter may be attached to a socket");
    net_addr_t a = address(8000);
    listen_set_t set = set_of(&a, 1);
    cr_assert(listen_set_bind(&set, NULL, 1, &silent));
    cr_assert_geq(connect_to(&a), 0);
    listen_set_retire(&set, NULL);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(late, &a.sa, a.len), -1);
    cr_assert_eq(errno, EINPROGRESS); /* on loopback it would be done by now */
    cr_assert(queued(set.first->fds[0]));
    int fd = accept4(set.first->fds[0], NULL, NULL, SOCK_NONBLOCK);
    cr_assert_geq(fd, 0);
    cr_assert_not(queued(set.first->fds[0]));
}

static net_addr_t unix_address(const char *directory)
{
    net_addr_t a;
    cr_assert(net_parse(pool_printf(pool, "unix:%s/s", directory), 0, &a));
    return a;
}

Test(listen, unix_sockets_are_one_for_all_and_open_to_everybody)
{
    char directory[] = "/tmp/proxyd-test-XXXXXX";
    struct stat st;
    cr_assert_not_null(mkdtemp(directory));
    net_addr_t a = unix_address(directory);
    listen_set_t set = set_of(&a, 1);
    cr_assert(listen_set_bind(&set, NULL, 3, &silent));
    cr_assert_eq(set.first->fd_count, 1);
    cr_assert_eq(listen_fd(set.first, 0), listen_fd(set.first, 2));
    cr_assert_eq(stat(a.un.sun_path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0666);
    listen_set_retire(&set, NULL);
    cr_assert_eq(stat(a.un.sun_path, &st), -1);
    rmdir(directory);
}

Test(listen, a_socket_file_left_over_is_replaced_one_in_use_is_not)
{
    char directory[] = "/tmp/proxyd-test-XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    net_addr_t a = unix_address(directory);
    listen_set_t dead = set_of(&a, 1), alive = set_of(&a, 1), third = set_of(&a, 1);
    cr_assert(listen_set_bind(&dead, NULL, 1, &silent));
    close(dead.first->fds[0]);
    cr_assert(listen_set_bind(&alive, NULL, 1, &silent));
    cr_assert_not(listen_set_bind(&third, NULL, 1, &silent));
    listen_set_abandon(&third, NULL);
    cr_assert_geq(connect_to(&a), 0);
    unlink(a.un.sun_path);
    rmdir(directory);
}

Test(listen, options_reach_the_socket)
{
    net_addr_t a = address(8000);
    listen_set_t set = set_of(&a, 1);
    listen_t *l = set.first;
    l->options.rcvbuf = 32768;
    l->options.keepalive = 1;
    cr_assert(listen_set_bind(&set, NULL, 1, &silent));
    int value = 0;
    socklen_t n = sizeof(value);
    cr_assert_eq(getsockopt(l->fds[0], SOL_SOCKET, SO_RCVBUF, &value, &n), 0);
    cr_assert_eq(value, 65536); /* the kernel doubles it, socket(7) */
    cr_assert_eq(getsockopt(l->fds[0], SOL_SOCKET, SO_KEEPALIVE, &value, &n), 0);
    cr_assert_eq(value, 1);
}

Test(listen, a_worker_keeps_what_is_its_own)
{
    net_addr_t a[2] = {address(8000), address(8001)};
    listen_set_t set = set_of(a, 2);
    cr_assert(listen_set_bind(&set, NULL, 3, &silent));
    int mine = listen_fd(set.first, 1);
    listen_set_close_foreign(&set, &set, 1);
    cr_assert_eq(listen_fd(set.first, 1), mine);
    cr_assert_eq(listen_fd(set.first, 0), -1);
    cr_assert_eq(listen_fd(set.first, 2), -1);
    cr_assert_geq(listen_fd(set.first->next, 1), 0);
}
