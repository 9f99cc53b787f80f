#include "modules/cache/store_index.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/shm.h"

typedef struct zone {
    size_t size;
    slab_t *slab;
    store_index_t *ix;
} zone_t;

static zone_t make(size_t size)
{
    zone_t z = {.size = size};
    void *p = shm_map(size);
    cr_assert_not_null(p);
    z.slab = slab_init(p, size);
    z.ix = store_index_init(z.slab, 0);
    cr_assert_not_null(z.ix);
    return z;
}

static void drop(zone_t *z)
{
    cr_expect(store_index_check(z->ix));
    shm_unmap(z->slab, z->size);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* An entry whose every field follows from number and id, so that a mixture of two is recognised. */
static store_entry_t object(uint64_t number, uint64_t id)
{
    return (store_entry_t){.key = {mix(number), mix(number + 1000000007)},
                           .kind = STORE_KIND_OBJECT,
                           .id = id,
                           .length = mix(number ^ id) % 100000,
                           .stored = (uint32_t)mix(number + id),
                           .body_at = 512};
}

static bool is_whole(const store_entry_t *e, uint64_t number)
{
    store_entry_t o = object(number, e->id);
    return e->key[0] == o.key[0] && e->key[1] == o.key[1] && e->length == o.length &&
           e->stored == o.stored && e->kind == STORE_KIND_OBJECT;
}

static uint32_t put(store_index_t *ix, uint64_t number, uint64_t id)
{
    store_put_t out;
    store_entry_t e = object(number, id);
    return store_index_put(ix, &e, &out);
}

static uint32_t add(store_index_t *ix, uint64_t number, uint64_t id)
{
    store_put_t out;
    store_entry_t e = object(number, id);
    e.flags = STORE_UNVERIFIED;
    return store_index_add(ix, &e, &out);
}

static uint32_t find(store_index_t *ix, uint64_t number, store_entry_t *copy)
{
    store_entry_t o = object(number, 0);
    return store_index_find(ix, o.key, 0, copy);
}

Test(store_index, finds_what_was_put)
{
    zone_t z = make(64 * SLAB_PAGE);
    store_entry_t e, gone;
    cr_expect_eq(find(z.ix, 1, &e), STORE_NO_ENTRY);
    uint32_t at = put(z.ix, 1, 10);
    cr_expect_eq(find(z.ix, 1, &e), at);
    cr_expect(is_whole(&e, 1) && e.id == 10);
    cr_expect_eq(put(z.ix, 1, 11), at, "the same place");
    cr_expect_eq(store_index_stats(z.ix).entries, 1);
    cr_expect_not(store_index_drop(z.ix, at, 10, &gone), "that was the one before");
    cr_expect(store_index_drop(z.ix, at, 11, &gone));
    cr_expect_eq(gone.id, 11);
    cr_expect_eq(find(z.ix, 1, &e), STORE_NO_ENTRY);
    cr_expect_eq(store_index_stats(z.ix).entries, 0);
    cr_expect_eq(store_index_stats(z.ix).bytes, 0);
    drop(&z);
}

Test(store_index, what_came_later_stays)
{
    zone_t z = make(64 * SLAB_PAGE);
    store_entry_t e;
    uint32_t at = put(z.ix, 1, 10);
    cr_expect_eq(put(z.ix, 1, 9), STORE_NO_ENTRY);
    cr_expect_eq(add(z.ix, 1, 11), STORE_NO_ENTRY, "a file in the place of what was stored");
    cr_expect_eq(find(z.ix, 1, &e), at);
    cr_expect_eq(e.id, 10);
    at = add(z.ix, 2, 10);
    cr_expect_eq(add(z.ix, 2, 10), STORE_NO_ENTRY);
    cr_expect_eq(add(z.ix, 2, 9), STORE_NO_ENTRY);
    cr_expect_eq(add(z.ix, 2, 12), at, "two files of one key");
    cr_expect_eq(find(z.ix, 2, &e), at);
    cr_expect_eq(e.id, 12);
    cr_expect_eq(store_index_stats(z.ix).entries, 2);
    drop(&z);
}

Test(store_index, says_what_was_replaced_and_what_had_to_go)
{
    zone_t z = make(16 * SLAB_PAGE);
    store_put_t out;
    unsigned capacity = store_index_capacity(z.ix);
    for (unsigned i = 0; i < capacity; i++) {
        store_entry_t e = object(i, i + 1);
        store_index_put(z.ix, &e, &out);
        cr_assert_eq(out.evicted.kind, STORE_KIND_FREE);
        cr_assert_eq(out.replaced.kind, STORE_KIND_FREE);
    }
    cr_expect(store_index_short(z.ix, 0));
    store_entry_t again = object(5, 7777), more = object(capacity, 1);
    store_index_put(z.ix, &again, &out);
    cr_expect_eq(out.replaced.id, 6);
    store_index_put(z.ix, &more, &out);
    cr_expect_eq(out.evicted.id, 1, "the oldest");
    cr_expect_eq(store_index_stats(z.ix).entries, capacity);
    drop(&z);
}

Test(store_index, what_was_asked_for_stays_and_what_comes_back_soon_as_well)
{
    zone_t z = make(16 * SLAB_PAGE);
    store_entry_t e, gone;
    unsigned capacity = store_index_capacity(z.ix);
    for (unsigned i = 0; i < capacity; i++) put(z.ix, i, i + 1);
    uint32_t at = find(z.ix, 0, &e);
    store_entry_touch(store_index_at(z.ix, at));
    cr_assert(store_index_evict(z.ix, 0, &gone));
    cr_expect_eq(gone.id, 2);
    put(z.ix, 1, 5000); /* a ghost: into the main queue */
    for (unsigned i = 0; i < capacity - 2; i++) cr_assert(store_index_evict(z.ix, 0, &gone));
    cr_expect_neq(find(z.ix, 0, &e), STORE_NO_ENTRY);
    cr_expect_neq(find(z.ix, 1, &e), STORE_NO_ENTRY);
    drop(&z);
}

Test(store_index, keeps_variants_apart_and_thins_them)
{
    zone_t z = make(64 * SLAB_PAGE);
    store_put_t out;
    store_entry_t e, gone;
    for (unsigned i = 1; i <= 5; i++) {
        store_entry_t v = object(1, i);
        v.variant = i;
        v.vary = i < 3 ? 1 : 2;
        store_index_put(z.ix, &v, &out);
    }
    store_entry_t o = object(1, 0);
    cr_expect_neq(store_index_any(z.ix, o.key, &e), STORE_NO_ENTRY);
    cr_expect_eq(e.id, 5, "the latest");
    cr_expect_eq(find(z.ix, 1, &e), STORE_NO_ENTRY);
    cr_expect_neq(store_index_find(z.ix, o.key, 2, &e), STORE_NO_ENTRY);
    cr_expect_eq(e.id, 2);
    unsigned others = 0;
    while (store_index_thin(z.ix, o.key, 2, 3, &gone)) others += gone.vary == 1;
    cr_expect_eq(others, 2);
    cr_expect_eq(store_index_stats(z.ix).entries, 3);
    cr_expect(store_index_thin(z.ix, o.key, 2, 2, &gone));
    cr_expect_eq(gone.id, 3, "the oldest of too many");
    drop(&z);
}

Test(store_index, renews_and_flags_only_what_is_still_there)
{
    zone_t z = make(64 * SLAB_PAGE);
    store_entry_t e;
    uint32_t at = put(z.ix, 1, 10);
    cr_expect_not(store_index_flag(z.ix, at, 9, STORE_STALE, 0));
    cr_expect(store_index_flag(z.ix, at, 10, STORE_STALE, 0));
    find(z.ix, 1, &e);
    cr_expect_eq(e.flags, STORE_STALE);
    e.flags = STORE_SECOND;
    e.stored = 99;
    e.version = 1;
    cr_expect(store_index_renew(z.ix, at, &e));
    e.id = 9;
    cr_expect_not(store_index_renew(z.ix, at, &e));
    find(z.ix, 1, &e);
    cr_expect(e.flags == STORE_SECOND && e.stored == 99 && e.version == 1 && e.id == 10);
    drop(&z);
}

Test(store_index, takes_100_to_150_bytes_for_an_entry)
{
    zone_t z = make((size_t)16 << 20);
    double each = (double)z.size / store_index_capacity(z.ix);
    cr_expect(each > 100 && each < 150, "%.1f bytes", each);
    cr_expect_geq(store_index_capacity(z.ix), 8000u * 16 * 9 / 10, "as in nginx");
    drop(&z);
}

/* --- the hit ratio --- */

enum { ITEMS = 100000, REQUESTS = 600000 };

/* Sums of i to the power of -0.9: the tenth root of i over i. */
static const double *zipf_sums(void)
{
    static double sums[ITEMS];
    double sum = 0, root = 1;
    for (int i = 1; i <= ITEMS; i++) {
        for (int n = 0; n < 5; n++) {
            double p3 = root * root * root, p9 = p3 * p3 * p3;
            root -= (p9 * root - i) / (10 * p9);
        }
        sums[i - 1] = sum += root / i;
    }
    return sums;
}

static unsigned zipf_next(const double *sums, uint64_t *seed)
{
    double u = (double)(mix((*seed)++) >> 11) / 9007199254740992.0 * sums[ITEMS - 1];
    unsigned low = 0, high = ITEMS - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sums[middle] < u) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Three requests in ten are for something that is never asked for again. */
static uint64_t next_request(const double *sums, uint64_t *seed)
{
    static uint64_t wonders = ITEMS;
    return mix(*seed ^ 0x5555) % 10 < 3 ? ((*seed)++, wonders++) : zipf_next(sums, seed);
}

typedef struct lru { /* of numbers; a place by number is enough for a simulation */
    uint32_t *newer, *older;
    uint32_t newest, oldest, count, most;
    uint8_t *in;
} lru_t;

enum { NUMBERS = ITEMS + REQUESTS };

static lru_t lru_make(uint32_t most)
{
    return (lru_t){.newer = calloc(NUMBERS, 4),
                   .older = calloc(NUMBERS, 4),
                   .in = calloc(NUMBERS, 1),
                   .newest = UINT32_MAX,
                   .oldest = UINT32_MAX,
                   .most = most};
}

static void lru_unlink(lru_t *l, uint32_t i)
{
    if (l->newer[i] != UINT32_MAX) l->older[l->newer[i]] = l->older[i];
    else l->newest = l->older[i];
    if (l->older[i] != UINT32_MAX) l->newer[l->older[i]] = l->newer[i];
    else l->oldest = l->newer[i];
    l->in[i] = 0;
    l->count--;
}

static bool lru_request(lru_t *l, uint32_t i)
{
    bool hit = l->in[i];
    if (hit) lru_unlink(l, i);
    else if (l->count == l->most) lru_unlink(l, l->oldest);
    l->older[i] = l->newest;
    l->newer[i] = UINT32_MAX;
    if (l->newest != UINT32_MAX) l->newer[l->newest] = i;
    else l->oldest = i;
    l->newest = i;
    l->in[i] = 1;
    l->count++;
    return hit;
}

static void lru_free(lru_t *l)
{
    free(l->newer);
    free(l->older);
    free(l->in);
}

Test(store_index, hits_five_points_more_often_than_lru)
{
    zone_t z = make((size_t)1 << 20);
    const double *sums = zipf_sums();
    lru_t lru = lru_make(store_index_capacity(z.ix));
    uint64_t seed = 1;
    unsigned hits = 0, lru_hits = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        store_entry_t e;
        uint64_t number = next_request(sums, &seed);
        uint32_t at = find(z.ix, number, &e);
        if (at != STORE_NO_ENTRY) store_entry_touch(store_index_at(z.ix, at));
        else put(z.ix, number, i + 1);
        hits += at != STORE_NO_ENTRY;
        lru_hits += lru_request(&lru, (uint32_t)number);
    }
    double ours = 100.0 * hits / REQUESTS, theirs = 100.0 * lru_hits / REQUESTS;
    cr_log_info("%u entries: %.1f %%, LRU %.1f %%", lru.most, ours, theirs);
    cr_expect_geq(ours, theirs + 5, "%.1f %% and %.1f %%", ours, theirs);
    lru_free(&lru);
    drop(&z);
}

/* --- processes that are killed --- */

enum { PROCESSES = 3, KILLS = 150, NUMBERS_USED = 3000 };

static volatile uint64_t *progress; /* operations, for each process that ever was */

/* One random operation; false when something was read that nobody wrote. */
static bool operate(store_index_t *ix, uint64_t *seed)
{
    store_entry_t e, gone;
    uint64_t random = mix((*seed)++), number = random % NUMBERS_USED;
    unsigned what = random >> 32 & 15;
    if (what < 5) { /* or a later one stays */
        put(ix, number, random);
        return true;
    }
    if (what == 15) {
        store_index_evict(ix, (unsigned)(random >> 40) % store_index_shards(ix), &gone);
        return true;
    }
    uint32_t at = find(ix, number, &e);
    if (at == STORE_NO_ENTRY) return true;
    if (!is_whole(&e, number)) return false;
    store_entry_touch(store_index_at(ix, at));
    if (what == 14) store_index_drop(ix, at, e.id, &gone);
    if (what == 13) store_index_renew(ix, at, &e);
    if (what == 12) store_index_flag(ix, at, e.id, STORE_STALE, 0);
    return true;
}

static pid_t start(store_index_t *ix, unsigned id)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    uint64_t seed = (uint64_t)id << 40;
    for (;; progress[id]++)
        if (!operate(ix, &seed)) _exit(1);
}

static void kill_soon(pid_t pid, unsigned id, uint64_t operations)
{
    int status;
    while (progress[id] < operations) {
        cr_assert_eq(waitpid(pid, &status, WNOHANG), 0, "a process read what nobody wrote");
        usleep(1);
    }
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status), "a process read what nobody wrote");
}

Test(store_index, survives_killed_processes, .timeout = 180)
{
    zone_t z = make(64 * SLAB_PAGE); /* room for two thirds of them */
    pid_t pids[PROCESSES];
    progress = shm_map((PROCESSES + KILLS) * sizeof(*progress));
    for (unsigned i = 0; i < PROCESSES; i++) pids[i] = start(z.ix, i);
    for (unsigned k = 0; k < KILLS; k++) {
        kill_soon(pids[k % PROCESSES], k, mix(k) % 2000 + 1);
        pids[k % PROCESSES] = start(z.ix, PROCESSES + k);
        if (k % 8 == 0) cr_assert(store_index_check(z.ix));
    }
    for (unsigned i = 0; i < PROCESSES; i++) kill_soon(pids[(KILLS + i) % PROCESSES], KILLS + i, 1);
    cr_expect(store_index_check(z.ix));
    cr_log_info("%llu recoveries", (unsigned long long)store_index_stats(z.ix).recoveries);
    cr_expect_leq(store_index_stats(z.ix).entries, store_index_capacity(z.ix));
    shm_unmap((void *)(uintptr_t)progress, (PROCESSES + KILLS) * sizeof(*progress));
    drop(&z);
}
