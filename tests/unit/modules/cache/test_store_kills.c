/* Processes of a store that are killed, at moments of our choice and at any. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "core/shared/shm.h"
#include "modules/cache/store_fill.h"
#include "modules/cache/store_manager.h"
#include "shelf.h"

static shelf_t shelf;

typedef struct board { /* what the processes tell each other */
    uint64_t steps[64];
    uint64_t filled, read, purged;
} board_t;

static volatile board_t *board;

static void setup(void)
{
    board = shm_map(sizeof(*board));
    shelf_open(&shelf, (size_t)512 << 10, (size_t)2 << 20);
}

static void teardown(void)
{
    shelf_close(&shelf);
    shm_unmap((void *)(uintptr_t)board, sizeof(*board));
}

TestSuite(store_kills, .init = setup, .fini = teardown, .timeout = 180);

static void await_step(unsigned id, uint64_t step)
{
    for (int i = 0; i < 20000 && board->steps[id] < step; i++) usleep(1000);
    cr_assert_geq(board->steps[id], step);
}

static store_turn_t join(shelf_t *t, const char *key, store_object_t *o, store_fill_t **fill)
{
    store_key_t k = store_key(str_of(key));
    store_wait_t wait = {20000, UINT64_MAX};
    return store_join(t->s, &k, STR(""), &wait, t->pool, NULL, o, fill);
}

/* --- a filler that dies --- */

static int fill_and_hang(shelf_t *t, unsigned id)
{
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {.length = 1000};
    if (join(t, "a", &o, &fill) != STORE_FILLER) return 1;
    board->steps[id] = 1;
    if (id == 1) fiber_sleep(60000);
    store_fill_head(fill, &r);
    store_fill_body(fill, STR("some of it"));
    board->steps[id] = 2;
    fiber_sleep(60000);
    return 2;
}

/* 0: it got the turn and has stored; 10: it read along and was told that it broke off. */
static int wait_and_fill(shelf_t *t, unsigned id)
{
    store_object_t o;
    store_fill_t *fill;
    board->steps[id] = 1;
    for (int i = 0; i < 10; i++) {
        store_turn_t turn = join(t, "a", &o, &fill);
        if (turn == STORE_FOLLOWS) {
            board->steps[id] = 2;
            bool broke = !shelf_read(t, &o).p;
            store_close(&o);
            return broke ? 10 : 11;
        }
        if (turn == STORE_RETRY && shelf_get(t, "a", NULL).p) return 0;
        if (turn != STORE_FILLER) continue;
        __atomic_add_fetch(&board->filled, 1, __ATOMIC_SEQ_CST);
        store_response_t r = {.length = 5};
        store_fill_head(fill, &r);
        fiber_sleep(20);
        store_fill_body(fill, STR("whole"));
        return store_fill_commit(fill) == 0 ? 0 : 3;
    }
    return 4;
}

static void expect_exit(pid_t pid, int status)
{
    int got = shelf_bury(pid);
    cr_expect(WIFEXITED(got) && WEXITSTATUS(got) == status, "%x", (unsigned)got);
}

Test(store_kills, one_of_those_who_wait_for_the_dead_takes_over)
{
    enum { WAITERS = 4 };
    pid_t filler = shelf_fork(&shelf, fill_and_hang, 1), waiters[WAITERS];
    await_step(1, 1);
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = shelf_fork(&shelf, wait_and_fill, 10 + i);
        await_step(10 + i, 1);
    }
    usleep(50000); /* they wait */
    uint64_t killed = clock_us_now();
    kill(filler, SIGKILL);
    shelf_bury(filler);
    unsigned followed = 0;
    for (unsigned i = 0; i < WAITERS; i++) {
        int got = shelf_bury(waiters[i]);
        cr_expect(WIFEXITED(got) && (WEXITSTATUS(got) == 0 || WEXITSTATUS(got) == 11), "%x", got);
        followed += WEXITSTATUS(got) == 11;
    }
    cr_expect_eq(board->filled, 1, "one");
    cr_expect_lt(clock_us_now() - killed, 10000000u, "not because the time was over");
    cr_log_info("%u read along", followed);
}

Test(store_kills, those_who_read_along_with_the_dead_are_told)
{
    pid_t filler = shelf_fork(&shelf, fill_and_hang, 2), reader;
    await_step(2, 2);
    reader = shelf_fork(&shelf, wait_and_fill, 3);
    await_step(3, 2);
    usleep(20000);
    kill(filler, SIGKILL);
    shelf_bury(filler);
    expect_exit(reader, 10);
}

/* --- all of it at random --- */

enum { KEYS = 40, PROCESSES = 4, KILLS = 60, NUMBER = 16 };

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* Key, number of the version, and bytes that follow from both. */
static str_t make_body(pool_t *pool, unsigned key, uint64_t version)
{
    size_t n = 24 + mix(key ^ version) % (version % 4 ? 3000 : 120000);
    char *p = pool_bytes(pool, n + 24);
    uint64_t head[3] = {key, version, n};
    memcpy(p, head, sizeof(head));
    for (size_t i = 24; i < n; i++) p[i] = (char)(mix(key + version) >> i % 8 * 8 ^ i);
    return str_make(p, n);
}

static bool is_body(pool_t *pool, unsigned key, str_t got)
{
    uint64_t head[3];
    if (got.n < sizeof(head)) return false;
    memcpy(head, got.p, sizeof(head));
    return head[0] == key && str_eq(got, make_body(pool, key, head[1]));
}

/* False: bytes that nobody stored. */
static bool read_one(shelf_t *t, store_object_t *o, unsigned key, bool whole)
{
    str_t body = shelf_read(t, o);
    bool good = body.p ? is_body(t->pool, key, body) && o->head.n == 3 : !whole;
    store_close(o);
    board->read += good && body.p;
    return good;
}

static bool fill_one(shelf_t *t, store_fill_t *fill, unsigned key, uint64_t random)
{
    str_t body = make_body(t->pool, key, random >> 20);
    str_t tags[] = {pool_printf(t->pool, "tag%u", key % 7)};
    store_response_t r = {.head = STR("abc"), .tags = tags, .tag_count = 1};
    r.length = random & 256 ? (int64_t)body.n : -1;
    if (random % 13 == 0) store_fill_pass(fill, 0);
    else if (store_fill_head(fill, &r) != 0) store_fill_abandon(fill);
    else {
        size_t half = body.n / 2;
        store_fill_body(fill, str_sub(body, 0, half));
        if (random & 512) fiber_yield();
        store_fill_body(fill, str_sub(body, half, body.n));
        if (random % 17 == 0) store_fill_abandon(fill);
        else store_fill_commit(fill);
    }
    return true;
}

static void purge_some(shelf_t *t, const store_key_t *key, uint64_t random)
{
    if (random % 3 == 0) store_purge_key(t->s, key, random & 64);
    str_t tag = pool_printf(t->pool, "tag%u", (unsigned)(random % 7));
    if (random % 3 == 1) store_purge_tag(t->s, tag, false);
    if (random % 97 == 2) store_purge_all(t->s, random & 64);
    if (random % 31 == 2) store_purge_prefix(t->s, STR("key1"), random & 64);
}

static bool operate(shelf_t *t, uint64_t random)
{
    unsigned key = (unsigned)(random >> 8) % KEYS;
    store_key_t k = store_key(pool_printf(t->pool, "key%u", key));
    store_object_t seen, o;
    store_fill_t *fill;
    store_wait_t wait = {50, random & 2048 ? 1 : UINT64_MAX};
    if (random % 61 == 0) purge_some(t, &k, random >> 16);
    bool hit = store_open(t->s, &k, STR(""), t->pool, &seen) == STORE_HIT;
    bool stale = hit && (seen.stale || random % 19 == 0);
    if (hit && !stale) return read_one(t, &seen, key, true);
    store_turn_t turn = store_join(t->s, &k, STR(""), &wait, t->pool, &seen, &o, &fill);
    bool good = true;
    if (turn == STORE_FOLLOWS) good = read_one(t, &o, key, false);
    if (turn == STORE_FILLER && stale && random & 1024) store_fill_refresh(fill, &seen, STR("new"));
    else if (turn == STORE_FILLER) good = fill_one(t, fill, key, random);
    if (hit) store_close(&seen);
    return good;
}

static int work(shelf_t *t, unsigned id)
{
    for (uint64_t i = 0;; i++) {
        t->pool = pool_create();
        clock_update();
        if (!operate(t, mix((uint64_t)id << 32 | i))) return 1;
        pool_destroy(t->pool);
        board->steps[id % 64]++;
        if (i % 16 == 0) fiber_yield();
    }
}

static void kill_one(pid_t pid, unsigned id, uint64_t steps)
{
    uint64_t from = board->steps[id % 64];
    for (int i = 0; i < 10000 && board->steps[id % 64] < from + steps; i++) usleep(200);
    kill(pid, SIGKILL);
    int status = shelf_bury(pid);
    cr_assert(WIFSIGNALED(status), "a process read bytes that nobody stored");
}

/* Every object has its file, and there is no other. */
static void expect_one_file_each(void)
{
    unsigned objects = 0, files = shelf_files(&shelf);
    for (uint32_t i = 0; i < store_index_capacity(shelf.s->shared->index); i++) {
        store_entry_t e;
        if (!store_index_copy(shelf.s->shared->index, i, &e) || e.kind != STORE_KIND_OBJECT)
            continue;
        store_file_t f = store_zone_file(&e);
        int fd = store_file_open(&shelf.s->dir, &f, false);
        cr_expect_geq(fd, 0, "a file is missing");
        if (fd >= 0) close(fd);
        objects++;
    }
    cr_expect_eq(files, objects, "%u files of %u objects", files, objects);
}

static void turn(void *arg)
{
    (void)arg;
    cr_assert_eq(store_manager_turn(shelf.s), 0);
}

static void read_everything(void *arg)
{
    (void)arg;
    for (unsigned key = 0; key < KEYS; key++) {
        str_t body = shelf_get(&shelf, pool_printf(shelf.pool, "key%u", key).p, NULL);
        if (body.p) cr_expect(is_body(shelf.pool, key, body));
    }
}

Test(store_kills, no_wrong_byte_however_many_die)
{
    pid_t pids[PROCESSES];
    unsigned ids[PROCESSES];
    shelf_run(turn, NULL); /* all there is at the start is known */
    for (unsigned i = 0; i < PROCESSES; i++) pids[i] = shelf_fork(&shelf, work, ids[i] = i);
    for (unsigned k = 0; k < KILLS; k++) {
        unsigned i = k % PROCESSES;
        kill_one(pids[i], ids[i], mix(k) % 200 + 1);
        cr_assert(store_index_check(shelf.s->shared->index));
        cr_assert(store_memory_check(shelf.s->memory));
        pids[i] = shelf_fork(&shelf, work, ids[i] = PROCESSES + k);
    }
    for (unsigned i = 0; i < PROCESSES; i++) kill_one(pids[i], ids[i], 1);
    store_stats_t st = store_stats(shelf.s);
    cr_log_info("%llu read, %llu stored, %llu followed, %llu refreshed, %llu broken, "
                "%llu recoveries",
                (unsigned long long)board->read, (unsigned long long)st.stored,
                (unsigned long long)st.followed, (unsigned long long)st.refreshed,
                (unsigned long long)st.broken, (unsigned long long)st.recoveries);
    cr_expect_gt(board->read, 1000);
    cr_expect_gt(st.followed, 0);
    cr_expect_gt(st.refreshed, 0);
    shelf_run(read_everything, NULL);
    shelf_run(turn, NULL); /* processes have gone: the manager looks at the files */
    shelf_run(read_everything, NULL);
    expect_one_file_each();
    shelf_restart(&shelf);
    shelf_run(turn, NULL);
    shelf_run(read_everything, NULL);
    expect_one_file_each();
}
