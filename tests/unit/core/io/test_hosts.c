#include "core/io/hosts.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"

static char path[] = "/tmp/proxyd_test_hosts.XXXXXX";

static void make_file(void)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    clock_update();
}

static void remove_file(void)
{
    unlink(path);
}

static void put(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text, 1, n, f), n);
    fclose(f);
}

#define PUT(text) put(text, sizeof(text) - 1)

static void expect(hosts_t *hosts, const char *name, const char *addrs)
{
    char all[512] = "", one[NET_TEXT_MAX];
    for (const hosts_addr_t *h = hosts_find(hosts, str_of(name)); h; h = h->next) {
        net_format(&h->addr, false, one);
        strcat(strcat(all, one), " ");
    }
    cr_expect_str_eq(all, addrs, "%s: %s", name, all);
}

TestSuite(hosts, .init = make_file, .fini = remove_file);

Test(hosts, reads_names_and_aliases)
{
    PUT("# comment 1.2.3.4 commented\n"
        "127.0.0.1\tlocalhost loop # 5.6.7.8 behind\n"
        "::1   localhost\r\n"
        "  192.0.2.1 Upper.Example\n"
        "192.0.2.2 upper.example#joined\n"
        "192.0.2.3 last");
    hosts_t *hosts = hosts_open(path);
    expect(hosts, "localhost", "127.0.0.1 ::1 ");
    expect(hosts, "loop", "127.0.0.1 ");
    expect(hosts, "upper.example", "192.0.2.1 192.0.2.2 ");
    expect(hosts, "last", "192.0.2.3 ");
    expect(hosts, "commented", "");
    expect(hosts, "behind", "");
    expect(hosts, "joined", "");
    expect(hosts, "", "");
    hosts_close(hosts);
}

Test(hosts, passes_over_lines_it_does_not_understand)
{
    PUT("\n\n   \n#\n"
        "192.0.2.1\n"
        "name 192.0.2.1\n"
        "192.0.2.1:80 port\n"
        "unix:/run/x sock\n"
        "fe80::1%lo0 scoped\n"
        "1.2.3 short\n"
        "\0 nul\n"
        "192.0.2.9 good\n");
    hosts_t *hosts = hosts_open(path);
    expect(hosts, "port", "");
    expect(hosts, "sock", "");
    expect(hosts, "scoped", "");
    expect(hosts, "short", "");
    expect(hosts, "nul", "");
    expect(hosts, "192.0.2.1", "");
    expect(hosts, "good", "192.0.2.9 ");
    hosts_close(hosts);
}

/* Lets the time between two looks at the file pass. */
static void let_it_look(void)
{
    uint64_t from = clock_ms();
    while (clock_ms() < from + HOSTS_CHECK_MS) {
        usleep(50 * 1000);
        clock_update();
    }
}

Test(hosts, follows_the_file)
{
    PUT("192.0.2.1 a\n");
    hosts_t *hosts = hosts_open(path);
    expect(hosts, "a", "192.0.2.1 ");
    PUT("192.0.2.22 a b\n");
    expect(hosts, "a", "192.0.2.1 "); /* the process's clock stands still */
    let_it_look();
    expect(hosts, "a", "192.0.2.22 ");
    expect(hosts, "b", "192.0.2.22 ");
    unlink(path);
    let_it_look();
    expect(hosts, "b", "192.0.2.22 ");
    hosts_close(hosts);
}

Test(hosts, comes_to_know_a_file_that_was_not_there)
{
    unlink(path);
    hosts_t *hosts = hosts_open(path);
    expect(hosts, "a", "");
    PUT("192.0.2.1 a\n");
    let_it_look();
    expect(hosts, "a", "192.0.2.1 ");
    hosts_close(hosts);
}
