#include "modules/cache/store_memory.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process/worker.h"
#include "core/shared/shm.h"
#include "core/shared/zone.h"

enum { SIZE = 1 << 20, ROWS = 4, OBJECT = 20000 };

static store_memory_t *memory;
static int memory_fd;
static store_index_t *ix;

static void be_worker(void)
{
    worker_counters = worker_counters_take();
    worker_counters->worker = (uint64_t)getpid();
    store_memory_join(memory);
}

static void setup(void)
{
    static unsigned rows = ROWS;
    static zone_set_t set;
    const char *why;
    set.pool = pool_create();
    const zone_t *counters = worker_counters_zone(&set);
    cr_assert(zone_set_map(&set, NULL, &why), "%s", why);
    worker_counters_use(counters);
    memory = store_memory_init(slab_init(shm_map_file(SIZE, &memory_fd), SIZE), &rows);
    ix = store_index_init(slab_init(shm_map(SIZE), SIZE), 0);
    cr_assert(memory && ix);
    be_worker();
}

TestSuite(store_memory, .init = setup);

/* An object with that id, of the entry at that place; its place. */
static uint32_t show(uint64_t id, uint32_t at, size_t n)
{
    char *p;
    uint32_t place = store_memory_take(memory, ix, n, &p);
    if (!place) return 0;
    memset(p, (int)id, n);
    store_entry_t *e = store_index_at(ix, at);
    e->id = id;
    e->memory = place;
    store_memory_show(memory, place, id, at);
    return place;
}

Test(store_memory, is_read_by_who_has_a_pin)
{
    const char *p;
    size_t n;
    uint32_t place = show(7, 1, OBJECT);
    cr_expect_eq(store_memory_pin(memory, place, 8, &p, &n), 0, "another object");
    uint32_t pin = store_memory_pin(memory, place, 7, &p, &n);
    cr_assert_neq(pin, 0);
    cr_expect(n == OBJECT && p[0] == 7 && p[n - 1] == 7);
    store_memory_drop(memory, place, 7);
    cr_expect_eq(store_memory_pin(memory, place, 7, &p, &n), 0);
    cr_expect_geq(store_memory_stats(memory).bytes, OBJECT, "as long as it is read");
    for (uint32_t i = 0; i < 500; i++) show(10 + i, 2 + i, OBJECT);
    cr_expect(p[0] == 7 && p[n - 1] == 7);
    store_memory_unpin(memory, pin);
    cr_expect(store_memory_check(memory));
}

/* As sendfile does: the pipe holds the pages, not a copy. */
Test(store_memory, what_is_on_its_way_stays_as_it_was)
{
    enum { SENT = 40000 };
    static char out[SENT];
    const char *p;
    size_t n, got = 0;
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    for (int round = 1; round < 100; round++) {
        uint32_t place = show((uint64_t)round, 1, SENT);
        uint32_t pin = store_memory_pin(memory, place, (uint64_t)round, &p, &n);
        cr_assert(place && pin);
        loff_t at = (loff_t)store_memory_offset(memory, p);
        cr_assert_eq(splice(memory_fd, &at, ends[1], NULL, SENT, 0), SENT);
        store_memory_unpin(memory, pin);
        store_memory_drop(memory, place, (uint64_t)round);
        for (uint32_t i = 0; i < 40; i++) show(200 + i % 50, 2 + i, i % 2 ? SENT : 700);
        for (got = 0; got < SENT; got += n) n = (size_t)read(ends[0], out + got, SENT - got);
        for (size_t i = 0; i < SENT; i++) cr_assert_eq(out[i], (char)round, "at %zu", i);
        cr_assert(store_memory_check(memory));
    }
}

Test(store_memory, what_is_asked_for_stays)
{
    const char *p;
    size_t n;
    uint32_t place = show(7, 1, OBJECT);
    for (uint32_t i = 0; i < 500; i++) {
        store_entry_touch(store_index_at(ix, 1));
        cr_assert_neq(show(10 + i, 2 + i % 1000, OBJECT), 0);
    }
    uint32_t pin = store_memory_pin(memory, place, 7, &p, &n);
    cr_expect_neq(pin, 0);
    store_memory_unpin(memory, pin);
    cr_expect_eq(store_index_at(ix, 2)->memory, 0, "the first of the others has gone");
    cr_expect_geq(store_memory_stats(memory).bytes, store_memory_stats(memory).most * 3 / 4);
    cr_expect(store_memory_check(memory));
}

Test(store_memory, takes_nothing_that_is_too_large)
{
    char *p;
    size_t most = store_memory_most(memory);
    cr_expect(most >= SIZE / 16 && most <= SIZE / 8);
    cr_expect_eq(store_memory_take(memory, ix, most + 1, &p), 0);
    cr_expect_eq(store_memory_take(memory, ix, 0, &p), 0);
    cr_expect_neq(store_memory_take(memory, ix, most, &p), 0);
}

/* A process that ends without a word, with everything pinned and a place not shown. */
static void die_holding(uint32_t places)
{
    const char *p;
    char *room;
    size_t n;
    worker_counters_t *row = worker_counters_take();
    pid_t pid = fork();
    if (pid == 0) {
        worker_counters = row;
        row->worker = (uint64_t)getpid();
        store_memory_join(memory);
        for (uint32_t i = 1; i <= places; i++) store_memory_pin(memory, i, 10, &p, &n);
        store_memory_take(memory, ix, OBJECT, &room);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    worker_counters_give(row);
}

Test(store_memory, the_pins_of_the_dead_do_not_count)
{
    uint32_t got = 0;
    for (uint32_t i = 0; i < 100; i++) show(10, i, OBJECT); /* all that there is room for */
    die_holding(512);
    for (uint32_t i = 0; i < 200; i++) got += show(20 + i, 20 + i, OBJECT) != 0;
    cr_expect_eq(got, 200);
    cr_expect(store_memory_check(memory));
}
