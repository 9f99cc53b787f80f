#include "modules/site/path.h"

#include "http/http.h"

/* --- while the configuration is read --- */

/* The text of root or alias, absolute unless it begins with a variable. */
static bool take_root(conf_t *cf, const tree_node_t *node, bool strip_slash, path_conf_t *c)
{
    str_t text = node->words[1].text;
    if (str_starts(text, STR("$document_root")) || str_starts(text, STR("${document_root}")) ||
        str_starts(text, STR("$realpath_root")) || str_starts(text, STR("${realpath_root}")))
        return conf_error(cf, node, 1, NULL, "the " STR_FMT " is made of this very directive",
                          STR_ARG(text));
    if (strip_slash && text.n > 1 && text.p[text.n - 1] == '/') text.n--;
    if (!text.n || text.p[0] != '$') text = conf_full_path(cf, text, false);
    c->prefix = cf->prefix;
    return text_compile(cf, node, 1, text, &c->root);
}

bool path_set_root(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    path_conf_t *c = CONF_AT(row, conf, path_conf_t);
    c->alias = PATH_ROOT;
    return take_root(cf, node, true, c);
}

bool path_set_alias(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    path_conf_t *c = CONF_AT(row, conf, path_conf_t);
    const site_location_t *location = http_location_read(cf);
    if (location->match == SITE_NAMED)
        return conf_error(cf, node, 0, "use root", "alias cannot be used inside a named location");
    c->alias = location->match == SITE_REGEX ? PATH_WHOLE : (int)location->name.n;
    return take_root(cf, node, false, c);
}

/* --- per request --- */

str_t path_root(request_t *r, const path_conf_t *c)
{
    str_t root = text_eval(&c->root, r);
    if (str_starts(root, STR("/"))) return root;
    return pool_concat(r->pool, c->prefix, root);
}

bool path_leads_up(str_t rest)
{
    return str_starts(rest, STR("..")) && (rest.n == 2 || rest.p[2] == '/');
}

verdict_t path_rest(const path_conf_t *c, str_t uri, str_t *rest)
{
    *rest = uri;
    if (c->alias == PATH_ROOT) return VERDICT(NEXT);
    if (c->alias == PATH_WHOLE) {
        *rest = STR("");
        return VERDICT(NEXT);
    }
    size_t alias = (size_t)c->alias;
    if (uri.n < alias)
        return verdict_refuse(500, LOG_ALERT, "\"alias\" cannot be used in location where URI was "
                                              "rewritten");
    *rest = str_sub(uri, alias, uri.n);
    if (path_leads_up(*rest)) return verdict_refuse(404, LOG_ERR, "the URI leads out of its alias");
    return VERDICT(NEXT);
}

path_t path_join(request_t *r, const path_conf_t *c, str_t rest, str_t name)
{
    str_t root = path_root(r, c);
    char *p = pool_bytes(r->pool, root.n + rest.n + name.n + 1);
    char *end = mempcpy(mempcpy(mempcpy(p, root.p, root.n), rest.p, rest.n), name.p, name.n);
    *end = '\0';
    return (path_t){str_make(p, (size_t)(end - p)), root.n};
}

verdict_t path_map(request_t *r, const path_conf_t *c, str_t uri, str_t name, path_t *out)
{
    str_t rest;
    verdict_t v = path_rest(c, uri, &rest);
    if (v.kind == VERDICT_NEXT) *out = path_join(r, c, rest, name);
    return v;
}
