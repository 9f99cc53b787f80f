#include "core/process/helper.h"

void helper_want(helper_set_t *set, const helper_t *helper)
{
    helper_t **at = &set->first;
    while (*at) at = &(*at)->next;
    *at = pool_memdup(set->pool, helper, sizeof(*helper));
    (*at)->next = NULL;
}

unsigned helper_count(const helper_set_t *set)
{
    unsigned n = 0;
    for (const helper_t *h = set->first; h; h = h->next) n++;
    return n;
}

const helper_t *helper_at(const helper_set_t *set, unsigned i)
{
    const helper_t *h = set->first;
    while (h && i-- > 0) h = h->next;
    return h;
}
