#include "http/hooks.h"

#include "core/base/panic.h"

hooks_t hooks_table;

static void add(const http_hooks_t *h, unsigned at)
{
    hooks_table.all[at] = h;
    if (h->packer) hooks_table.packer = h->packer;
    for (unsigned p = 0; p < PHASE_COUNT; p++) {
        hook_fn *slot = hooks_table.phase[p];
        while (*slot) slot++;
        *slot = h->phase[p];
    }
    unsigned n = 0, m = 0;
    while (hooks_table.made[m]) m++;
    hooks_table.made[m] = h->made;
    while (hooks_table.head[n]) n++;
    hooks_table.head[n] = h->head;
    n = 0;
    while (hooks_table.asks_origin[n]) n++;
    hooks_table.asks_origin[n] = h->asks_origin;
}

void hooks_make(const module_t *const *list)
{
    unsigned n = 0;
    hooks_table = (hooks_t){0};
    for (const module_t *const *m = list; *m; m++) {
        if (!(*m)->hooks) continue;
        ASSERT(n + 1 < HOOKS_MAX);
        add((*m)->hooks, n++);
    }
}

bool hooks_ask_origin(const request_t *r)
{
    for (bool (*const *asks)(const request_t *) = hooks_table.asks_origin; *asks; asks++)
        if ((*asks)(r)) return true;
    return false;
}
