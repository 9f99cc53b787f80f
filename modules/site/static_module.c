/*
 * static_module: files as content, when nobody else has replied: a directory's URI goes to index.c
 * and autoindex.c, any other to serve.c. try_files.c stands before all content.
 */
#include <errno.h>
#include <stdlib.h>

#include "http/http.h"
#include "http/precondition.h"
#include "modules/site/autoindex.h"
#include "modules/site/index.h"
#include "modules/site/serve.h"
#include "modules/site/static.h"

/* --- content --- */

static bool is_directory_uri(const request_t *r)
{
    return r->uri.n && r->uri.p[r->uri.n - 1] == '/';
}

static bool is_known_method(const request_t *r)
{
    return r->method_id == METHOD_GET || r->method_id == METHOD_HEAD || r->method_id == METHOD_POST;
}

static verdict_t refuse_directory(request_t *r)
{
    path_t path;
    if (path_map(r, &static_conf(r)->path, r->uri, STR(""), &path).kind == VERDICT_NEXT)
        LOG(&r->log, LOG_ERR, 0, "directory index of \"" STR_FMT "\" is forbidden",
            STR_ARG(path.full));
    return verdict_refuse(403, LOG_ERR, NULL);
}

static verdict_t serve_directory(request_t *r)
{
    verdict_t v = is_known_method(r) ? index_find(r) : VERDICT(NEXT);
    if (v.kind == VERDICT_NEXT && r->method_id != METHOD_POST && is_known_method(r))
        v = autoindex_list(r);
    return v.kind == VERDICT_NEXT ? refuse_directory(r) : v;
}

static verdict_t serve(request_t *r)
{
    path_t path;
    if (is_directory_uri(r)) return serve_directory(r);
    if (!is_known_method(r)) return static_refuse_method(r);
    verdict_t v = path_map(r, &static_conf(r)->path, r->uri, STR(""), &path);
    return v.kind == VERDICT_NEXT ? serve_path(r, &path) : v;
}

/* --- variables --- */

static str_t get_document_root(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    return path_root(r, &static_conf(r)->path);
}

static str_t get_realpath_root(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    const char *root = pool_cstr(r->pool, path_root(r, &static_conf(r)->path));
    char *real = realpath(root, NULL);
    if (!real) {
        LOG(&r->log, LOG_CRIT, errno, "realpath() \"%s\" failed", root);
        return (str_t){NULL, 0};
    }
    str_t value = pool_str(r->pool, str_of(real));
    free(real);
    return value;
}

static str_t get_request_filename(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    path_t path;
    verdict_t v = path_map(r, &static_conf(r)->path, r->uri, STR(""), &path);
    return v.kind == VERDICT_NEXT ? path.full : (str_t){NULL, 0};
}

static const var_def_t variables[] = {
    {"document_root", get_document_root, 0, VAR_NO_CACHE},
    {"realpath_root", get_realpath_root, 0, VAR_NO_CACHE},
    {"request_filename", get_request_filename, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

/* --- directives --- */

/* root and alias share one field, and a block can have one of them. */
static bool set_root(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    const tree_node_t *first = conf_node(cf, "root"), *other = conf_node(cf, "alias");
    bool alias = str_eq(node->words[0].text, STR("alias"));
    if (first && other)
        return conf_error(cf, node, 0, "keep one of them", "root and alias exclude each other");
    return alias ? path_set_alias(cf, row, conf, node) : path_set_root(cf, row, conf, node);
}

/* disable_symlinks off | on | if_not_owner [from=part] */
static bool set_links(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static_conf_t *c = conf;
    str_t mode = node->words[1].text, from;
    (void)row;
    c->links_from = (text_t){0};
    if (str_eq(mode, STR("off"))) c->links = FILE_LINKS_FOLLOW;
    else if (str_eq(mode, STR("on"))) c->links = FILE_LINKS_REFUSE;
    else if (str_eq(mode, STR("if_not_owner"))) c->links = FILE_LINKS_SAME_OWNER;
    else
        return conf_error(cf, node, 1, "off, on or if_not_owner", "invalid value \"" STR_FMT "\"",
                          STR_ARG(mode));
    if (node->n < 3) return true;
    if (!value_keyed(node->words[2].text, "from", &from))
        return conf_error(cf, node, 2, "from=PATH", "invalid parameter \"" STR_FMT "\"",
                          STR_ARG(node->words[2].text));
    return text_compile(cf, node, 2, from, &c->links_from);
}

static bool take_any(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)conf, (void)node;
    return true;
}

static const conf_name_t since[] = {{"off", PRECONDITION_SINCE_OFF},
                                    {"exact", PRECONDITION_SINCE_EXACT},
                                    {"before", PRECONDITION_SINCE_BEFORE},
                                    {NULL, 0}};

#define ALL CONF_HTTP_ALL
#define ALL_IF (CONF_HTTP_ALL | CONF_LOCATION_IF)
#define CONF static_conf_t
#define ACCEPTED(name, contexts, most, help) \
    CONF_CUSTOM(name, contexts, 0, 1, most, take_any, CONF_NO_FIELD, NULL, \
                "accepted for nginx's sake: " help)

static const conf_row_t rows[] = {
    CONF_CUSTOM("root", ALL_IF, 0, 1, 1, set_root, CONF_FIELD(CONF, path, path_conf_t), "html",
                "the directory that URIs are looked up in"),
    CONF_CUSTOM("alias", CONF_LOCATION, 0, 1, 1, set_root, CONF_FIELD(CONF, path, path_conf_t),
                NULL, "what stands in the file system for the location's part of the URI"),
    CONF_FLAG("etag", ALL, CONF, etag, "on", "whether files have an ETag, made of time and size"),
    CONF_ENUM("if_modified_since", ALL, CONF, since, "exact", since,
              "how If-Modified-Since is compared"),
    CONF_NUMBER("max_ranges", ALL, CONF, max_ranges, "256", 0, 0,
                "how many ranges a request may ask for, at most 256; 0: ranges are not served"),
    CONF_FLAG("sendfile", ALL_IF, CONF, sendfile, "on",
              "whether the kernel copies files to the client by itself"),
    CONF_CUSTOM("disable_symlinks", ALL, 0, 1, 2, set_links, CONF_FIELD(CONF, links, unsigned),
                "off",
                "whether symbolic links in paths are refused: off, on or if_not_owner [from=PART]"),
    ACCEPTED("sendfile_max_chunk", ALL, 1, "large files give way to other requests by themselves"),
    ACCEPTED("aio", ALL, 1, "files are read through the page cache"),
    ACCEPTED("aio_write", ALL, 1, "files are written through the page cache"),
    ACCEPTED("directio", ALL, 1, "files are read through the page cache"),
    ACCEPTED("directio_alignment", ALL, 1, "files are read through the page cache"),
    ACCEPTED("output_buffers", ALL, 2, "buffers are taken as they are needed"),
    ACCEPTED("postpone_output", ALL, 1, "what a handler has is sent at once"),
    ACCEPTED("open_file_cache", ALL, 2, "a file is opened when it is served, as it is then"),
    ACCEPTED("open_file_cache_valid", ALL, 1, "a file is opened when it is served, as it is then"),
    ACCEPTED("open_file_cache_min_uses", ALL, 1,
             "a file is opened when it is served, as it is then"),
    ACCEPTED("open_file_cache_errors", ALL, 1, "a file is opened when it is served, as it is then"),
    ACCEPTED("read_ahead", ALL, 1, "the kernel reads ahead by itself"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_FILES] = serve}, .variables = variables};

const module_t static_module = {
    .name = "static",
    .index = &static_index,
    .rows = rows,
    .conf_size = sizeof(static_conf_t),
    .hooks = &hooks,
};
