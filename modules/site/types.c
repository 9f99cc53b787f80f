#include "modules/site/types.h"

#include "core/base/hash.h"

enum { EXTENSION_MAX = 32 };

typedef struct types_map {
    hash_map_t map; /* lower-case extension to const str_t */
} types_map_t;

typedef struct types_conf {
    types_map_t *types; /* NULL: no types block at all */
    str_t default_type;
    unsigned hash_bucket_size, hash_max_size;
} types_conf_t;

static unsigned types_index;

/* --- lookup --- */

str_t types_extension(str_t uri)
{
    for (size_t i = uri.n; i > 1; i--) {
        if (uri.p[i - 1] == '/') break;
        if (uri.p[i - 1] == '.') return uri.p[i - 2] == '/' ? STR("") : str_sub(uri, i, uri.n);
    }
    return STR("");
}

/* What nginx knows when it is told nothing. */
static const str_t *builtin_type(str_t extension)
{
    static const struct {
        str_t extension, type;
    } known[] = {{STR_INIT("html"), STR_INIT("text/html")},
                 {STR_INIT("gif"), STR_INIT("image/gif")},
                 {STR_INIT("jpg"), STR_INIT("image/jpeg")}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(extension, known[i].extension)) return &known[i].type;
    return NULL;
}

str_t types_of(const request_t *r)
{
    const types_conf_t *c = request_conf(r, types_index);
    str_t extension = types_extension(r->uri);
    char lower[EXTENSION_MAX];
    const str_t *found = NULL;
    if (extension.n && extension.n <= EXTENSION_MAX) {
        for (size_t i = 0; i < extension.n; i++) lower[i] = ascii_lower(extension.p[i]);
        extension.p = lower;
        found = c->types ? hash_map_get(&c->types->map, extension) : builtin_type(extension);
    }
    if (found) return *found;
    return c->default_type.n ? c->default_type : (str_t){NULL, 0};
}

void types_settle(request_t *r)
{
    if (!r->reply.type_by_uri) return;
    r->reply.type_by_uri = false;
    r->reply.content_type = types_of(r);
}

/* --- while the configuration is read --- */

static bool add_types(conf_t *cf, types_map_t *types, const tree_node_t *line)
{
    if (line->block || line->n < 2)
        return conf_error(cf, line, 0, "text/html html htm;",
                          "a type and its extensions are wanted");
    str_t *type = pool_memdup(cf->pool, &line->words[0].text, sizeof(str_t));
    for (unsigned i = 1; i < line->n; i++)
        hash_map_set(&types->map, pool_lower(cf->pool, line->words[i].text), type);
    return true;
}

static bool set_types(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    types_conf_t *c = conf;
    bool ok = true;
    (void)row;
    if (!c->types) {
        c->types = POOL_NEW(cf->pool, types_map_t);
        hash_map_init(&c->types->map, cf->pool);
    }
    for (const tree_node_t *line = node->children; line; line = line->next)
        ok = add_types(cf, c->types, line) && ok;
    return ok;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("types", CONF_HTTP_ALL, CONF_BLOCK | CONF_RAW | CONF_MANY, 0, 0, set_types,
                CONF_FIELD(types_conf_t, types, types_map_t *), NULL,
                "media types and the extensions that have them"),
    CONF_STR("default_type", CONF_HTTP_ALL, types_conf_t, default_type, "text/plain",
             "the media type of what has none in types"),
    CONF_NUMBER("types_hash_bucket_size", CONF_HTTP_ALL, types_conf_t, hash_bucket_size, "64", 1, 0,
                "accepted for nginx's sake: the table grows as it must"),
    CONF_NUMBER("types_hash_max_size", CONF_HTTP_ALL, types_conf_t, hash_max_size, "1024", 1, 0,
                "accepted for nginx's sake: the table grows as it must"),
    CONF_END,
};

const module_t types_module = {
    .name = "types",
    .index = &types_index,
    .rows = rows,
    .conf_size = sizeof(types_conf_t),
};
