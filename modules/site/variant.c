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

/* One search: what it has found missing it does not look for again. */
typedef struct search {
    request_t *r;
    const path_t *plain;
    const variant_conf_t *conf;
    bool missing[KINDS];
} search_t;

static bool open_kind(search_t *s, unsigned kind, file_t *out)
{
    request_t *r = s->r;
    path_t path = beside(r, s->plain, kind);
    int err = static_open(r, &path, out);
    if (err == 0 && out->regular) return true;
    s->missing[kind] = true;
    if (err == 0)
        close(out->fd);
    else if (err != -ENOENT && err != -ENOTDIR && err != -ENAMETOOLONG)
        LOG(&r->log, LOG_ERR, -err, "%s \"" STR_FMT "\" failed", out->failed, STR_ARG(path.full));
    return false;
}

static bool exists(const search_t *s, unsigned kind)
{
    file_t f;
    if (s->missing[kind]) return false;
    path_t path = beside(s->r, s->plain, kind);
    return static_look(s->r, &path, &f) == 0 && f.regular;
}

/* The first that is there of those that the client takes, the best liked before others. KINDS:
   none. */
static unsigned open_liked(search_t *s, file_t *out)
{
    negotiate_t n = negotiate_read(&s->r->head.headers);
    for (;;) {
        coding_t offered[KINDS];
        unsigned count = 0, kind = 0;
        for (unsigned k = 0; k < KINDS; k++)
            if (s->conf->use[k] && !s->missing[k]) offered[count++] = kinds[k].coding;
        coding_t best = negotiate_choose(&n, offered, count);
        if (best == CODING_IDENTITY) return KINDS;
        while (kinds[kind].coding != best) kind++;
        if (open_kind(s, kind, out)) return kind;
    }
}

/* The first that is there of those that all clients get. */
static unsigned open_always(search_t *s, file_t *out)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (s->conf->use[k] == ALWAYS && !s->missing[k] && open_kind(s, k, out)) return k;
    return KINDS;
}

static bool others_exist(const search_t *s, unsigned chosen)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (s->conf->use[k] && k != chosen && exists(s, k)) return true;
    return false;
}

variant_t variant_open(request_t *r, const path_t *path, file_t *out)
{
    const variant_conf_t *c = request_conf(r, variant_index);
    variant_t v = {.coding = CODING_IDENTITY};
    search_t s = {.r = r, .plain = path, .conf = c};
    if (!c->use[BR] && !c->use[ZSTD] && !c->use[GZIP]) return v;
    unsigned kind = open_liked(&s, out);
    if (kind == KINDS) kind = open_always(&s, out);
    if (kind < KINDS) v.coding = kinds[kind].coding;
    v.varies = (kind < KINDS && c->use[kind] == ON) || others_exist(&s, kind);
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
