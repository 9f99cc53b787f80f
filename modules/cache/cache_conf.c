#include "modules/cache/cache_conf.h"

#include "http/http.h"
#include "modules/cache/cache_choice.h"

/* proxy_cache NAME | off, with variables if need be */
static bool set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    cache_conf_t *c = conf;
    str_t name = node->words[1].text;
    (void)row;
    c->zone = (cache_zone_t){NULL, NULL};
    if (str_eq(name, STR("off"))) return true;
    if (str_find(name, 0, '$') < name.n) return (c->zone.choice = cache_choice_new(cf, node));
    c->zone.store = store_named(cf, node, name);
    return c->zone.store;
}

/* proxy_cache_valid [status ...] time: without a status 200, 301 and 302 */
static bool add_valid(conf_t *cf, cache_conf_t *c, const tree_node_t *node, unsigned word,
                      int64_t seconds)
{
    unsigned status = 0;
    str_t text = node->words[word].text;
    if (!str_eq(text, STR("any")) && !conf_number(cf, node, word, text, 100, 599, &status))
        return false;
    *VEC_PUSH(cf->pool, &c->valid) = (admit_valid_t){status, seconds};
    return true;
}

static bool set_valid(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static const unsigned usual[] = {200, 301, 302};
    cache_conf_t *c = conf;
    unsigned last = node->n - 1;
    msec_t time;
    (void)row;
    if (!conf_msec(cf, node, last, node->words[last].text, &time)) return false;
    int64_t seconds = (int64_t)(time / 1000);
    for (unsigned i = 0; last == 1 && i < sizeof(usual) / sizeof(usual[0]); i++)
        *VEC_PUSH(cf->pool, &c->valid) = (admit_valid_t){usual[i], seconds};
    for (unsigned i = 1; i < last; i++)
        if (!add_valid(cf, c, node, i, seconds)) return false;
    return true;
}

/* Words with variables: true when any of them is neither empty nor "0". */
static bool add_texts(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    text_list_t *list = CONF_AT(row, conf, text_list_t);
    for (unsigned i = 1; i < node->n; i++) {
        text_t text;
        if (!text_compile(cf, node, i, node->words[i].text, &text)) return false;
        *VEC_PUSH(cf->pool, list) = text;
    }
    return true;
}

static bool set_range_offset(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    cache_conf_t *c = conf;
    (void)row;
    c->max_range_offset_set = true;
    return conf_size(cf, node, 1, node->words[1].text, 0, 0, &c->max_range_offset);
}

static const conf_name_t stale_names[] = {
    {"error", CACHE_STALE_ERROR},       {"timeout", CACHE_STALE_TIMEOUT},
    {"invalid_header", CACHE_STALE_INVALID}, {"updating", CACHE_STALE_UPDATING},
    {"http_500", CACHE_STALE_500},      {"http_502", CACHE_STALE_502},
    {"http_503", CACHE_STALE_503},      {"http_504", CACHE_STALE_504},
    {"http_403", CACHE_STALE_403},      {"http_404", CACHE_STALE_404},
    {"http_429", CACHE_STALE_429},      {"off", CACHE_STALE_OFF},
    {NULL, 0}};

static const conf_name_t method_names[] = {
    {"GET", 1 << METHOD_GET}, {"HEAD", 1 << METHOD_HEAD}, {"POST", 1 << METHOD_POST}, {NULL, 0}};

#define ALL CONF_HTTP_ALL
#define CONF cache_conf_t

const conf_row_t cache_conf_rows[] = {
    CONF_CUSTOM("proxy_cache", ALL, 0, 1, 1, set_cache, CONF_FIELD(CONF, zone, cache_zone_t), NULL,
                "answers from the cache with this keys_zone (proxy_cache_path), or off; with "
                "variables, from that which they name"),
    CONF_TEXT("proxy_cache_key", ALL, CONF, key, NULL,
              "under which text a response is kept; without it scheme, host, port, target of the "
              "request, so that hosts with one origin in common do not share answers"),
    CONF_CUSTOM("proxy_cache_valid", ALL, CONF_MANY, 1, UINT_MAX, set_valid,
                CONF_FIELD(CONF, valid, admit_valids_t), NULL,
                "for how long responses that do not say so themselves are fresh: [status ..] time"),
    CONF_CUSTOM("proxy_cache_bypass", ALL, CONF_MANY, 1, UINT_MAX, add_texts,
                CONF_FIELD(CONF, bypass, text_list_t), NULL,
                "is not answered from the cache when one of these is neither empty nor 0"),
    CONF_CUSTOM("proxy_no_cache", ALL, CONF_MANY, 1, UINT_MAX, add_texts,
                CONF_FIELD(CONF, no_cache, text_list_t), NULL,
                "the response is not stored when one of these is neither empty nor 0"),
    CONF_CUSTOM("proxy_cache_purge", ALL, CONF_MANY, 1, UINT_MAX, add_texts,
                CONF_FIELD(CONF, purge, text_list_t), NULL,
                "the request drops what is stored when one of these is neither empty nor 0"),
    CONF_STRS("proxy_cache_targeted", ALL, CONF, targets,
              "fields that speak to this cache in place of Cache-Control (RFC 9213)"),
    CONF_MASK("proxy_cache_methods", ALL, CONF, methods, "GET HEAD", method_names,
              "what is answered from the cache: GET and HEAD always, and POST (then $request_body "
              "had better be in proxy_cache_key)"),
    CONF_NUMBER("proxy_cache_min_uses", ALL, CONF, min_uses, "1", 1, UINT_MAX,
                "requests after which a response is stored"),
    CONF_MASK("proxy_cache_use_stale", ALL, CONF, use_stale, NULL, stale_names,
              "after what a stale response is sent, beside what RFC 9111 and the response allow"),
    CONF_FLAG("proxy_cache_lock", ALL, CONF, lock, "on",
              "one request at a time fetches what many ask for; the others read along"),
    CONF_MSEC("proxy_cache_lock_timeout", ALL, CONF, lock_timeout, "5s", 0, 0,
              "how long a request waits for another's fetch before it asks the origin itself"),
    CONF_MSEC("proxy_cache_lock_age", ALL, CONF, lock_age, "5s", 0, 0,
              "after so long without a byte one more of those who wait asks the origin"),
    CONF_FLAG("proxy_cache_background_update", ALL, CONF, background_update, "off",
              "with use_stale updating: who finds it stale gets it, and it is fetched meanwhile"),
    CONF_FLAG("proxy_cache_revalidate", ALL, CONF, revalidate, "on",
              "asks whether what is stale has changed (If-None-Match, If-Modified-Since)"),
    CONF_FLAG("proxy_cache_convert_head", ALL, CONF, convert_head, "on",
              "fetches with GET what HEAD asks for"),
    CONF_FLAG("proxy_cache_status", ALL, CONF, status_field, "on",
              "tells in Cache-Status what the cache did (RFC 9211)"),
    CONF_CUSTOM("proxy_cache_max_range_offset", ALL, 0, 1, 1, set_range_offset,
                CONF_FIELD(CONF, max_range_offset, size_t), NULL,
                "a range that begins behind this is fetched alone and not stored"),
    CONF_SIZE("slice", ALL, CONF, slice, "0", 0, INT64_MAX,
              "fetches and stores responses in parts of this size: $slice_range is what an origin "
              "is asked for"),
    CONF_END,
};
