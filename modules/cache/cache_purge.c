#include "modules/cache/cache_purge.h"

#include <errno.h>

#include "modules/cache/cache_key.h"
#include "modules/cache/invalidate.h"
#include "modules/cache/tags.h"

/* Whether the field is there, with the value 1. */
static bool says(const request_t *r, str_t name)
{
    const header_t *h = header_next_named(&r->head.headers, name, NULL);
    return h && str_eq(h->value, STR("1"));
}

static verdict_t answer(request_t *r, str_t what)
{
    LOG(&r->log, LOG_NOTICE, 0, "purged " STR_FMT, STR_ARG(what));
    return reply_text(r, 200, STR("text/plain"), pool_printf(r->pool, "purged " STR_FMT "\n",
                                                             STR_ARG(what)));
}

static verdict_t purge_prefix(store_t *s, request_t *r, str_t key, bool soft)
{
    str_t prefix = str_sub(key, 0, key.n - 1);
    int err = store_purge_prefix(s, prefix, soft);
    if (err == -EINVAL) return verdict_refuse(414, LOG_INFO, "prefix too long");
    if (err < 0) return verdict_refuse(503, LOG_ERR, "too many prefixes are being purged");
    return answer(r, pool_printf(r->pool, "all that begins with " STR_FMT, STR_ARG(prefix)));
}

static verdict_t purge_key(store_t *s, request_t *r, str_t text, bool soft)
{
    store_key_t key = store_key(text);
    unsigned n = store_purge_key(s, &key, soft);
    return answer(r, pool_printf(r->pool, "%u of " STR_FMT, n, STR_ARG(text)));
}

verdict_t cache_purge(const cache_conf_t *c, request_t *r)
{
    str_t *tags = POOL_ARRAY(r->pool, str_t, STORE_TAGS_MAX);
    unsigned n = tags_find(&r->head.headers, tags, STORE_TAGS_MAX);
    bool soft = says(r, STR("Soft-Purge"));
    if (says(r, STR("Purge-All"))) {
        store_purge_all(c->zone.store, soft);
        return answer(r, STR("all"));
    }
    for (unsigned i = 0; i < n; i++) store_purge_tag(c->zone.store, tags[i], soft);
    if (n) return answer(r, pool_printf(r->pool, "%u tags", n));
    str_t key = cache_key_text(c, r);
    if (!key.p) return verdict_refuse(414, LOG_INFO, "key too long");
    return key.n && key.p[key.n - 1] == '*' ? purge_prefix(c->zone.store, r, key, soft)
                                            : purge_key(c->zone.store, r, key, soft);
}

void cache_purge_invalidate(const cache_conf_t *c, request_t *r)
{
    reference_target_t own = cache_key_target(r), targets[INVALIDATE_MAX];
    unsigned n = invalidate_targets(r->pool, r->method, &own, (unsigned)r->reply.status,
                                    &r->reply.headers, targets);
    for (unsigned i = 0; i < n; i++) {
        bool itself = reference_same(&targets[i], &own);
        str_t text = itself ? cache_key_text(c, r) : cache_key_of(c, r, &targets[i]);
        if (!text.p) continue;
        store_key_t key = store_key(text);
        store_purge_key(c->zone.store, &key, false);
    }
}
