/*
 * store_memory: hot objects, record and body in one piece, in a memfd that all processes map.
 *
 * A place describes a run of units. Who reads from one puts its number into a slot of its own
 * process (a pin) and then looks whether the place still holds the object; who wants the place
 * takes the object's id away and then looks for pins. So a reader writes nothing that others write,
 * and the pins of a process that was killed count no longer because the process does not. Which
 * units are taken is told by the places alone. The hand goes round the places: what was asked for
 * since it last came by stays.
 *
 * What goes out by sendfile is not copied: a socket holds the pages themselves, on the loopback
 * until the peer has read them, long after the pin has gone. So objects that may go that way have
 * whole pages to themselves, which are given back to the kernel with the place: whoever still holds
 * them keeps them as they were, and the next object gets others. Nothing suspends.
 */
#ifndef MODULES_CACHE_STORE_MEMORY_H
#define MODULES_CACHE_STORE_MEMORY_H

#include "modules/cache/store_index.h"

typedef struct store_memory store_memory_t;

enum {
    STORE_PINS = 1024,           /* of one process: objects it sends from memory at one time */
    STORE_MEMORY_SENT = 32 * 1024, /* nothing shorter may be sent by sendfile */
};

/* In a zone with a descriptor, all of which is taken. arg: unsigned, the number of rows
   (processes). */
void *store_memory_init(slab_t *slab, void *rows);

/* In each process before anything else: forgets the pins of the one that had the row before. */
void store_memory_join(store_memory_t *m);

/* Objects larger than that, record and all, are not taken. */
size_t store_memory_most(const store_memory_t *m);

/*
 * Room for n bytes, at *p; others are made to go if need be. The place, or 0: there is none. Nobody
 * sees it until store_memory_show; it is to be shown or dropped.
 */
uint32_t store_memory_take(store_memory_t *m, store_index_t *ix, size_t n, char **p);
void store_memory_show(store_memory_t *m, uint32_t place, uint64_t id, uint32_t entry);
void store_memory_drop(store_memory_t *m, uint32_t place, uint64_t id); /* id 0: not shown yet */

/*
 * What is stored at the place, if it still is the object with that id: n bytes at *p, as long as
 * the pin is held. The pin, or 0.
 */
uint32_t store_memory_pin(store_memory_t *m, uint32_t place, uint64_t id, const char **p,
                          size_t *n);
void store_memory_unpin(store_memory_t *m, uint32_t pin);

/* Whether the object is there (though it could not be pinned, say, for want of pins). */
bool store_memory_holds(const store_memory_t *m, uint32_t place, uint64_t id);

/* Where p is in the descriptor of the zone. */
size_t store_memory_offset(const store_memory_t *m, const char *p);

typedef struct store_memory_stats {
    uint64_t bytes, most;
} store_memory_stats_t;
store_memory_stats_t store_memory_stats(const store_memory_t *m);

/* Walks everything; true when all invariants hold (for tests). */
bool store_memory_check(store_memory_t *m);

#endif
