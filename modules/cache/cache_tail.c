#include "modules/cache/cache_tail.h"

#include "modules/cache/cache_key.h"
#include "modules/cache/cache_slice.h"
#include "modules/cache/partial.h"

uint64_t cache_tail_asked(const request_t *r)
{
    uint64_t n;
    str_t value = header_value(&r->head.headers, HEADER_RANGE), unit = STR("bytes=-");
    if (!cache_slice_only_range(r) || !str_istarts(value, unit)) return 0;
    return str_to_u64(str_trim(str_sub(value, unit.n, value.n)), &n) ? n : 0;
}

bool cache_tail_enter(cache_use_t *u)
{
    str_t text = cache_key_tail(u->r->pool, u->whole);
    if (!text.p) return false;
    u->key = store_key(text);
    u->tail = true;
    return true;
}

void cache_tail_leave(cache_use_t *u)
{
    u->key = store_key(u->whole);
    u->tail = false;
    u->cut.range.n = 0;
}

bool cache_tail_fits(const header_list_t *headers, int64_t body)
{
    partial_t got;
    return partial_parse(header_value(headers, HEADER_CONTENT_RANGE), &got) &&
           body <= (int64_t)got.range.n;
}

bool cache_tail_covers(cache_use_t *u)
{
    partial_t part;
    const entry_t *e = &u->entry;
    str_t range = header_value(&u->r->head.headers, HEADER_RANGE);
    u->cut.range.n = 0;
    if (e->tail && e->tail == cache_tail_asked(u->r)) return true; /* as it came */
    if (e->decide.status != 206 ||
        !partial_holds(u->r->pool, &e->headers, u->object.length, range, &part))
        return false;
    u->cut = part;
    return true;
}
