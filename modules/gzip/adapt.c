#include "modules/gzip/adapt.h"

static void judge(adapt_t *a, uint64_t busy_us, uint64_t all_us)
{
    bool saturated = busy_us * 100 >= all_us * ADAPT_SATURATED;
    bool calm = busy_us * 100 < all_us * ADAPT_CALM;
    if (saturated && a->down < ADAPT_DOWN_MOST) a->down++;
    if (calm && a->down > 0) a->down--;
}

void adapt_note(adapt_t *a, uint64_t now_us, uint64_t idle_us)
{
    uint64_t all = now_us - a->from_us, idle = idle_us - a->idle_us;
    if (a->begun && all < ADAPT_WINDOW_US) return;
    if (a->begun) judge(a, all > idle ? all - idle : 0, all);
    *a = (adapt_t){.from_us = now_us, .idle_us = idle_us, .down = a->down, .begun = true};
}

unsigned adapt_level(const adapt_t *a, unsigned level)
{
    if (level <= 1) return level;
    return level > a->down + 1 ? level - a->down : 1;
}
