#include "modules/upstream/roster.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 4 };

static roster_t *r;
static void *memory;
static size_t size;

static void setup(void)
{
    size = (roster_bytes(NAMES) + 16 * SLAB_PAGE) & ~(size_t)(SLAB_PAGE - 1);
    memory = shm_map(size);
    r = roster_init(slab_init(memory, size), NAMES);
    cr_assert(r);
}

static void teardown(void)
{
    shm_unmap(memory, size);
}

TestSuite(roster, .init = setup, .fini = teardown);

/* count addresses 10.0.0.last, with `last` going down. */
static roster_answer_t *answer(unsigned count, unsigned char last, uint64_t expires)
{
    static roster_answer_t a;
    a = (roster_answer_t){.count = count, .expires_ms = expires};
    for (unsigned i = 0; i < count; i++)
        a.addrs[i] = (roster_addr_t){.bytes = {10, 0, 0, (unsigned char)(last - i)}, .port = 80};
    return &a;
}

Test(roster, tells_what_is_new)
{
    static roster_answer_t a;
    cr_assert_not(roster_find(r, STR("a"), 0, &a));
    cr_assert_eq(roster_expires(r, STR("a")), 0);
    cr_assert(roster_set(r, STR("a"), answer(2, 9, 1000)));
    cr_assert(roster_find(r, STR("a"), 0, &a));
    cr_assert_eq(a.count, 2);
    cr_assert_eq(roster_expires(r, STR("a")), 1000);
    cr_assert_not(roster_find(r, STR("a"), a.version, &a));
    cr_assert_not(roster_find(r, STR("b"), 0, &a));
}

Test(roster, the_same_addresses_in_another_order_are_no_change)
{
    static roster_answer_t a, b;
    roster_set(r, STR("a"), answer(3, 9, 1000));
    roster_find(r, STR("a"), 0, &a);
    b = a;
    b.addrs[0] = a.addrs[2];
    b.addrs[2] = a.addrs[0];
    b.expires_ms = 2000;
    cr_assert_not(roster_set(r, STR("a"), &b));
    cr_assert_eq(roster_expires(r, STR("a")), 2000);
    b.addrs[1].weight = 7;
    cr_assert(roster_set(r, STR("a"), &b));
    cr_assert(roster_find(r, STR("a"), a.version, &a));
}

Test(roster, a_failure_leaves_what_is_known)
{
    static roster_answer_t a;
    roster_put_off(r, STR("new"), 500);
    cr_assert_eq(roster_expires(r, STR("new")), 500);
    cr_assert_not(roster_find(r, STR("new"), 0, &a));
    roster_set(r, STR("a"), answer(2, 9, 1000));
    roster_put_off(r, STR("a"), 7000);
    cr_assert_eq(roster_expires(r, STR("a")), 7000);
    cr_assert(roster_find(r, STR("a"), 0, &a));
}

/* Names that no configuration has any more are not asked for, so they expired first. */
Test(roster, names_that_are_gone_make_room)
{
    static roster_answer_t a;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (unsigned i = 0; i < 5; i++)
        roster_set(r, str_of(names[i]), answer(1, (unsigned char)i, i == 1 ? 10 : 1000 + i));
    cr_assert_not(roster_find(r, STR("b"), 0, &a));
    for (unsigned i = 0; i < 5; i++)
        if (i != 1) cr_assert(roster_find(r, str_of(names[i]), 0, &a), "%s", names[i]);
}

Test(roster, addresses_are_ones_to_connect_to)
{
    char text[NET_TEXT_MAX];
    roster_addr_t v4 = {.bytes = {192, 0, 2, 1}, .port = 8080};
    roster_addr_t v6 = {.bytes = {0x20, 1, 0x0d, 0xb8, [15] = 1}, .port = 443, .ipv6 = true};
    net_addr_t a = roster_address(&v4);
    net_format(&a, true, text);
    cr_assert_str_eq(text, "192.0.2.1:8080");
    a = roster_address(&v6);
    net_format(&a, true, text);
    cr_assert_str_eq(text, "[2001:db8::1]:443");
}

Test(roster, lines_come_and_go)
{
    char line[ROSTER_LINE];
    uint64_t seen = 0, other = 0;
    cr_assert_not(roster_line(r, 0, &seen, line));
    cr_assert(roster_add(r, STR("server a;")));
    cr_assert(roster_add(r, STR("server b;")));
    cr_assert(roster_line(r, 0, &seen, line));
    cr_assert_str_eq(line, "server a;");
    cr_assert_not(roster_line(r, 0, &seen, line));
    roster_remove(r, 0);
    cr_assert(roster_line(r, 0, &seen, line));
    cr_assert_str_eq(line, "");
    cr_assert(roster_add(r, STR("server c;")));
    cr_assert(roster_line(r, 0, &seen, line));
    cr_assert_str_eq(line, "server c;");
    cr_assert(roster_line(r, 1, &other, line));
    cr_assert_str_eq(line, "server b;");
}

Test(roster, there_is_room_for_so_many_lines_of_such_a_length)
{
    char text[ROSTER_LINE + 1];
    memset(text, 'x', sizeof(text));
    cr_assert_not(roster_add(r, str_make(text, ROSTER_LINE)));
    cr_assert_not(roster_add(r, STR("")));
    for (unsigned i = 0; i < ROSTER_ADDED; i++)
        cr_assert(roster_add(r, str_make(text, ROSTER_LINE - 1)));
    cr_assert_not(roster_add(r, STR("x")));
}

/* Whoever is killed at any instant, with the lock: the others go on with whole addresses. */
Test(roster, survives_writers_that_are_killed)
{
    static roster_answer_t a;
    for (int round = 0; round < 60; round++) {
        pid_t pid = fork();
        if (pid == 0)
            for (unsigned char i = 100;; i ^= 1) roster_set(r, STR("a"), answer(40, i, i));
        usleep((unsigned)(round % 7) * 300);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (!roster_find(r, STR("a"), 0, &a)) continue;
        cr_assert_eq(a.count, 40);
        for (unsigned i = 0; i < a.count; i++) cr_assert_eq(a.addrs[i].bytes[0], 10);
    }
    cr_assert(roster_set(r, STR("a"), answer(1, 1, 1)));
}
