/*
 * vec: a growable array whose memory comes from a pool.
 *
 *     VEC(str_t) names = {0};
 *     *VEC_PUSH(pool, &names) = STR("a");
 *     VEC_EACH(str_t, name, &names) use(*name);
 *
 * Growing copies; pointers to elements are valid until the next push. Old storage stays in the
 * pool.
 */
#ifndef CORE_BASE_VEC_H
#define CORE_BASE_VEC_H

#include <stdint.h>

#include "core/base/pool.h"

#define VEC(type) \
    struct { \
        type *v; \
        uint32_t n, cap; \
    }

/* A pointer to a new zeroed element at the end. */
#define VEC_PUSH(pool, vec) \
    ((vec)->n == (vec)->cap \
         ? (void)((vec)->v = vec_grow((pool), (vec)->v, &(vec)->cap, sizeof(*(vec)->v))) \
         : (void)0, \
     &(vec)->v[(vec)->n++])

/* __typeof__, so that both names are pointers to the type when it is a pointer itself. An empty
   vector has no storage that could be added to. */
#define VEC_EACH(type, it, vec) \
    for (__typeof__(type) *it = (vec)->v, *it##_end = (vec)->n ? (vec)->v + (vec)->n : it; \
         it != it##_end; it++)

/* Doubles the capacity; the new half is zeroed. */
void *vec_grow(pool_t *pool, const void *old, uint32_t *cap, size_t size);

#endif
