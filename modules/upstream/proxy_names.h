/*
 * proxy_names: a set of field names, asked once per field of every message.
 *
 * Well-known names are bits, others a short list. Made while the configuration is read.
 */
#ifndef MODULES_UPSTREAM_PROXY_NAMES_H
#define MODULES_UPSTREAM_PROXY_NAMES_H

#include "core/base/vec.h"
#include "http/header.h"

typedef struct proxy_names {
    uint64_t ids[(HEADER_ID_COUNT + 63) / 64];
    VEC(str_t) others;
} proxy_names_t;

static inline void proxy_names_add_id(proxy_names_t *set, header_id_t id)
{
    set->ids[id / 64] |= (uint64_t)1 << id % 64;
}

static inline bool proxy_names_has_id(const proxy_names_t *set, header_id_t id)
{
    return set->ids[id / 64] >> id % 64 & 1;
}

static inline void proxy_names_add(pool_t *pool, proxy_names_t *set, str_t name)
{
    header_id_t id = header_id(name);
    if (id != HEADER_OTHER) proxy_names_add_id(set, id);
    else *VEC_PUSH(pool, &set->others) = name;
}

static inline bool proxy_names_has_other(const proxy_names_t *set, str_t name)
{
    for (unsigned i = 0; i < set->others.n; i++)
        if (str_ieq(set->others.v[i], name)) return true;
    return false;
}

static inline bool proxy_names_has(const proxy_names_t *set, const header_t *h)
{
    if (h->id != HEADER_OTHER) return proxy_names_has_id(set, h->id);
    return set->others.n && proxy_names_has_other(set, h->name);
}

/*
 * The fields that Connection names besides its own words (RFC 9110 7.6.1), from all of its lines;
 * they end here. Empty when there is nothing to remember.
 */
proxy_names_t proxy_names_of_connection(pool_t *pool, const header_list_t *list);

#endif
