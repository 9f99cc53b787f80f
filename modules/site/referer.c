/*
 * referer: whether the page that a request was made on is one of those it may come from.
 *
 *     valid_referers none blocked server_names *.example.com example.org/pages/ ~\.search\.;
 *     if ($invalid_referer) { return 403; }
 *
 * A name may have the beginning of a path behind it; an expression is held against all that stands
 * behind "http://" or "https://".
 */
#include "http/http.h"
#include "http/request.h"
#include "http/uri.h"

typedef struct referer_rules {
    bool none, blocked, server_names;
    host_map_t names; /* str_t: the beginning of the path */
    VEC(pattern_t) patterns;
} referer_rules_t;

typedef struct referer_conf {
    referer_rules_t *rules; /* NULL: from anywhere */
} referer_conf_t;

static unsigned referer_index;

/* --- in a request --- */

static bool fits_name(const referer_rules_t *c, request_t *r, str_t host, str_t path)
{
    const str_t *begin = host_map_find(&c->names, host);
    if (begin && str_starts(path, *begin)) return true;
    return c->server_names && host_map_find(&conn_site(r->conn)->names, host) == r->server;
}

static bool fits_pattern(const referer_rules_t *c, request_t *r, str_t rest)
{
    regex_match_t *captures = r->captures;
    bool fits = false;
    VEC_EACH(const pattern_t, pattern, &c->patterns)
        if (!fits) fits = pattern_match(pattern, r, rest) > 0;
    r->captures = captures;
    return fits;
}

static bool is_valid(const referer_rules_t *c, request_t *r)
{
    str_t value = header_value(&r->head.headers, HEADER_REFERER), host;
    uint16_t port;
    if (!value.p) return c->none;
    bool secure = str_istarts(value, STR("https://"));
    if (!secure && !str_istarts(value, STR("http://"))) return c->blocked;
    str_t rest = str_sub(value, secure ? 8 : 7, value.n);
    size_t slash = str_find(rest, 0, '/');
    if (!uri_split_host(str_sub(rest, 0, slash), &host, &port)) return false;
    return fits_name(c, r, pool_lower(r->pool, host), str_sub(rest, slash, rest.n)) ||
           fits_pattern(c, r, rest);
}

static str_t get_invalid(request_t *r, const var_def_t *def, str_t name)
{
    const referer_conf_t *c = request_conf(r, referer_index);
    (void)def, (void)name;
    return !c->rules || is_valid(c->rules, r) ? STR("") : STR("1");
}

/* --- while the configuration is read --- */

static bool add_name(conf_t *cf, referer_rules_t *c, const tree_node_t *node, unsigned word)
{
    str_t name = node->words[word].text;
    size_t slash = str_find(name, 0, '/');
    str_t *path = POOL_NEW(cf->pool, str_t);
    *path = str_sub(name, slash, name.n);
    str_t host = pool_lower(cf->pool, str_sub(name, 0, slash));
    return host_map_add(&c->names, host, path) != HOST_MAP_MALFORMED ||
           conf_error(cf, node, word, "for example *.example.org, www.example.*, example.org/path/",
                      "invalid hostname or wildcard \"" STR_FMT "\"", STR_ARG(name));
}

static bool add_word(conf_t *cf, referer_rules_t *c, const tree_node_t *node, unsigned word)
{
    str_t text = node->words[word].text;
    if (str_eq(text, STR("none"))) return c->none = true;
    if (str_eq(text, STR("blocked"))) return c->blocked = true;
    if (str_eq(text, STR("server_names"))) return c->server_names = true;
    if (!str_starts(text, STR("~"))) return add_name(cf, c, node, word);
    pattern_t *pattern = VEC_PUSH(cf->pool, &c->patterns);
    return pattern_compile(cf, node, word, str_sub(text, 1, text.n), true, pattern);
}

static bool set_valid(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    referer_conf_t *c = conf;
    bool ok = true;
    (void)row;
    if (!c->rules) {
        c->rules = POOL_NEW(cf->pool, referer_rules_t);
        host_map_init(&c->rules->names, cf->pool);
    }
    for (unsigned i = 1; i < node->n; i++) ok = add_word(cf, c->rules, node, i) && ok;
    return ok;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("valid_referers", CONF_SERVER | CONF_LOCATION, CONF_MANY, 1, UINT_MAX, set_valid,
                CONF_FIELD(referer_conf_t, rules, referer_rules_t *), NULL,
                "where requests may come from, for $invalid_referer: none, blocked, server_names, "
                "names, ~regex"),
    CONF_END,
};

static const var_def_t variables[] = {
    {"invalid_referer", get_invalid, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

static const http_hooks_t hooks = {.variables = variables};

const module_t referer_module = {
    .name = "referer",
    .index = &referer_index,
    .rows = rows,
    .conf_size = sizeof(referer_conf_t),
    .hooks = &hooks,
};
