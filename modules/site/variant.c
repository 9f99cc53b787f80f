#include "modules/site/variant.h"

#include <errno.h>
#include <unistd.h>

enum { OFF, ON, ALWAYS };

/* In the order of preference among equals: what is made once is made as small as it can be. */
enum { BR, ZSTD, GZIP, KINDS };

static const struct {
    coding_t coding;
    str_t suffix;
} kinds[KINDS] = {[BR] = {CODING_BR, STR_INIT(".br")},
                  [ZSTD] = {CODING_ZSTD, STR_INIT(".zst")},
                  [GZIP] = {CODING_GZIP, STR_INIT(".gz")}};

typedef struct variant_conf {
    unsigned use[KINDS];
} variant_conf_t;

static unsigned variant_index;

static path_t beside(request_t *r, const path_t *path, unsigned kind)
{
    str_t full = pool_printf(r->pool, STR_FMT STR_FMT, STR_ARG(path->full),
                             STR_ARG(kinds[kind].suffix));
    return (path_t){full, path->root};
}

static bool open_kind(request_t *r, const path_t *plain, unsigned kind, file_t *out)
{
    path_t path = beside(r, plain, kind);
    int err = static_open(r, &path, out);
    if (err == 0 && out->regular) return true;
    if (err == 0)
        close(out->fd);
    else if (err != -ENOENT && err != -ENOTDIR && err != -ENAMETOOLONG)
        LOG(&r->log, LOG_ERR, -err, "%s \"" STR_FMT "\" failed", out->failed, STR_ARG(path.full));
    return false;
}

static bool exists(request_t *r, const path_t *plain, unsigned kind)
{
    file_t f;
    path_t path = beside(r, plain, kind);
    return static_look(r, &path, &f) == 0 && f.regular;
}

/* The first that is there of those that the client takes, the best liked before others. KINDS: none. */
static unsigned open_liked(request_t *r, const path_t *path, const variant_conf_t *c, file_t *out)
{
    negotiate_t n = negotiate_read(&r->head.headers);
    bool tried[KINDS] = {false};
    for (;;) {
        coding_t offered[KINDS];
        unsigned count = 0, kind = 0;
        for (unsigned k = 0; k < KINDS; k++)
            if (c->use[k] && !tried[k]) offered[count++] = kinds[k].coding;
        coding_t best = negotiate_choose(&n, offered, count);
        if (best == CODING_IDENTITY) return KINDS;
        while (kinds[kind].coding != best) kind++;
        if (open_kind(r, path, kind, out)) return kind;
        tried[kind] = true;
    }
}

/* The first that is there of those that all clients get. */
static unsigned open_always(request_t *r, const path_t *path, const variant_conf_t *c, file_t *out)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (c->use[k] == ALWAYS && open_kind(r, path, k, out)) return k;
    return KINDS;
}

static bool others_exist(request_t *r, const path_t *path, const variant_conf_t *c, unsigned chosen)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (c->use[k] && k != chosen && exists(r, path, k)) return true;
    return false;
}

variant_t variant_open(request_t *r, const path_t *path, file_t *out)
{
    const variant_conf_t *c = request_conf(r, variant_index);
    variant_t v = {.coding = CODING_IDENTITY};
    if (!c->use[BR] && !c->use[ZSTD] && !c->use[GZIP]) return v;
    unsigned kind = open_liked(r, path, c, out);
    if (kind == KINDS) kind = open_always(r, path, c, out);
    if (kind < KINDS) v.coding = kinds[kind].coding;
    v.varies = (kind < KINDS && c->use[kind] == ON) || others_exist(r, path, c, kind);
    return v;
}

/* --- directives --- */

static const conf_name_t uses[] = {{"off", OFF}, {"on", ON}, {"always", ALWAYS}, {NULL, 0}};

#define HELP(suffix) \
    "whether FILE" suffix " is sent in place of FILE: on: to clients that take it; always: to all"

static const conf_row_t rows[] = {
    CONF_ENUM("gzip_static", CONF_HTTP_ALL, variant_conf_t, use[GZIP], "off", uses, HELP(".gz")),
    CONF_ENUM("brotli_static", CONF_HTTP_ALL, variant_conf_t, use[BR], "off", uses, HELP(".br")),
    CONF_ENUM("zstd_static", CONF_HTTP_ALL, variant_conf_t, use[ZSTD], "off", uses, HELP(".zst")),
    CONF_END,
};

const module_t variant_module = {
    .name = "variant",
    .index = &variant_index,
    .rows = rows,
    .conf_size = sizeof(variant_conf_t),
};
