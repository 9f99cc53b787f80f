#include "modules/cache/invalidate.h"

bool invalidate_unsafe(str_t method)
{
    return !str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD")) &&
           !str_eq(method, STR("OPTIONS")) && !str_eq(method, STR("TRACE"));
}

static unsigned add_reference(pool_t *pool, const header_list_t *response, header_id_t id,
                              reference_target_t *out, unsigned n)
{
    const header_t *h = header_get(response, id);
    reference_target_t *found = &out[n];
    if (!h || !reference_resolve(pool, &out[0], h->value, found)) return n;
    if (!reference_same_origin(&out[0], found)) return n;
    for (unsigned i = 0; i < n; i++)
        if (reference_same(&out[i], found)) return n;
    return n + 1;
}

unsigned invalidate_targets(pool_t *pool, str_t method, const reference_target_t *target,
                            unsigned status, const header_list_t *response,
                            reference_target_t out[INVALIDATE_MAX])
{
    if (!invalidate_unsafe(method) || status < 200 || status > 399) return 0;
    out[0] = *target;
    unsigned n = add_reference(pool, response, HEADER_LOCATION, out, 1);
    return add_reference(pool, response, HEADER_CONTENT_LOCATION, out, n);
}
