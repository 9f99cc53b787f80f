/* What a purge costs: which of the entries it looks at. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/shared/shm.h"
#include "modules/cache/store_manager.h"
#include "modules/cache/store_shard.h"
#include "shelf.h"

enum { PAGE = 4096 };

static shelf_t shelf;

static void setup(void)
{
    shelf_open(&shelf, (size_t)16 << 20, 0);
}

static void teardown(void)
{
    shelf_close(&shelf);
}

TestSuite(store_purge, .init = setup, .fini = teardown, .timeout = 180);

static store_entry_t entry(uint64_t number)
{
    store_key_t k = store_key(pool_printf(shelf.pool, "/%llu", (unsigned long long)number));
    return (store_entry_t){.key = {k.hash[0], k.hash[1]},
                           .kind = STORE_KIND_OBJECT,
                           .id = number + 1,
                           .born = STORE_PURGE_START};
}

static unsigned fill(void)
{
    store_put_t out;
    unsigned n = store_index_capacity(shelf.s->shared->index) / 2;
    for (unsigned i = 0; i < n; i++) {
        store_entry_t e = entry(i);
        store_index_put(shelf.s->shared->index, &e, &out);
    }
    return n;
}

/* All entries are out of reach: who looks at one dies. */
static void seal(store_index_t *ix, bool sealed)
{
    char *from = (char *)(((uintptr_t)ix->entries + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    char *to = (char *)((uintptr_t)(ix->entries + ix->capacity) & ~(uintptr_t)(PAGE - 1));
    int how = sealed ? PROT_NONE : PROT_READ | PROT_WRITE;
    cr_assert_eq(mprotect(from, (size_t)(to - from), how), 0);
}

static void unseal(store_index_t *ix, uint32_t at)
{
    if (at == STORE_NO_ENTRY) return;
    uintptr_t from = (uintptr_t)&ix->entries[at] & ~(uintptr_t)(PAGE - 1);
    uintptr_t to = ((uintptr_t)&ix->entries[at + 1] + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    cr_assert_eq(mprotect((void *)from, to - from, PROT_READ | PROT_WRITE), 0);
}

/* A tag, a prefix and everything are written down; no object is looked at. */
static void purge_all_kinds(void *arg)
{
    store_index_t *ix = shelf.s->shared->index;
    (void)arg;
    cr_assert_gt(fill(), 50000);
    seal(ix, true);
    for (int soft = 0; soft < 2; soft++) {
        store_purge_tag(shelf.s, STR("red"), soft);
        cr_expect_eq(store_purge_prefix(shelf.s, STR("/1"), soft), 0);
        store_purge_all(shelf.s, soft);
    }
    seal(ix, false);
}

Test(store_purge, of_tag_prefix_and_all_looks_at_no_object)
{
    shelf_run(purge_all_kinds, NULL);
}

/* The chain, and who stands beside it in the queue. */
static unsigned unseal_chain(store_index_t *ix, const uint64_t key[2])
{
    unsigned n = 0;
    const store_shard_t *s = store_shard_of(ix, key);
    uint32_t i = *store_shard_bucket(ix, s, key[1]), next;
    for (; i != STORE_NO_ENTRY; i = next, n++) {
        unseal(ix, i);
        next = ix->entries[i].next;
        uint32_t ahead = ix->entries[i].ahead, behind = ix->entries[i].behind;
        unseal(ix, ahead);
        unseal(ix, behind);
    }
    return n;
}

static void purge_some_keys(void *arg)
{
    store_index_t *ix = shelf.s->shared->index;
    (void)arg;
    unsigned all = fill();
    for (unsigned i = 0; i < 100; i++) {
        store_key_t k = store_key(pool_printf(shelf.pool, "/%u", i * (all / 100)));
        seal(ix, true);
        unsigned chain = unseal_chain(ix, k.hash);
        cr_expect(chain > 0 && chain < 16, "%u", chain);
        if (i % 2) cr_expect_eq(store_purge_key(shelf.s, &k, true), 1);
        cr_expect_eq(store_purge_key(shelf.s, &k, false), 1);
        seal(ix, false);
    }
}

Test(store_purge, of_a_key_looks_at_its_chain_alone)
{
    shelf_run(purge_some_keys, NULL);
}

/* In every process, before the purge returns. */
static volatile unsigned *told;

static int look(shelf_t *t, unsigned id)
{
    store_object_t o;
    store_key_t k = store_key(STR("a"));
    (void)id;
    for (unsigned seen = 0;; t->pool = pool_create()) {
        unsigned before = *told;
        bool hit = store_open(t->s, &k, STR(""), t->pool, &o) == STORE_HIT;
        bool late = hit && o.stored && !o.stale && before % 2 == 1 && *told == before;
        if (hit) store_close(&o);
        if (late) return 1;
        seen += !hit;
        pool_destroy(t->pool);
        if (before == UINT32_MAX) return seen ? 0 : 2;
    }
}

static void purge_and_put(void *arg)
{
    store_key_t k = store_key(STR("a"));
    (void)arg;
    for (unsigned i = 0; i < 400; i++) {
        cr_assert_eq(shelf_put(&shelf, "a", "", STR("a")), 0);
        if (i % 4 == 0) store_purge_all(shelf.s, i % 8 == 0);
        if (i % 4 == 1) store_purge_tag(shelf.s, STR("a"), false); /* a key counts as a tag */
        if (i % 4 == 2) cr_assert_eq(store_purge_key(shelf.s, &k, false), 1);
        if (i % 4 == 3) store_purge_tag(shelf.s, STR("a"), true);
        __atomic_store_n(told, *told + 1, __ATOMIC_SEQ_CST);
        usleep(200);
        __atomic_store_n(told, *told + 1, __ATOMIC_SEQ_CST);
    }
}

Test(store_purge, takes_effect_in_all_processes_before_it_returns)
{
    enum { READERS = 3 };
    pid_t pids[READERS];
    told = shm_map(sizeof(*told));
    for (unsigned i = 0; i < READERS; i++) pids[i] = shelf_fork(&shelf, look, i);
    shelf_run(purge_and_put, NULL);
    *told = UINT32_MAX;
    for (unsigned i = 0; i < READERS; i++) cr_expect_eq(shelf_bury(pids[i]), 0);
    shm_unmap((void *)(uintptr_t)told, sizeof(*told));
}

/* A prefix is remembered for what is being fetched, or that is not stored when there is no room. */
static void purge_what_is_fetched(void *arg)
{
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {.length = 1};
    (void)arg;
    for (unsigned purges = 1; purges <= STORE_PREFIXES; purges += STORE_PREFIXES - 1) {
        store_key_t k = store_key(STR("/a/1")), other = store_key(STR("/b/1"));
        store_fill_t *unhurt;
        store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill);
        store_join(shelf.s, &other, STR(""), NULL, shelf.pool, NULL, &o, &unhurt);
        for (unsigned i = 0; i < purges; i++)
            cr_expect_eq(store_purge_prefix(shelf.s, STR("/a/"), false), 0);
        for (int i = 0; i < 2; i++) cr_assert_eq(store_manager_turn(shelf.s), 0);
        cr_assert_eq(store_fill_head(fill, &r), 0);
        cr_assert_eq(store_fill_body(fill, STR("x")), 0);
        cr_expect_eq(store_fill_commit(fill), -ESTALE);
        cr_expect_null(shelf_get(&shelf, "/a/1", NULL).p);
        cr_assert_eq(store_fill_head(unhurt, &r), 0);
        cr_assert_eq(store_fill_body(unhurt, STR("x")), 0);
        cr_expect_eq(store_fill_commit(unhurt), purges == 1 ? 0 : -ESTALE);
        cr_expect_eq(store_purge_prefix(shelf.s, STR("/z"), false), 0, "there is room");
        cr_assert_eq(store_manager_turn(shelf.s), 0);
    }
}

Test(store_purge, of_a_prefix_is_not_outlived_by_what_is_being_fetched)
{
    shelf_run(purge_what_is_fetched, NULL);
}
