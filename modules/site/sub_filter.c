/*
 * sub_filter: texts of a reply's body are replaced on its way to the client.
 *
 *     sub_filter 'http://backend/' 'https://$host/'; sub_filter_once off;
 *
 * Before the body is packed, and so that it comes plain: where there is something to replace,
 * origins are not offered any content coding. What is encoded all the same, and parts (206), are
 * left alone.
 */
#include "http/http.h"
#include "http/pieces.h"
#include "http/request.h"
#include "modules/site/substitute.h"

typedef struct sub_pair {
    text_t match, with;
} sub_pair_t;

typedef VEC(sub_pair_t) sub_pairs_t;

typedef struct sub_conf {
    sub_pairs_t pairs;
    bool once, last_modified;
    conf_strs_t types; /* none: text/html */
} sub_conf_t;

static unsigned sub_index;

/* --- the body --- */

typedef struct way {
    filter_t *f;
    request_t *r;
} way_t;

static int pass(void *arg, const piece_t *pieces, unsigned n)
{
    const way_t *w = arg;
    return filter_pass(w->f, w->r, pieces, n, 0);
}

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    way_t w = {f, r};
    return substitute_feed(f->state, str_make(p, n), pass, &w);
}

static int body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    way_t w = {f, r};
    int err = pieces_each(f, r, pieces, n, take);
    if (err == 0 && (flags & BODY_LAST)) err = substitute_end(f->state, pass, &w);
    return err == 0 && flags ? filter_pass(f, r, NULL, 0, flags) : err;
}

static void release(void *substitute)
{
    substitute_free(substitute);
}

static void start(request_t *r, const sub_conf_t *c)
{
    substitute_t *s = POOL_NEW(r->pool, substitute_t);
    s->pairs = POOL_ARRAY(r->pool, substitute_pair_t, c->pairs.n);
    s->once = c->once;
    VEC_EACH(const sub_pair_t, pair, &c->pairs)
        s->pairs[s->count++] = (substitute_pair_t){.match = text_eval(&pair->match, r),
                                                   .with = text_eval(&pair->with, r)};
    substitute_begin(s);
    pool_defer(r->pool, release, s);
    filter_push_early(r, body, s);
}

/* --- the head --- */

static bool is_wanted(const sub_conf_t *c, str_t content_type)
{
    str_t type = str_trim(str_sub(content_type, 0, str_find(content_type, 0, ';')));
    if (!c->types.n) return str_ieq(type, STR("text/html"));
    for (uint32_t i = 0; i < c->types.n; i++)
        if (str_eq(c->types.v[i], STR("*")) || str_ieq(type, c->types.v[i])) return true;
    return str_ieq(type, STR("text/html"));
}

static int head(request_t *r)
{
    const sub_conf_t *c = request_conf(r, sub_index);
    reply_t *p = &r->reply;
    if (!c->pairs.n || !p->length || p->status == 206 || !is_wanted(c, p->content_type) ||
        header_get(&p->headers, HEADER_CONTENT_ENCODING))
        return 0;
    reply_recast(p);
    if (!c->last_modified) {
        header_remove(&p->headers, HEADER_LAST_MODIFIED);
        header_remove(&p->headers, HEADER_ETAG);
    }
    if (!p->head_only) start(r, c);
    return 0;
}

static verdict_t announce(request_t *r)
{
    const sub_conf_t *c = request_conf(r, sub_index);
    r->plain = c->pairs.n > 0;
    return VERDICT(NEXT);
}

/* --- while the configuration is read --- */

static bool add_pair(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    sub_pair_t *pair = VEC_PUSH(cf->pool, CONF_AT(row, conf, sub_pairs_t));
    if (!node->words[1].text.n)
        return conf_error(cf, node, 1, "the text that is to be replaced", "empty search pattern");
    return text_compile(cf, node, 1, node->words[1].text, &pair->match) &&
           text_compile(cf, node, 2, node->words[2].text, &pair->with);
}

#define ALL CONF_HTTP_ALL

static const conf_row_t rows[] = {
    CONF_CUSTOM("sub_filter", ALL, CONF_MANY, 2, 2, add_pair,
                CONF_FIELD(sub_conf_t, pairs, sub_pairs_t), NULL,
                "a text to look for in replies (in any case), and what is put in its place"),
    CONF_FLAG("sub_filter_once", ALL, sub_conf_t, once, "on",
              "whether each text is replaced once only"),
    CONF_FLAG("sub_filter_last_modified", ALL, sub_conf_t, last_modified, "off",
              "whether Last-Modified and ETag (made weak) stay"),
    CONF_STRS("sub_filter_types", ALL, sub_conf_t, types,
              "the types that are looked through, besides text/html; *: all"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_PRECONTENT] = announce}, .head = head};

const module_t sub_filter_module = {
    .name = "sub_filter",
    .index = &sub_index,
    .rows = rows,
    .conf_size = sizeof(sub_conf_t),
    .hooks = &hooks,
};
