/*
 * shelf: a store of its own for a test, in a directory of its own, with a loop to run fibers on,
 * and processes that are rows as workers are.
 */
#ifndef TESTS_UNIT_MODULES_CACHE_SHELF_H
#define TESTS_UNIT_MODULES_CACHE_SHELF_H

#include <sys/types.h>

#include "modules/cache/store_setup.h"

typedef struct shelf {
    pool_t *pool;
    char path[64];
    zone_set_t zones, next;
    store_t store;
    store_t *s; /* &store, entered */
} shelf_t;

/* memory 0: no memory tier. */
void shelf_open(shelf_t *t, size_t keys, size_t memory);
void shelf_close(shelf_t *t);

/* As if everything had ended: the same files, other zones. */
void shelf_restart(shelf_t *t);

/* Runs fn(arg) in a fiber and the loop until no fiber is left. */
void shelf_run(void (*fn)(void *arg), void *arg);

/* The same in a process of its own, which ends with the status that fn returns. The process is a
   row of the counters; shelf_bury waits for its end and does as the master does. */
pid_t shelf_fork(shelf_t *t, int (*fn)(shelf_t *t, unsigned id), unsigned id);
int shelf_bury(pid_t pid); /* the status of waitpid */

/* Stores a body under key, in one go; a negative errno of the commit. In a fiber. */
int shelf_put(shelf_t *t, const char *key, const char *head, str_t body);

/* Opens and reads all; p NULL: a miss. *head: in the pool. */
str_t shelf_get(shelf_t *t, const char *key, str_t *head);

/* All of an open object. p NULL: it broke off. */
str_t shelf_read(shelf_t *t, store_object_t *o);

/* n bytes that tell where they are. */
str_t shelf_bytes(shelf_t *t, size_t n);

/* The path of the file of a key (and variant), or of none when there is none. */
const char *shelf_file(shelf_t *t, const char *key, const char *variant);

/* How many files there are, temporary ones as well. */
unsigned shelf_files(shelf_t *t);

#endif
