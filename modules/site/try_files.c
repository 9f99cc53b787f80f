/*
 * try_files: the first of several files or directories that is there becomes the request's URI; if
 * none is, the last argument says what happens: a URI, a named location or a status.
 */
#include <errno.h>

#include "http/http.h"
#include "modules/site/serve.h"

typedef struct try_file {
    text_t name;    /* without the slash of a directory */
    bool directory;
} try_file_t;

typedef struct try_files {
    VEC(try_file_t) files;
    text_t fallback;
    unsigned status; /* of `=status`; 0: fallback */
} try_files_t;

typedef struct try_conf {
    try_files_t *list; /* NULL: none */
} try_conf_t;

static unsigned try_index;

/* --- per request --- */

/* How much of a name, which is a whole URI mostly, alias stands for. */
static size_t aliased(const request_t *r, const path_conf_t *c, str_t name)
{
    size_t n = c->alias > 0 ? (size_t)c->alias : 0;
    bool same = r->uri.n >= n && name.n >= n && memcmp(name.p, r->uri.p, n) == 0;
    return same ? n : 0;
}

static void set_uri(request_t *r, str_t uri)
{
    if (str_eq(r->uri, uri)) return;
    r->uri = uri;
    r->uri_changed = true;
}

/* The name is there. What alias stands for goes back in front of it; what stands for a whole URI
   can have no URI of its own, so it is served on the spot. */
static verdict_t take(request_t *r, const path_conf_t *c, str_t rest, const path_t *path,
                      const file_t *f)
{
    if (c->alias == PATH_WHOLE) return f->directory ? VERDICT(NEXT) : serve_path(r, path);
    if (c->alias > 0) rest = pool_concat(r->pool, str_sub(r->uri, 0, (size_t)c->alias), rest);
    set_uri(r, rest);
    return VERDICT(NEXT);
}

/* Whether the file is there; if so, *v is the verdict. */
static bool try_one(request_t *r, const try_file_t *try, verdict_t *v)
{
    const path_conf_t *c = &static_conf(r)->path;
    file_t f;
    str_t name = text_eval(&try->name, r);
    str_t rest = str_sub(name, aliased(r, c, name), name.n);
    if (c->alias > 0 && (r->uri.n < (size_t)c->alias || path_leads_up(rest))) return false;
    path_t path = path_join(r, c, rest, STR(""));
    int err = static_look(r, &path, &f);
    if (err == 0 && f.directory == try->directory) return *v = take(r, c, rest, &path, &f), true;
    if (err < 0 && err != -ENOENT && err != -ENOTDIR && err != -ENAMETOOLONG)
        LOG(&r->log, LOG_CRIT, -err, "%s \"" STR_FMT "\" failed", f.failed, STR_ARG(path.full));
    return false;
}

static verdict_t fall_back(request_t *r, const try_files_t *t)
{
    if (t->status >= 400) return verdict_refuse((int)t->status, LOG_INFO, NULL);
    if (t->status) return reply_page(r, (int)t->status);
    str_t target = text_eval(&t->fallback, r);
    if (str_starts(target, STR("@"))) return request_reroute_named(r, target);
    size_t mark = str_find(target, 0, '?');
    str_t args = mark < target.n ? str_sub(target, mark + 1, target.n) : (str_t){NULL, 0};
    return request_reroute(r, str_sub(target, 0, mark), args);
}

static verdict_t try_all(request_t *r)
{
    const try_conf_t *c = request_conf(r, try_index);
    verdict_t v;
    if (!c->list) return VERDICT(NEXT);
    VEC_EACH(const try_file_t, try, &c->list->files)
        if (try_one(r, try, &v)) return v;
    return fall_back(r, c->list);
}

/* --- while the configuration is read --- */

static bool add_file(conf_t *cf, try_files_t *t, const tree_node_t *node, unsigned word)
{
    try_file_t *f = VEC_PUSH(cf->pool, &t->files);
    str_t name = node->words[word].text;
    f->directory = name.n && name.p[name.n - 1] == '/';
    if (f->directory) name.n--;
    return text_compile(cf, node, word, name, &f->name);
}

static bool set_fallback(conf_t *cf, try_files_t *t, const tree_node_t *node, unsigned word)
{
    str_t text = node->words[word].text;
    if (!str_starts(text, STR("="))) return text_compile(cf, node, word, text, &t->fallback);
    return conf_number(cf, node, word, str_sub(text, 1, text.n), 200, 599, &t->status);
}

static bool set_try_files(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    try_conf_t *c = conf;
    unsigned last = node->n - 1;
    (void)row;
    c->list = POOL_NEW(cf->pool, try_files_t);
    for (unsigned i = 1; i < last; i++)
        if (!add_file(cf, c->list, node, i)) return false;
    return set_fallback(cf, c->list, node, last);
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("try_files", CONF_SERVER | CONF_LOCATION, CONF_LOCAL, 2, UINT_MAX, set_try_files,
                CONF_FIELD(try_conf_t, list, try_files_t *), NULL,
                "files tried in order (NAME/: directories); the last is a URI, @NAME or =STATUS"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_PRECONTENT] = try_all}};

const module_t try_files_module = {
    .name = "try_files",
    .index = &try_index,
    .rows = rows,
    .conf_size = sizeof(try_conf_t),
    .hooks = &hooks,
};
