#include "core/shared/shm.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct shared {
    shm_lock_t lock;
    uint64_t a, b;         /* equal whenever nobody holds the lock */
    uint64_t turns;        /* taken so far, never reset */
    uint64_t recoveries;
    uint64_t condemned;    /* the process that shall die holding the lock */
    bool stop;
} shared_t;

static shared_t *make(void)
{
    shared_t *s = shm_map(sizeof(*s));
    cr_assert_not_null(s);
    shm_lock_init(&s->lock);
    return s;
}

static void reap(pid_t pid)
{
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
}

Test(shm, maps_zeroed_pages)
{
    unsigned char *p = shm_map(3 * 4096);
    cr_assert_not_null(p);
    cr_expect_eq((uintptr_t)p % 4096, 0);
    for (size_t i = 0; i < 3 * 4096; i++) cr_assert_eq(p[i], 0);
    shm_unmap(p, 3 * 4096);
    shm_unmap(NULL, 4096);
}

Test(shm, tells_when_it_cannot_map)
{
    errno = 0;
    cr_expect_null(shm_map(SIZE_MAX / 2));
    cr_expect_neq(errno, 0);
}

Test(shm, is_seen_by_children)
{
    shared_t *s = make();
    pid_t pid = fork();
    if (pid == 0) {
        s->a = 42;
        _exit(0);
    }
    reap(pid);
    cr_expect_eq(s->a, 42);
    shm_unmap(s, sizeof(*s));
}

static void die_inside(shared_t *s)
{
    pid_t pid = fork();
    if (pid == 0) {
        shm_lock(&s->lock);
        raise(SIGKILL);
    }
    reap(pid);
}

/* It is asked for once more, and not after it has been done. */
static void expect_one_repair(shared_t *s)
{
    cr_expect_eq(shm_lock(&s->lock), SHM_LOCK_RECOVER);
    shm_lock_repaired(&s->lock);
    shm_unlock(&s->lock);
    cr_expect_eq(shm_lock(&s->lock), SHM_LOCK_TAKEN);
    shm_unlock(&s->lock);
}

Test(shm, tells_that_the_holder_died)
{
    shared_t *s = make();
    cr_expect_eq(shm_lock(&s->lock), SHM_LOCK_TAKEN);
    shm_unlock(&s->lock);
    die_inside(s);
    expect_one_repair(s);
    shm_unmap(s, sizeof(*s));
}

Test(shm, asks_for_repair_until_somebody_did)
{
    shared_t *s = make();
    die_inside(s);
    die_inside(s); /* killed at the repair */
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(shm_lock(&s->lock), SHM_LOCK_RECOVER);
        shm_unlock(&s->lock); /* not repaired */
    }
    expect_one_repair(s);
    shm_unmap(s, sizeof(*s));
}

/* Waits until the process sleeps in the kernel. */
static void wait_asleep(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (int i = 0; state != 'S' && i < 10000; i++) {
        FILE *f = fopen(path, "r");
        cr_assert_not_null(f);
        cr_assert_eq(fscanf(f, "%*d %*s %c", &state), 1);
        fclose(f);
        usleep(1000);
    }
    cr_assert_eq(state, 'S');
}

/*
 * What a waiter leaves that is killed between being woken and taking the lock, when another took it
 * meanwhile: others sleep, and the mutex has forgotten them.
 */
Test(shm, does_not_rely_on_being_woken, .timeout = 180)
{
    enum { FORGET = 0x80000000 }; /* FUTEX_WAITERS of the kernel's robust futex protocol */
    shared_t *s = make();
    shm_lock(&s->lock);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        shm_lock(&s->lock);
        shm_unlock(&s->lock);
        _exit(0);
    }
    wait_asleep(pid);
    __atomic_and_fetch(&s->lock.mutex.__data.__lock, ~FORGET, __ATOMIC_SEQ_CST);
    shm_unlock(&s->lock);
    reap(pid);
    shm_unmap(s, sizeof(*s));
}

Test(shm, panics_when_taken_twice, .signal = SIGABRT)
{
    shared_t *s = make();
    shm_lock(&s->lock);
    shm_lock(&s->lock);
}

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Dies inside the lock when condemned. Exits with 1 when it finds the invariant broken without
   having been told. */
static void count_on(shared_t *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails */
    while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
        if (shm_lock(&s->lock) == SHM_LOCK_RECOVER) {
            s->recoveries++;
            __atomic_store_n(&s->b, s->a, __ATOMIC_RELAXED);
            shm_lock_repaired(&s->lock);
        }
        if (load(&s->a) != load(&s->b)) _exit(1);
        __atomic_store_n(&s->a, s->a + 1, __ATOMIC_RELAXED);
        if (load(&s->condemned) == (uint64_t)getpid()) raise(SIGKILL);
        __atomic_store_n(&s->turns, s->turns + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&s->b, s->b + 1, __ATOMIC_RELAXED);
        shm_unlock(&s->lock);
    }
    _exit(0);
}

static pid_t start(shared_t *s)
{
    pid_t pid = fork();
    if (pid == 0) count_on(s);
    cr_assert_gt(pid, 0);
    return pid;
}

static void wait_for_turns(const shared_t *s, pid_t pid, uint64_t n)
{
    int status;
    while (load(&s->turns) < n) {
        cr_assert_eq(waitpid(pid, &status, WNOHANG), 0, "a process ended by itself");
        usleep(1);
    }
}

Test(shm, survives_killed_holders, .timeout = 180)
{
    enum { PROCESSES = 4, KILLS = 200 };
    shared_t *s = make();
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) pids[i] = start(s);
    for (int k = 0; k < KILLS; k++) {
        pid_t victim = pids[k % PROCESSES];
        wait_for_turns(s, victim, load(&s->turns) + (uint64_t)(k % 7) * 13 + 1);
        if (k % 2) /* anywhere, or for certain inside the lock */
            kill(victim, SIGKILL);
        else
            __atomic_store_n(&s->condemned, (uint64_t)victim, __ATOMIC_RELAXED);
        reap(victim);
        pids[k % PROCESSES] = start(s);
    }
    s->stop = true;
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    if (shm_lock(&s->lock) == SHM_LOCK_RECOVER) { /* the last one killed held it, and all stopped */
        s->recoveries++;
        s->b = s->a;
        shm_lock_repaired(&s->lock);
    }
    shm_unlock(&s->lock);
    cr_expect_eq(s->a, s->b);
    cr_expect_geq(s->recoveries, KILLS / 2);
    cr_expect_leq(s->recoveries, KILLS);
    shm_unmap(s, sizeof(*s));
}
