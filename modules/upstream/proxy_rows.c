#include "modules/upstream/proxy_rows.h"

#include "http/http.h"

extern const module_t http_module;

typedef struct proxy_passes {
    VEC(proxy_pass_t *) list;
} proxy_passes_t;

/* --- the origin --- */

bool proxy_rows_pass(conf_t *cf, proxy_conf_t *c, const tree_node_t *node,
                     const proxy_schemes_t *schemes, bool may_have_uri)
{
    proxy_pass_t *pass = POOL_NEW(cf->pool, proxy_pass_t);
    if (!proxy_target_parse(cf, node, schemes, pass)) return false;
    if (text_is_constant(&pass->text) && pass->target.uri.n && !may_have_uri)
        return conf_error(cf, node, 1, "leave out what follows the host",
                          "\"%s\" cannot have URI part in location given by regular expression, or "
                          "inside named location, or inside \"if\" statement, or inside "
                          "\"limit_except\" block", schemes->directive);
    if (cf->scope->context == CONF_LOCATION)
        ((http_conf_t *)conf_own(cf, &http_module))->auto_redirect = true;
    c->pass = pass;
    *VEC_PUSH(cf->pool, &c->passes->list) = pass;
    return true;
}

/* --- blocks --- */

bool proxy_rows_begin(conf_t *cf, const module_t *module)
{
    proxy_conf_t *c = conf_own(cf, module);
    c->passes = POOL_NEW(cf->pool, proxy_passes_t);
    return true;
}

void proxy_rows_check(conf_t *cf, proxy_conf_t *c, const module_t *ssl)
{
    if (!c->pass) return;
    c->pass->ssl = conf_get(cf->scope, ssl);
    proxy_fields_compile(cf->pool, &c->set_headers, &c->fields);
    proxy_fields_hidden(cf->pool, &c->hide, &c->show, &c->hidden);
}

/* A target that is no block's group asks the resolver of the first location that leads there. */
static void give_resolvers(conf_t *cf, const module_t *module)
{
    VEC_EACH(void **, it, http_scopes_read(cf))
    {
        const proxy_conf_t *c = (*it)[*module->index];
        upstream_t *g = c->pass ? c->pass->target.group : NULL;
        if (g && !g->http) g->http = http_conf(*it);
    }
    VEC_EACH(upstream_t *, it, &upstream_groups(cf)->all)
        if (!(*it)->http) (*it)->http = http_conf_read(cf); /* that of an "if" */
}

bool proxy_rows_finish(conf_t *cf, const module_t *module)
{
    const proxy_conf_t *c = conf_get(cf->scope, module);
    bool ok = true;
    VEC_EACH(proxy_pass_t *, it, &c->passes->list)
        ok = proxy_target_bind(cf, *it) && proxy_ssl_prepare(cf, *it) && ok;
    give_resolvers(cf, module);
    return ok;
}

/* --- the rows --- */

bool proxy_rows_set_header(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_set_headers_t *list = CONF_AT(row, conf, proxy_set_headers_t);
    str_t name = node->words[1].text, value = node->words[2].text;
    if (!parse_is_token(name))
        return conf_error(cf, node, 1, NULL, "\"" STR_FMT "\" is not a field name", STR_ARG(name));
    proxy_set_header_t *h = VEC_PUSH(cf->pool, list);
    h->name = name;
    h->id = header_id(name);
    if (!text_compile(cf, node, 2, value, &h->value)) return false;
    if (text_is_constant(&h->value) && !parse_is_field_value(str_trim(value)))
        return conf_error(cf, node, 2, NULL, "a field value may not hold control characters");
    return true;
}

bool proxy_rows_set_bind(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    net_addr_t addr;
    text_t *bind = CONF_AT(row, conf, text_t);
    str_t word = node->words[1].text;
    *bind = (text_t){.set = false};
    if (str_eq(word, STR("off"))) return true;
    if (node->n > 2)
        return conf_error(cf, node, 2, NULL, "%s: \"transparent\" is not supported", row->name);
    if (!text_compile(cf, node, 1, word, bind)) return false;
    if (text_is_constant(bind) && !net_parse(word, 1, &addr))
        return conf_error(cf, node, 1, "for example 10.0.0.1, $server_addr, off",
                          "invalid address \"" STR_FMT "\"", STR_ARG(word));
    return bind->set = true;
}

bool proxy_rows_set_via(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t *via = CONF_AT(row, conf, str_t), word = node->words[1].text;
    if (str_eq(word, STR("off"))) word = STR("");
    if (str_eq(word, STR("on"))) word = STR("proxyd");
    *via = word;
    return !word.n || parse_is_host(word) ||
           conf_error(cf, node, 1, "on, off, or a name", "\"" STR_FMT "\" is not a name for Via",
                      STR_ARG(word));
}

bool proxy_rows_percent(conf_t *cf, const tree_node_t *node, unsigned word, unsigned least,
                        unsigned most, unsigned *out)
{
    str_t text = node->words[word].text;
    return conf_number(cf, node, word, str_sub(text, 0, text.n - 1), least, most, out);
}

bool proxy_rows_set_budget(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    budget_limit_t *limit = CONF_AT(row, conf, budget_limit_t);
    str_t least;
    *limit = (budget_limit_t){.off = str_eq(node->words[1].text, STR("off")), .least = 10};
    if (limit->off && node->n == 2) return true;
    if (!str_ends(node->words[1].text, STR("%")))
        return conf_error(cf, node, 1, "for example 20% min=10, or off",
                          "invalid share \"" STR_FMT "\"", STR_ARG(node->words[1].text));
    if (!proxy_rows_percent(cf, node, 1, 0, 1000, &limit->percent)) return false;
    if (node->n == 2) return true;
    if (value_keyed(node->words[2].text, "min", &least))
        return conf_number(cf, node, 2, least, 0, 1000 * 1000, &limit->least);
    return conf_error(cf, node, 2, "for example 20% min=10",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(node->words[2].text));
}

const conf_name_t proxy_rows_failures[] = {
    {"error", PROXY_ERROR},       {"timeout", PROXY_TIMEOUT},
    {"invalid_header", PROXY_INVALID_HEADER},
    {"http_500", PROXY_HTTP_500}, {"http_502", PROXY_HTTP_502}, {"http_503", PROXY_HTTP_503},
    {"http_504", PROXY_HTTP_504}, {"http_403", PROXY_HTTP_403}, {"http_404", PROXY_HTTP_404},
    {"http_429", PROXY_HTTP_429}, {"non_idempotent", PROXY_NON_IDEMPOTENT}, {"off", PROXY_OFF},
    {NULL, 0}};

const conf_name_t proxy_rows_ignorable[] = {
    {"X-Accel-Redirect", PROXY_IGNORE_REDIRECT},
    {"X-Accel-Expires", REPLY_IGNORE_ACCEL_EXPIRES},
    {"X-Accel-Limit-Rate", PROXY_IGNORE_LIMIT_RATE},
    {"X-Accel-Buffering", PROXY_IGNORE_BUFFERING},
    {"X-Accel-Charset", PROXY_IGNORE_CHARSET},
    {"Expires", REPLY_IGNORE_EXPIRES},
    {"Cache-Control", REPLY_IGNORE_CACHE_CONTROL},
    {"Set-Cookie", REPLY_IGNORE_SET_COOKIE},
    {"Vary", REPLY_IGNORE_VARY},
    {NULL, 0}};
