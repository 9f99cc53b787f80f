#include "modules/cache/cache_keep.h"

#include "core/base/clock.h"
#include "modules/cache/cache_key.h"
#include "modules/cache/tags.h"
#include "modules/cache/update.h"
#include "modules/cache/vary.h"

storable_t cache_keep_judge(cache_keep_t *k)
{
    static const admit_valids_t none;
    const conf_strs_t *given = &k->conf->targets;
    reference_target_t target = cache_key_target(k->in);
    storable_request_t request = {k->method, &target, &k->in->head.headers, k->request};
    time_t now = clock_unix();
    time_t asked = now - (time_t)((clock_ms() - k->asked_ms) / 1000); /* whole seconds ago */
    admit_response_t response = {k->status, k->headers, asked, now};
    admit_rules_t rules = {
        /* An answer to POST has to say itself how long it is fresh (RFC 9110 9.3.3). */
        .valid = k->method == METHOD_POST ? &none : &k->conf->valid,
        .targets = given->n ? given->v : cache_control_targets,
        .targets_n = given->n ? given->n : 1,
        .ignored = k->reply->ignored,
    };
    return admit_judge(k->in->pool, &request, &response, &rules, &k->cc, &k->decide);
}

/* The fields that the entry keeps. */
static void keep_fields(const header_list_t *from, const cache_control_t *cc, header_list_t *to)
{
    HEADER_EACH(h, from)
    {
        if (h->id == HEADER_CONTENT_LENGTH || h->id == HEADER_AGE || h->id == HEADER_DATE ||
            h->id == HEADER_CONTENT_TYPE || !update_stores(from, cc, h))
            continue;
        header_add_as(to, h->id, h->name, h->value);
    }
}

str_t cache_keep_head(const cache_keep_t *k, str_t reason, str_t type, const header_list_t *fields)
{
    entry_t e = {.decide = k->decide, .reason = reason, .content_type = type,
                 .tail = k->tail, .no_cache_fields = k->cc.no_cache_fields};
    header_list_init(&e.headers, k->in->pool);
    keep_fields(fields, &k->cc, &e.headers);
    return entry_write(k->in->pool, &e);
}

/* The key of the whole is a tag of its parts: what purges the one, purges the others. */
static str_t *find_tags(const cache_keep_t *k, str_t whole, unsigned *n)
{
    str_t *tags = POOL_ARRAY(k->in->pool, str_t, STORE_TAGS_MAX);
    *n = tags_find(k->headers, tags, STORE_TAGS_MAX - 1);
    if (whole.n) tags[(*n)++] = whole;
    return tags;
}

int cache_keep_begin(store_fill_t *fill, const cache_keep_t *k, str_t whole)
{
    vary_t vary;
    unsigned tag_count;
    pool_t *pool = k->in->pool;
    const reply_t *reply = k->reply;
    str_t *tags = find_tags(k, whole, &tag_count);
    vary_parse(pool, k->headers, &vary);
    if (reply->ignored & REPLY_IGNORE_VARY) vary = (vary_t){.any = false};
    store_response_t response = {
        .head = cache_keep_head(k, reply->reason, reply->content_type, &reply->headers),
        .vary = vary_text(pool, &vary),
        .variant = vary_key(pool, &vary, &k->in->head.headers),
        .tags = tags,
        .tag_count = tag_count,
        .length = reply->length,
    };
    return store_fill_head(fill, &response);
}
