/*
 * schedule: in which order the members of a group have their turns, by weight.
 *
 * Each turn gives every member its weight and takes the sum of all from the one with most, so that
 * turns are spread evenly (weights 5 1 1: a a b a c a a). The order repeats after as many turns as
 * the weights have together, so it is written down once, and a turn is an index into it. Nothing
 * suspends.
 */
#ifndef MODULES_UPSTREAM_SCHEDULE_H
#define MODULES_UPSTREAM_SCHEDULE_H

#include "core/base/vec.h"

typedef struct schedule_member {
    unsigned id;     /* what stands in the turns */
    unsigned weight; /* not 0 */
    unsigned share;  /* schedule_make: of the turns that it has ... */
    unsigned cost;   /* ... one in cost / weight is to be used; == weight unless the sum is large */
    int64_t current;
} schedule_member_t;

typedef struct schedule {
    VEC(schedule_member_t) members;
    VEC(unsigned) turns; /* ids */
} schedule_t;

/* Writes the turns of the members down. Old storage is used again where it suffices. */
void schedule_make(schedule_t *s, pool_t *pool);

#endif
