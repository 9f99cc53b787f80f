/*
 * slab: an allocator over a piece of shared memory, for all processes that map it.
 *
 * Blocks up to half a page come from pages cut into slots of one size class, larger ones are whole
 * pages. Every operation takes the slab's own lock. A process killed at any instant inside an
 * operation leaks at most the block it was about to hand out or had yet to free, never more: what
 * is allocated is told by the page descriptors alone, each change of which is a single store that
 * leads from one consistent state to the next. Lists and counts are derived from the descriptors,
 * and the next process to take the lock derives them anew. Nothing suspends.
 */
#ifndef CORE_SHARED_SLAB_H
#define CORE_SHARED_SLAB_H

#include <stdbool.h>
#include <stddef.h>

typedef struct slab slab_t;

enum { SLAB_PAGE = 4096, SLAB_SIZE_MIN = 8 * SLAB_PAGE };

/* Makes a slab inside p (page-aligned, zeroed, at least SLAB_SIZE_MIN). The slab's head stands at
   p. */
slab_t *slab_init(void *p, size_t size);

/* NULL when there is no room. Aligned to 16 bytes, not zeroed. n may be 0. */
void *slab_alloc(slab_t *slab, size_t n);

/* p came from slab_alloc in any process, or is NULL. Freeing what is not allocated panics. */
void slab_free(slab_t *slab, void *p);

typedef struct slab_stats {
    size_t pages, free_pages;
    size_t used_bytes;  /* in blocks, each rounded up to its class */
    size_t recoveries;  /* how often the lists were derived anew */
} slab_stats_t;

slab_stats_t slab_stats(slab_t *slab);

/* Walks everything; true when all invariants hold (for tests). Takes the lock. */
bool slab_check(slab_t *slab);

#endif
