/* Several who renew the head of one body at one time: requests, of which a purge lets in more than
   one, and the manager. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "core/io/fiber.h"
#include "core/shared/shm.h"
#include "modules/cache/store_manager.h"
#include "shelf.h"

enum { REFRESHERS = 3, ROUNDS = 1000, HEAD = 3000 };

static shelf_t shelf;

static volatile struct {
    uint64_t refreshed, read, purged, turns;
    bool stop;
} *board;

static void setup(void)
{
    board = shm_map(sizeof(*board));
    shelf_open(&shelf, (size_t)512 << 10, 0);
}

static void teardown(void)
{
    shelf_close(&shelf);
    shm_unmap((void *)(uintptr_t)board, sizeof(*board));
}

TestSuite(store_renew, .init = setup, .fini = teardown, .timeout = 180);

/* All of one letter, and as long as the letter says. */
static str_t make_head(pool_t *pool, unsigned number)
{
    unsigned letter = number % 26;
    size_t n = HEAD - letter * 10;
    char *p = pool_bytes(pool, n + 1);
    memset(p, (int)('a' + letter), n);
    p[n] = 0;
    return str_make(p, n);
}

static bool is_head(str_t head)
{
    unsigned letter = (unsigned)(head.p[0] - 'a');
    for (size_t i = 0; i < head.n; i++)
        if (head.p[i] != head.p[0]) return false;
    return head.n == HEAD - letter * 10;
}

static int refresh_for_ever(shelf_t *t, unsigned id)
{
    store_key_t k = store_key(STR("a"));
    store_object_t o, other;
    store_fill_t *fill;
    for (unsigned i = id; !board->stop; i++) {
        t->pool = pool_create();
        if (store_open(t->s, &k, STR(""), t->pool, &o) == STORE_HIT) {
            if (!is_head(o.head)) return 1;
            board->read++;
            store_turn_t turn = store_join(t->s, &k, STR(""), NULL, t->pool, &o, &other, &fill);
            if (turn == STORE_FILLER && store_fill_refresh(fill, &o, make_head(t->pool, i)) == 0)
                __atomic_add_fetch(&board->refreshed, 1, __ATOMIC_RELAXED);
            store_close(&o);
        }
        pool_destroy(t->pool);
        if (i % 8 == 0) fiber_yield();
    }
    return 0;
}

static int purge_for_ever(shelf_t *t, unsigned id)
{
    store_key_t k = store_key(STR("a"));
    (void)id;
    while (!board->stop) {
        store_purge_key(t->s, &k, true);
        board->purged++;
        usleep(100);
    }
    return 0;
}

static int manage_for_ever(shelf_t *t, unsigned id)
{
    (void)id;
    while (!board->stop) {
        if (store_manager_turn(t->s) != 0) return 1;
        board->turns++;
        fiber_yield();
    }
    return 0;
}

static void put(void *arg)
{
    cr_assert_eq(shelf_put(&shelf, "a", make_head(shelf.pool, 0).p, STR("body")), 0);
    (void)arg;
}

static uint64_t stored_id(void)
{
    store_key_t k = store_key(STR("a"));
    store_entry_t e;
    return store_index_find(shelf.s->shared->index, k.hash, 0, &e) == STORE_NO_ENTRY ? 0 : e.id;
}

Test(store_renew, goes_one_after_the_other)
{
    pid_t pids[REFRESHERS + 2];
    shelf_run(put, NULL);
    uint64_t id = stored_id();
    for (unsigned i = 0; i < REFRESHERS; i++)
        pids[i] = shelf_fork(&shelf, refresh_for_ever, 7 * i);
    pids[REFRESHERS] = shelf_fork(&shelf, purge_for_ever, 0);
    pids[REFRESHERS + 1] = shelf_fork(&shelf, manage_for_ever, 0);
    for (int i = 0; i < 100000 && (board->refreshed < ROUNDS || board->turns < ROUNDS / 10); i++)
        usleep(1000);
    board->stop = true;
    for (unsigned i = 0; i < REFRESHERS + 2; i++)
        cr_expect_eq(shelf_bury(pids[i]), 0, "a head that nobody wrote, or a turn that failed");
    store_stats_t st = store_stats(shelf.s);
    cr_log_info("%llu read, %llu refreshed, %llu purged, %llu turns",
                (unsigned long long)board->read, (unsigned long long)board->refreshed,
                (unsigned long long)board->purged, (unsigned long long)board->turns);
    cr_expect_geq(board->refreshed, ROUNDS);
    cr_expect_eq(st.broken, 0, "%llu torn", (unsigned long long)st.broken);
    cr_expect(id && stored_id() == id, "it is stored still");
}
