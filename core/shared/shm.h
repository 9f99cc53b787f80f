/*
 * shm: memory shared by the master and all workers: a mapping and robust locks.
 *
 * A segment is mapped MAP_SHARED | MAP_ANONYMOUS by the master before it forks and is at the same
 * address in every process of the family, so pointers inside it may be stored in it. A process may
 * be killed at any instant, holding any lock: the next locker is told (SHM_LOCK_RECOVER) and
 * repairs or rebuilds what the lock guards. Nothing suspends; a lock is held for microseconds,
 * never over anything that can suspend.
 */
#ifndef CORE_SHARED_SHM_H
#define CORE_SHARED_SHM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct shm_lock {
    pthread_mutex_t mutex; /* process-shared, robust, error-checking */
    bool broken;           /* a holder died and nobody has said shm_lock_repaired since */
} shm_lock_t;

typedef enum shm_lock_state {
    SHM_LOCK_TAKEN,
    SHM_LOCK_RECOVER, /* taken, but a holder before died in it: repair, then shm_lock_repaired */
} shm_lock_state_t;

/* lock lies in shared memory; called once, by the process that makes what it guards. */
void shm_lock_init(shm_lock_t *lock);

/*
 * Takes the lock. Every locker gets SHM_LOCK_RECOVER until one has called shm_lock_repaired, also
 * when the one that repairs is killed at it. Taking a lock twice panics.
 */
shm_lock_state_t shm_lock(shm_lock_t *lock);
void shm_lock_repaired(shm_lock_t *lock); /* by its holder */
void shm_unlock(shm_lock_t *lock);

/* size bytes, zeroed, page-aligned; NULL with errno. Unmapped with shm_unmap. */
void *shm_map(size_t size);
/* The same in a memfd, so that parts of it can be sent as of a file: *fd is the caller's to close.
   */
void *shm_map_file(size_t size, int *fd);

void shm_unmap(void *p, size_t size);

#endif
