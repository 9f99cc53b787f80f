#include "http/h2_guard.h"

#include "core/base/clock.h"

/* What one connection may do at once, and how much of it comes back in a second. */
static const struct {
    const char *name;
    uint16_t most, per_second;
} budgets[H2_NUISANCES] = {
    [H2_RESETS] = {"resets of streams", 500, 100},
    [H2_CONTINUATIONS] = {"CONTINUATION frames", 200, 50},
    [H2_PINGS] = {"PING frames", 100, 10},
    [H2_SETTINGS] = {"SETTINGS frames", 20, 2},
    [H2_PRIORITIES] = {"priorities", 2000, 500},
    [H2_EMPTY_DATA] = {"empty DATA frames", 200, 20},
    [H2_WINDOW_UPDATES] = {"WINDOW_UPDATE frames", 2000, 500},
};

static void refill(h2_guard_t *g)
{
    uint64_t now = clock_ms(), seconds = (now - g->since_ms) / 1000;
    if (seconds == 0) return;
    g->since_ms = now;
    if (seconds > UINT16_MAX) seconds = UINT16_MAX;
    for (unsigned k = 0; k < H2_NUISANCES; k++)
        h2_guard_forgive(g, (h2_nuisance_t)k, (unsigned)seconds * budgets[k].per_second);
}

bool h2_guard_allows(h2_guard_t *g, h2_nuisance_t kind)
{
    if (g->spent[kind] < budgets[kind].most) return ++g->spent[kind];
    refill(g);
    return g->spent[kind] < budgets[kind].most && ++g->spent[kind];
}

void h2_guard_forgive(h2_guard_t *g, h2_nuisance_t kind, unsigned n)
{
    g->spent[kind] = n < g->spent[kind] ? (uint16_t)(g->spent[kind] - n) : 0;
}

const char *h2_guard_name(h2_nuisance_t kind)
{
    return budgets[kind].name;
}
