#include "modules/cache/cache_choice.h"

#include "modules/cache/cache.h"

/* The struct of a location, with one of the caches in it. */
typedef struct settled {
    const struct settled *next;
    const cache_conf_t *location;
    cache_conf_t conf;
} settled_t;

struct cache_choice {
    text_t name;
    const store_list_t *stores;
    pool_t *pool;
    const settled_t *settled; /* made as they are asked for */
};

cache_choice_t *cache_choice_new(conf_t *cf, const tree_node_t *node)
{
    cache_choice_t *choice = POOL_NEW(cf->pool, cache_choice_t);
    choice->stores = store_list(cf);
    choice->pool = cf->pool;
    return text_compile(cf, node, 1, node->words[1].text, &choice->name) ? choice : NULL;
}

static store_t *find(const cache_choice_t *choice, request_t *r)
{
    str_t name = text_eval(&choice->name, r);
    if (!name.n || str_eq(name, STR("off"))) return NULL;
    store_t *s = store_among(choice->stores, name);
    if (!s) LOG(&r->log, LOG_ERR, 0, "cache \"" STR_FMT "\" not found", STR_ARG(name));
    return s;
}

static const cache_conf_t *settle(cache_choice_t *choice, const cache_conf_t *location, store_t *s)
{
    for (const settled_t *it = choice->settled; it; it = it->next)
        if (it->location == location && it->conf.zone.store == s) return &it->conf;
    settled_t *new = POOL_NEW(choice->pool, settled_t);
    *new = (settled_t){.next = choice->settled, .location = location, .conf = *location};
    new->conf.zone.store = s;
    choice->settled = new;
    return &new->conf;
}

const cache_conf_t *cache_choice_conf(request_t *r)
{
    const cache_conf_t *c = request_conf(r, cache_index);
    cache_choice_t *choice = c->zone.choice;
    return choice ? settle(choice, c, find(choice, r)) : c;
}
