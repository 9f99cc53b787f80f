#include "modules/site/index.h"

#include <errno.h>

#include "http/http.h"

typedef struct index_conf {
    text_list_t names;
} index_conf_t;

static unsigned index_index;

/* --- per request --- */

static verdict_t refuse(request_t *r, const path_t *path, const char *failed, int err)
{
    if (err == EACCES || err == EPERM || err == ELOOP) {
        LOG(&r->log, LOG_ERR, err, "\"" STR_FMT "\" is forbidden", STR_ARG(path->full));
        return verdict_refuse(403, LOG_ERR, NULL);
    }
    if (err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG) {
        if (http_conf(r->conf)->log_not_found)
            LOG(&r->log, LOG_ERR, err, "\"" STR_FMT "\" is not found", STR_ARG(path->full));
        return verdict_refuse(404, LOG_ERR, NULL);
    }
    LOG(&r->log, LOG_CRIT, err, "%s \"" STR_FMT "\" failed", failed, STR_ARG(path->full));
    return verdict_refuse(500, LOG_CRIT, NULL);
}

/* The file at path is not there: whether its directory is. NEXT, or a refusal. */
static verdict_t check_directory(request_t *r, const path_t *path)
{
    file_t f;
    path_t directory;
    verdict_t v = path_map(r, &static_conf(r)->path, r->uri, STR(""), &directory);
    if (v.kind != VERDICT_NEXT) return v;
    int err = static_look(r, &directory, &f);
    if (err == 0 || err == -EACCES)
        return VERDICT(NEXT); /* what is not readable may be searchable */
    return refuse(r, path, f.failed, -err);
}

verdict_t index_find(request_t *r)
{
    const index_conf_t *c = request_conf(r, index_index);
    bool checked = false;
    VEC_EACH(const text_t, text, &c->names) {
        path_t path;
        file_t f;
        str_t name = text_eval(text, r);
        if (!name.n) continue; /* a variable without a value */
        if (str_starts(name, STR("/"))) return request_reroute(r, name, r->args);
        verdict_t v = path_map(r, &static_conf(r)->path, r->uri, name, &path);
        if (v.kind != VERDICT_NEXT) return v;
        int err = static_look(r, &path, &f);
        if (err == 0) return request_reroute(r, pool_concat(r->pool, r->uri, name), r->args);
        if (err != -ENOENT) return refuse(r, &path, f.failed, -err);
        if (!checked) v = check_directory(r, &path);
        if (v.kind != VERDICT_NEXT) return v;
        checked = true;
    }
    return VERDICT(NEXT);
}

/* --- while the configuration is read --- */

static bool set_index(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    index_conf_t *c = conf;
    (void)row;
    for (unsigned i = 1; i < node->n; i++) {
        str_t name = node->words[i].text;
        if (!name.n) return conf_error(cf, node, i, NULL, "index has an empty name");
        if (!text_compile(cf, node, i, name, VEC_PUSH(cf->pool, &c->names))) return false;
    }
    return true;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM(
        "index", CONF_HTTP_ALL, CONF_MANY, 1, UINT_MAX, set_index,
        CONF_FIELD(index_conf_t, names, text_list_t), "index.html",
        "the files that stand for a directory: the first that is there, by internal redirect"),
    CONF_END,
};

const module_t index_module = {
    .name = "index",
    .index = &index_index,
    .rows = rows,
    .conf_size = sizeof(index_conf_t),
};
