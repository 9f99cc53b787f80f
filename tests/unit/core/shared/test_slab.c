#include "core/shared/slab.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/shm.h"

static slab_t *make(size_t size)
{
    void *p = shm_map(size);
    cr_assert_not_null(p);
    return slab_init(p, size);
}

Test(slab, starts_all_free)
{
    enum { SIZE = 64 * SLAB_PAGE };
    slab_t *slab = make(SIZE);
    slab_stats_t s = slab_stats(slab);
    cr_expect_geq(s.pages, 60);
    cr_expect_lt(s.pages, 64);
    cr_expect_eq(s.free_pages, s.pages);
    cr_expect_eq(s.used_bytes, 0);
    cr_expect_eq(s.recoveries, 0);
    cr_expect(slab_check(slab));
    shm_unmap(slab, SIZE);
}

Test(slab, gives_aligned_blocks_inside_the_memory)
{
    enum { SIZE = 256 * SLAB_PAGE };
    slab_t *slab = make(SIZE);
    static const size_t sizes[] = {0,    1,    15,   16,   17,   33,   64,   65,   100,  256, 257,
                                   1000, 1024, 1025, 1360, 1361, 2048, 2049, 4096, 4097, 9000};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    unsigned char *blocks[N];
    for (size_t i = 0; i < N; i++) {
        blocks[i] = slab_alloc(slab, sizes[i]);
        cr_assert_not_null(blocks[i]);
        cr_expect_eq((uintptr_t)blocks[i] % 16, 0);
        cr_expect(blocks[i] > (unsigned char *)slab);
        cr_expect(blocks[i] + sizes[i] <= (unsigned char *)slab + SIZE);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    cr_expect(slab_check(slab));
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < sizes[i]; k++) cr_assert_eq(blocks[i][k], i + 1);
        slab_free(slab, blocks[i]);
    }
    slab_free(slab, NULL);
    slab_stats_t s = slab_stats(slab);
    cr_expect_eq(s.used_bytes, 0);
    cr_expect_eq(s.free_pages, s.pages);
    cr_expect(slab_check(slab));
    shm_unmap(slab, SIZE);
}

Test(slab, packs_small_blocks)
{
    slab_t *slab = make(16 * SLAB_PAGE);
    size_t before = slab_stats(slab).free_pages;
    for (int i = 0; i < 256; i++) cr_assert_not_null(slab_alloc(slab, 16));
    cr_expect_eq(slab_stats(slab).free_pages, before - 1);
    cr_assert_not_null(slab_alloc(slab, 16));
    cr_expect_eq(slab_stats(slab).free_pages, before - 2);
    cr_expect_eq(slab_stats(slab).used_bytes, 257 * 16);
    cr_expect(slab_check(slab));
}

/* Allocates blocks of n bytes until there is no room, frees them all in the given order. */
static size_t fill_and_empty(slab_t *slab, size_t n, size_t step)
{
    static void *blocks[65536];
    size_t count = 0;
    while (count < 65536 && (blocks[count] = slab_alloc(slab, n))) count++;
    cr_expect(slab_check(slab));
    for (size_t from = 0; from < step; from++)
        for (size_t i = from; i < count; i += step) slab_free(slab, blocks[i]);
    cr_expect(slab_check(slab));
    cr_expect_eq(slab_stats(slab).used_bytes, 0);
    cr_expect_eq(slab_stats(slab).free_pages, slab_stats(slab).pages);
    return count;
}

Test(slab, uses_all_its_room_for_any_size)
{
    slab_t *slab = make(64 * SLAB_PAGE);
    size_t pages = slab_stats(slab).pages;
    cr_expect_eq(fill_and_empty(slab, 16, 1), pages * 256);
    cr_expect_eq(fill_and_empty(slab, 16, 7), pages * 256);
    cr_expect_eq(fill_and_empty(slab, 48, 3), pages * 85);
    cr_expect_eq(fill_and_empty(slab, 1360, 2), pages * 3);
    cr_expect_eq(fill_and_empty(slab, 2048, 2), pages * 2);
    cr_expect_eq(fill_and_empty(slab, 2049, 5), pages);
    cr_expect_eq(fill_and_empty(slab, 3 * SLAB_PAGE, 2), pages / 3);
    cr_expect_eq(fill_and_empty(slab, pages * SLAB_PAGE, 1), 1);
    cr_expect_null(slab_alloc(slab, pages * SLAB_PAGE + 1));
    cr_expect_null(slab_alloc(slab, SIZE_MAX));
}

Test(slab, joins_freed_neighbours)
{
    slab_t *slab = make(32 * SLAB_PAGE);
    size_t pages = slab_stats(slab).pages;
    void *a = slab_alloc(slab, 4 * SLAB_PAGE), *b = slab_alloc(slab, 5 * SLAB_PAGE);
    void *c = slab_alloc(slab, (pages - 9) * SLAB_PAGE);
    cr_assert(a && b && c);
    cr_expect_null(slab_alloc(slab, 1));
    slab_free(slab, a);
    slab_free(slab, c);
    slab_free(slab, b); /* both sides at once */
    cr_expect(slab_check(slab));
    cr_expect_not_null(slab_alloc(slab, pages * SLAB_PAGE));
}

/* Extents of unlike lengths in one bin: the first is too short, the second fits. */
Test(slab, finds_a_fitting_extent_behind_a_short_one)
{
    slab_t *slab = make(64 * SLAB_PAGE);
    size_t pages = slab_stats(slab).pages;
    void *seven = slab_alloc(slab, 7 * SLAB_PAGE), *wall = slab_alloc(slab, SLAB_PAGE);
    void *five = slab_alloc(slab, 5 * SLAB_PAGE);
    void *rest = slab_alloc(slab, (pages - 13) * SLAB_PAGE);
    cr_assert(seven && wall && five && rest);
    slab_free(slab, seven);
    slab_free(slab, five);
    cr_expect_eq(slab_alloc(slab, 6 * SLAB_PAGE), seven);
    cr_expect_null(slab_alloc(slab, 6 * SLAB_PAGE));
    cr_expect(slab_check(slab));
}

Test(slab, works_on_the_least_memory)
{
    slab_t *slab = make(SLAB_SIZE_MIN);
    cr_expect_eq(slab_stats(slab).pages, 7);
    cr_expect_eq(fill_and_empty(slab, SLAB_PAGE, 1), 7);
}

Test(slab, panics_at_a_second_free, .signal = SIGABRT)
{
    slab_t *slab = make(16 * SLAB_PAGE);
    void *p = slab_alloc(slab, 16);
    slab_alloc(slab, 16);
    slab_free(slab, p);
    slab_free(slab, p);
}

Test(slab, panics_at_a_foreign_pointer, .signal = SIGABRT)
{
    slab_t *slab = make(16 * SLAB_PAGE);
    char *p = slab_alloc(slab, 64);
    slab_free(slab, p + 16);
}

/* xorshift64* */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

/* Mostly small blocks, some pages, few long runs. */
static size_t random_size(uint64_t *state)
{
    uint64_t r = random_next(state);
    switch (r >> 60) {
    case 0: return r % (5 * SLAB_PAGE) + 1;
    case 1: return r % SLAB_PAGE + 1;
    default: return r % 300 + 1;
    }
}

enum { HELD_MAX = 64, BIGGEST = 5 * SLAB_PAGE };

/* What one process holds; in shared memory, so that it outlives the process. */
typedef struct holder {
    uint64_t operations;
    unsigned char *held[HELD_MAX];
    size_t sizes[HELD_MAX];
} holder_t;

/* Takes or gives back one block, and sees that nobody else has written to what it holds. */
static bool operate(slab_t *slab, holder_t *h, unsigned char mark, uint64_t *seed)
{
    size_t i = random_next(seed) % HELD_MAX;
    unsigned char *p = h->held[i];
    __atomic_add_fetch(&h->operations, 1, __ATOMIC_RELAXED);
    if (p) {
        for (size_t k = 0; k < h->sizes[i]; k++)
            if (p[k] != mark) return false;
        __atomic_store_n(&h->held[i], NULL, __ATOMIC_RELEASE);
        slab_free(slab, p);
        return true;
    }
    h->sizes[i] = random_size(seed);
    p = slab_alloc(slab, h->sizes[i]);
    if (p) memset(p, mark, h->sizes[i]);
    __atomic_store_n(&h->held[i], p, __ATOMIC_RELEASE);
    return true;
}

static void give_back(slab_t *slab, holder_t *h)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        slab_free(slab, h->held[i]);
        h->held[i] = NULL;
    }
}

Test(slab, stays_consistent_over_random_use)
{
    slab_t *slab = make(128 * SLAB_PAGE); /* small enough to run out of room now and then */
    holder_t h = {0};
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        cr_assert(operate(slab, &h, 7, &seed));
        if (i % 64 == 0) cr_assert(slab_check(slab));
    }
    give_back(slab, &h);
    cr_expect(slab_check(slab));
    cr_expect_eq(slab_stats(slab).free_pages, slab_stats(slab).pages);
}

enum { PROCESSES = 4, KILLS = 200 };

typedef struct arena {
    bool stop;
    holder_t holders[PROCESSES + KILLS];
} arena_t;

static pid_t start(slab_t *slab, arena_t *arena, unsigned id)
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    uint64_t seed = id + 1;
    while (!__atomic_load_n(&arena->stop, __ATOMIC_RELAXED))
        if (!operate(slab, &arena->holders[id], (unsigned char)id, &seed)) _exit(1);
    _exit(0);
}

/* Until the process that fills h has come so far. */
static void wait_for_operations(const holder_t *h, pid_t pid, uint64_t n)
{
    int status;
    while (__atomic_load_n(&h->operations, __ATOMIC_RELAXED) < n) {
        cr_assert_eq(waitpid(pid, &status, WNOHANG), 0, "a process ended by itself");
        usleep(1);
    }
}

/* Kills every process but the last PROCESSES, one after the other, while the others go on. */
static void kill_and_replace(slab_t *slab, arena_t *arena, pid_t pids[PROCESSES])
{
    uint64_t seed = 99;
    for (unsigned k = 0; k < KILLS; k++) {
        pid_t pid = pids[k % PROCESSES];
        int status;
        wait_for_operations(&arena->holders[k], pid, random_next(&seed) % 50 + 1);
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status), "a process found its memory overwritten");
        pids[k % PROCESSES] = start(slab, arena, PROCESSES + k);
    }
}

Test(slab, survives_killed_processes, .timeout = 180)
{
    slab_t *slab = make(512 * SLAB_PAGE);
    arena_t *arena = shm_map(sizeof(*arena));
    pid_t pids[PROCESSES];
    cr_assert_not_null(arena);
    for (unsigned i = 0; i < PROCESSES; i++) pids[i] = start(slab, arena, i);
    kill_and_replace(slab, arena, pids);
    __atomic_store_n(&arena->stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    cr_expect(slab_check(slab));
    slab_stats_t before = slab_stats(slab);
    cr_expect_gt(before.recoveries, 0);
    cr_expect_leq(before.recoveries, KILLS);
    for (unsigned i = 0; i < PROCESSES + KILLS; i++) give_back(slab, &arena->holders[i]);
    cr_expect(slab_check(slab));
    cr_expect_leq(slab_stats(slab).used_bytes, (size_t)KILLS * BIGGEST);
    shm_unmap(arena, sizeof(*arena));
    shm_unmap(slab, 512 * SLAB_PAGE);
}

/*
 * The same without chance: a traced process is stopped behind every single instruction of a series
 * of operations, and what a successor of the process would find is examined each time.
 */
enum { STEPPED_SIZE = 24 * SLAB_PAGE, BLOCKS = 8 };

typedef struct script {
    void *blocks[BLOCKS];
    size_t at_work; /* the block that is being handed out or freed, in bytes with rounding */
    bool done;
} script_t;

static void take(slab_t *slab, script_t *s, int i, size_t n)
{
    __atomic_store_n(&s->at_work, n, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->blocks[i], slab_alloc(slab, n), __ATOMIC_SEQ_CST);
}

static void give(slab_t *slab, script_t *s, int i, size_t n)
{
    void *p = s->blocks[i];
    __atomic_store_n(&s->at_work, n, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s->blocks[i], NULL, __ATOMIC_SEQ_CST);
    slab_free(slab, p);
}

static void play(slab_t *slab, script_t *s)
{
    take(slab, s, 0, 2048); /* a page is cut */
    take(slab, s, 1, 2048); /* and full */
    take(slab, s, 2, 3 * SLAB_PAGE);
    take(slab, s, 3, 64);
    take(slab, s, 4, SLAB_PAGE);
    give(slab, s, 0, 2048); /* no longer full */
    give(slab, s, 2, 3 * SLAB_PAGE); /* a hole */
    take(slab, s, 5, 2 * SLAB_PAGE); /* of which a page is left */
    give(slab, s, 3, 64); /* joined with that page */
    give(slab, s, 4, SLAB_PAGE); /* and with both sides */
    give(slab, s, 1, 2048);
    give(slab, s, 5, 2 * SLAB_PAGE);
    __atomic_store_n(&s->done, true, __ATOMIC_SEQ_CST);
}

/* As if the stopped process had been killed: the slab's head begins with its lock. */
static void forget_holder(slab_t *slab)
{
    shm_lock_t *lock = (shm_lock_t *)(void *)slab;
    shm_lock_init(lock);
    lock->broken = true;
}

static void examine(slab_t *slab, const script_t *s)
{
    forget_holder(slab);
    cr_assert(slab_check(slab));
    for (int i = 0; i < BLOCKS; i++) slab_free(slab, s->blocks[i]);
    cr_assert(slab_check(slab));
    size_t lost = slab_stats(slab).used_bytes;
    cr_assert(lost == 0 || lost == s->at_work, "%zu bytes lost at %zu", lost, s->at_work);
    size_t free_pages = slab_stats(slab).free_pages, pages = slab_stats(slab).pages;
    cr_assert_eq(free_pages, pages - (lost + SLAB_PAGE - 1) / SLAB_PAGE);
}

/* Examines at every step, and sets everything back as it was. Returns the number of steps. */
static unsigned step_through(pid_t pid, slab_t *slab, const script_t *s)
{
    static char saved[STEPPED_SIZE];
    unsigned steps = 0;
    int status;
    while (!s->done) {
        cr_assert_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "status %x", status);
        memcpy(saved, slab, STEPPED_SIZE);
        examine(slab, s);
        memcpy(slab, saved, STEPPED_SIZE);
        steps++;
    }
    return steps;
}

Test(slab, can_be_killed_behind_every_instruction, .timeout = 180)
{
    slab_t *slab = make(STEPPED_SIZE);
    script_t *s = shm_map(sizeof(*s));
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(errno == EPERM || errno == ENOSYS);
        raise(SIGSTOP);
        play(slab, s);
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) cr_skip_test("no process may be traced here");
    cr_assert(WIFSTOPPED(status));
    cr_expect_gt(step_through(pid, slab, s), 500);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(slab_check(slab));
    cr_expect_eq(slab_stats(slab).used_bytes, 0);
}
