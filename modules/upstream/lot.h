/* lot: numbers drawn by chance to spread load, not to keep secrets. */
#ifndef MODULES_UPSTREAM_LOT_H
#define MODULES_UPSTREAM_LOT_H

#include <stdint.h>

/* All 32 bits are evenly spread; each worker draws others. */
uint32_t lot_draw(void);

/* One of n (not 0). */
static inline uint32_t lot_below(uint32_t n)
{
    return (uint32_t)((uint64_t)lot_draw() * n >> 32);
}

#endif
