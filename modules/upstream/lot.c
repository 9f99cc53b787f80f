#include "modules/upstream/lot.h"

#include <unistd.h>

#include "core/base/clock.h"

/* xorshift64 (Marsaglia 2003) */
uint32_t lot_draw(void)
{
    static uint64_t state;
    if (!state) state = clock_us_now() ^ (uint64_t)getpid() << 32 ^ 0x9e3779b97f4a7c15ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}
