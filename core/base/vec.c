#include "core/base/vec.h"

#include "core/base/panic.h"

void *vec_grow(pool_t *pool, const void *old, uint32_t *cap, size_t size)
{
    uint32_t want = *cap ? *cap * 2 : 4;
    if (want <= *cap) panic("vector of %u elements cannot grow", *cap);
    char *fresh = pool_array(pool, want, size);
    if (*cap) memcpy(fresh, old, *cap * size);
    *cap = want;
    return fresh;
}
