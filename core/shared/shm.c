#include "core/shared/shm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <time.h>

#include "core/base/panic.h"

static void must(int err, const char *what)
{
    if (err) panic("%s: error %d", what, err);
}

void shm_lock_init(shm_lock_t *lock)
{
    pthread_mutexattr_t attr;
    must(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
    must(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), "process-shared mutex");
    must(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), "robust mutex");
    must(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK), "error-checking mutex");
    must(pthread_mutex_init(&lock->mutex, &attr), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attr);
    lock->broken = false;
}

/*
 * The mutex itself is made consistent at once, so that it can never become unusable
 * (ENOTRECOVERABLE); that the repair is still due is remembered by us, and remembered first.
 */
static void mark_broken(shm_lock_t *lock)
{
    __atomic_store_n(&lock->broken, true, __ATOMIC_SEQ_CST);
    must(pthread_mutex_consistent(&lock->mutex), "pthread_mutex_consistent");
}

/*
 * A process that is killed just after it was woken takes the wake-up along: if another has locked
 * in between, neither it nor the kernel knows of those that still sleep (one in a hundred such
 * kills). So nobody sleeps for long without looking again.
 */
enum { LOOK_AGAIN_NS = 10 * 1000 * 1000 };

static int wait_briefly(pthread_mutex_t *mutex)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_AGAIN_NS;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

shm_lock_state_t shm_lock(shm_lock_t *lock)
{
    int err = pthread_mutex_trylock(&lock->mutex);
    if (err == EBUSY) /* also when it is our own, which only a real attempt tells */
        do err = wait_briefly(&lock->mutex);
        while (err == ETIMEDOUT);
    if (err == EOWNERDEAD) mark_broken(lock);
    else must(err, "pthread_mutex_lock");
    return lock->broken ? SHM_LOCK_RECOVER : SHM_LOCK_TAKEN;
}

void shm_lock_repaired(shm_lock_t *lock)
{
    __atomic_store_n(&lock->broken, false, __ATOMIC_SEQ_CST); /* after all that was repaired */
}

void shm_unlock(shm_lock_t *lock)
{
    must(pthread_mutex_unlock(&lock->mutex), "pthread_mutex_unlock");
}

void *shm_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *shm_map_file(size_t size, int *fd)
{
    *fd = memfd_create("proxyd", MFD_CLOEXEC);
    if (*fd < 0) return NULL;
    void *p = ftruncate(*fd, (off_t)size) < 0
                  ? MAP_FAILED
                  : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (p != MAP_FAILED) return p;
    close(*fd);
    *fd = -1;
    return NULL;
}

void shm_unmap(void *p, size_t size)
{
    if (p) munmap(p, size);
}
