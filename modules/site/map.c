/*
 * map: variables whose value is looked up by the value of a text.
 *
 *     map $http_host $name { hostnames; default 0; example.org 1; ~^(?<sub>.+)\.net $sub; }
 *
 * In order: an exact key (case does not matter), with `hostnames` the longest leading and then the
 * longest trailing wildcard, the first regular expression that matches, the default. Groups of such
 * an expression stand in its value as $1, and are gone behind it.
 */
#include "http/host_map.h"
#include "http/http.h"
#include "http/request.h"

typedef struct map_regex {
    pattern_t pattern;
    text_t value;
} map_regex_t;

typedef struct map {
    text_t source, fallback;
    bool hostnames, no_cache;
    host_map_t keys; /* text_t, by lower-case key */
    VEC(map_regex_t) regexes;
} map_t;

static unsigned map_index;

/* --- in a request --- */

static str_t lowered(pool_t *pool, str_t s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z') return pool_lower(pool, s);
    return s;
}

static const text_t *find_key(const map_t *map, request_t *r, str_t s)
{
    if (!map->hostnames) return hash_map_get(&map->keys.exact, lowered(r->pool, s));
    if (str_ends(s, STR("."))) s.n--;
    return host_map_find(&map->keys, lowered(r->pool, s));
}

/* With the groups of the regex that matched; those of the request are put back by the caller. */
static bool match_regexes(const map_t *map, request_t *r, str_t s, str_t *value)
{
    r->captures = NULL;
    VEC_EACH(const map_regex_t, it, &map->regexes)
    {
        if (pattern_match(&it->pattern, r, s) <= 0) continue;
        *value = text_eval(&it->value, r);
        return true;
    }
    return false;
}

static str_t get_map(request_t *r, void *data)
{
    const map_t *map = data;
    str_t s = text_eval(&map->source, r), value;
    const text_t *found = find_key(map, r, s);
    if (found) return text_eval(found, r);
    regex_match_t *captures = r->captures;
    bool matched = map->regexes.n && match_regexes(map, r, s, &value);
    r->captures = captures;
    return matched ? value : text_eval(&map->fallback, r);
}

/* --- while the configuration is read --- */

static bool set_flag(conf_t *cf, map_t *map, const tree_node_t *line)
{
    str_t word = line->words[0].text;
    if (str_eq(word, STR("hostnames"))) map->hostnames = true;
    else if (str_eq(word, STR("volatile"))) map->no_cache = true;
    else return conf_error(cf, line, 0, "KEY VALUE;", "invalid number of the map parameters");
    return true;
}

static bool say_conflict(conf_t *cf, const tree_node_t *line)
{
    return conf_error(cf, line, 0, NULL, "conflicting parameter \"" STR_FMT "\"",
                      STR_ARG(line->words[0].text));
}

static bool add_key(conf_t *cf, map_t *map, const tree_node_t *line, const text_t *value)
{
    str_t key = pool_lower(cf->pool, line->words[0].text);
    text_t *kept = pool_memdup(cf->pool, value, sizeof(*value));
    if (str_starts(key, STR("\\"))) key = str_sub(key, 1, key.n);
    if (!map->hostnames)
        return hash_map_set(&map->keys.exact, key, kept) ? say_conflict(cf, line) : true;
    switch (host_map_add(&map->keys, key, kept)) {
    case HOST_MAP_ADDED: break;
    case HOST_MAP_TAKEN: return say_conflict(cf, line);
    case HOST_MAP_MALFORMED:
        return conf_error(cf, line, 0, "for example *.example.org, www.example.*",
                          "invalid hostname or wildcard \"" STR_FMT "\"",
                          STR_ARG(line->words[0].text));
    }
    return true;
}

static bool add_regex(conf_t *cf, map_t *map, const tree_node_t *line, const text_t *value)
{
    str_t key = line->words[0].text;
    bool folded = str_starts(key, STR("~*"));
    map_regex_t regex = {.value = *value};
    if (!pattern_compile(cf, line, 0, str_sub(key, folded ? 2 : 1, key.n), folded, &regex.pattern))
        return false;
    *VEC_PUSH(cf->pool, &map->regexes) = regex;
    return true;
}

static bool add_line(conf_t *cf, map_t *map, const tree_node_t *line)
{
    text_t value;
    str_t key = line->words[0].text;
    if (line->n == 1) return true; /* a flag, seen before */
    if (line->n != 2 || line->block)
        return conf_error(cf, line, 0, "KEY VALUE;", "invalid number of the map parameters");
    if (!text_compile(cf, line, 1, line->words[1].text, &value)) return false;
    if (str_starts(key, STR("~"))) return add_regex(cf, map, line, &value);
    if (!str_eq(key, STR("default"))) return add_key(cf, map, line, &value);
    if (map->fallback.set) return conf_error(cf, line, 0, NULL, "duplicate default map parameter");
    map->fallback = value;
    return true;
}

static bool define(conf_t *cf, const tree_node_t *node, map_t *map)
{
    int index = var_define_word(cf, node, 2);
    if (index < 0) return false;
    var_t *var = var_at(http_conf_read(cf)->vars, (unsigned)index);
    var->get = get_map;
    var->data = map;
    var->no_cache = map->no_cache;
    return true;
}

static bool set_map(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    map_t *map = POOL_NEW(cf->pool, map_t);
    host_map_init(&map->keys, cf->pool);
    bool ok = text_compile(cf, node, 1, node->words[1].text, &map->source);
    for (const tree_node_t *line = node->children; line; line = line->next)
        if (line->n == 1) ok = set_flag(cf, map, line) && ok;
    for (const tree_node_t *line = node->children; line; line = line->next)
        ok = add_line(cf, map, line) && ok;
    return ok && define(cf, node, map);
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("map", CONF_HTTP, CONF_MANY | CONF_BLOCK | CONF_RAW, 2, 2, set_map, CONF_NO_FIELD,
                NULL, "a variable that depends on another: map TEXT $NAME { KEY VALUE; ... }"),
    CONF_END,
};

const module_t map_module = {
    .name = "map",
    .index = &map_index,
    .rows = rows,
};
