/*
 * shm: memory shared by the master and all workers: a mapping, a slab allocator, robust locks.
 *
 * A segment is mapped MAP_SHARED | MAP_ANONYMOUS by the master before it forks and is at the same
 * address in every process of the family, so pointers inside it may be stored in it. A process may
 * be killed at any instant, holding any lock: the next locker is told (SHM_LOCK_RECOVER) and repairs
 * or rebuilds what the lock guards. The slab allocator does so by itself. Nothing suspends; a lock is
 * held for microseconds, never over anything that can suspend.
 */
#ifndef CORE_SHARED_SHM_H
#define CORE_SHARED_SHM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct shm_lock {
    pthread_mutex_t mutex; /* process-shared, robust */
} shm_lock_t;

typedef enum shm_lock_state {
    SHM_LOCK_TAKEN,
    SHM_LOCK_RECOVER, /* taken, but the holder before died in it: repair, then shm_lock_repaired */
} shm_lock_state_t;

void shm_lock_init(shm_lock_t *lock);
shm_lock_state_t shm_lock(shm_lock_t *lock);
void shm_lock_repaired(shm_lock_t *lock);
void shm_unlock(shm_lock_t *lock);

/* size bytes, zeroed, page-aligned; NULL with errno. Unmapped with shm_unmap. */
void *shm_map(size_t size);
void shm_unmap(void *p, size_t size);

/*
 * A slab allocator over a piece of shared memory: size classes from 16 bytes to half a page inside
 * pages, whole pages above. Every operation takes the slab's own lock. A process killed inside an
 * operation leaks at most the block it was about to hand out or free; the next locker rebuilds the free
 * lists from the page descriptors, which are always consistent.
 */
typedef struct slab slab_t;

/* Makes a slab inside p (page-aligned, at least 8 pages). The slab's head stands at p. */
slab_t *slab_init(void *p, size_t size);

/* NULL when there is no room. Aligned to 16 bytes, not zeroed. */
void *slab_alloc(slab_t *slab, size_t n);
void slab_free(slab_t *slab, void *p);

typedef struct slab_stats {
    size_t pages, free_pages, used_bytes, recoveries;
} slab_stats_t;

slab_stats_t slab_stats(slab_t *slab);

/* Walks everything; true when all invariants hold (tests). Takes the lock. */
bool slab_check(slab_t *slab);

#endif
