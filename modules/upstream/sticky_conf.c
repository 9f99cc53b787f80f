#include "modules/upstream/sticky_conf.h"

#include "core/process/generation.h"
#include "http/parse.h"

static const char example_cookie[] =
    "sticky cookie NAME [expires=1h|max] [domain=...] [path=/] [httponly] [secure] "
    "[samesite=strict|lax|none] [secret=...]";
static const char example_learn[] =
    "sticky learn create=$upstream_cookie_id lookup=$cookie_id zone=sessions:1m [timeout=10m]";

static bool invalid(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint)
{
    return conf_error(cf, node, word, hint, "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(node->words[word].text));
}

/* --- cookie --- */

static bool set_expires(conf_t *cf, const tree_node_t *node, unsigned word, str_t value,
                        sticky_t *s)
{
    enum { MAX_DAYS = 3650 };
    if (str_eq(value, STR("max"))) {
        s->expires = MAX_DAYS * 24ull * 3600 * 1000;
        return true;
    }
    return conf_msec(cf, node, word, value, &s->expires) &&
           conf_bounds(cf, node, word, s->expires, 1000, MAX_DAYS * 24ull * 3600 * 1000,
                       value_show_msec);
}

static bool set_same_site(conf_t *cf, const tree_node_t *node, unsigned word, str_t value,
                          sticky_t *s)
{
    if (!text_compile(cf, node, word, value, &s->same_site)) return false;
    return !text_is_constant(&s->same_site) || str_ieq(value, STR("strict")) ||
           str_ieq(value, STR("lax")) || str_ieq(value, STR("none")) ||
           conf_error(cf, node, word, "strict, lax or none",
                      "invalid value \"" STR_FMT "\" of samesite", STR_ARG(value));
}

static bool set_secret(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, sticky_t *s)
{
    enum { SECRET_LEAST = 16 };
    s->secret = pool_str(cf->pool, value);
    return value.n >= SECRET_LEAST ||
           conf_error(cf, node, word, "for example what `openssl rand -hex 16` says",
                      "a secret of less than %d characters can be guessed", SECRET_LEAST);
}

static bool set_attribute(conf_t *cf, const tree_node_t *node, unsigned word, str_t value,
                          text_t *out)
{
    return (value.n && parse_is_field_value(value) && str_find(value, 0, ';') == value.n &&
            text_compile(cf, node, word, value, out)) ||
           invalid(cf, node, word, example_cookie);
}

static bool set_cookie_word(conf_t *cf, const tree_node_t *node, unsigned word, sticky_t *s)
{
    str_t text = node->words[word].text, value;
    if (str_eq(text, STR("httponly"))) return s->http_only = true;
    if (str_eq(text, STR("secure"))) return s->secure = true;
    if (value_keyed(text, "expires", &value)) return set_expires(cf, node, word, value, s);
    if (value_keyed(text, "domain", &value))
        return set_attribute(cf, node, word, value, &s->domain);
    if (value_keyed(text, "path", &value)) return set_attribute(cf, node, word, value, &s->path);
    if (value_keyed(text, "samesite", &value)) return set_same_site(cf, node, word, value, s);
    if (value_keyed(text, "secret", &value)) return set_secret(cf, node, word, value, s);
    return invalid(cf, node, word, example_cookie);
}

static bool want_zone(conf_t *cf, const tree_node_t *node, unsigned word, sticky_t *s, str_t name,
                      const char *kind, void *(*init)(slab_t *slab, void *arg))
{
    const char *why;
    s->zone = zone_want(&generation_of(cf)->zones, name, s->size, kind, init, &s->size, &why);
    return s->zone || conf_error(cf, node, word, NULL, "%s", why);
}

static bool set_cookie(conf_t *cf, const tree_node_t *node, sticky_t *s)
{
    if (node->n < 3) return invalid(cf, node, 1, example_cookie);
    s->name = node->words[2].text;
    if (!parse_is_token(s->name)) return invalid(cf, node, 2, example_cookie);
    for (unsigned i = 3; i < node->n; i++)
        if (!set_cookie_word(cf, node, i, s)) return false;
    s->size = ZONE_SIZE_MIN;
    return s->secret.p || want_zone(cf, node, 1, s, STR("sticky:secret"),
                                    "secret of sticky cookies", sticky_make_secret);
}

/* --- route --- */

static bool add_variable(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
                         text_list_t *list)
{
    text_t *t = VEC_PUSH(cf->pool, list);
    return text_compile(cf, node, word, text, t) &&
           (!text_is_constant(t) || conf_error(cf, node, word, "for example $cookie_route",
                                               "\"" STR_FMT "\" holds no variable", STR_ARG(text)));
}

static bool set_route(conf_t *cf, const tree_node_t *node, sticky_t *s)
{
    if (node->n < 3) return invalid(cf, node, 1, "sticky route $cookie_route $arg_route");
    for (unsigned i = 2; i < node->n; i++)
        if (!add_variable(cf, node, i, node->words[i].text, &s->lookup)) return false;
    return true;
}

/* --- learn --- */

static bool set_zone(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, sticky_t *s)
{
    size_t colon = str_find(value, 0, ':');
    if (colon == 0 || colon + 1 >= value.n) return invalid(cf, node, word, example_learn);
    str_t size = str_sub(value, colon + 1, value.n);
    return conf_size(cf, node, word, size, ZONE_SIZE_MIN, 1ull << 36, &s->size) &&
           want_zone(cf, node, word, s, str_sub(value, 0, colon), "sticky sessions",
                     sticky_table_init);
}

static bool set_learn_word(conf_t *cf, const tree_node_t *node, unsigned word, sticky_t *s)
{
    str_t text = node->words[word].text, value;
    /* It is learnt with the head in any case, and all workers share the zone. */
    if (str_eq(text, STR("header")) || str_eq(text, STR("sync"))) return true;
    if (value_keyed(text, "create", &value)) return add_variable(cf, node, word, value, &s->create);
    if (value_keyed(text, "lookup", &value)) return add_variable(cf, node, word, value, &s->lookup);
    if (value_keyed(text, "timeout", &value)) return conf_msec(cf, node, word, value, &s->timeout);
    if (value_keyed(text, "zone", &value)) return set_zone(cf, node, word, value, s);
    return invalid(cf, node, word, example_learn);
}

static bool set_learn(conf_t *cf, const tree_node_t *node, sticky_t *s)
{
    s->timeout = 10 * 60 * 1000;
    for (unsigned i = 2; i < node->n; i++)
        if (!set_learn_word(cf, node, i, s)) return false;
    return (s->zone && s->create.n && s->lookup.n) ||
           conf_error(cf, node, 1, example_learn, "sticky learn needs create=, lookup= and zone=");
}

/* --- all of them --- */

bool sticky_conf_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static const struct {
        str_t name;
        sticky_kind_t kind;
        bool (*set)(conf_t *cf, const tree_node_t *node, sticky_t *s);
    } kinds[] = {{STR_INIT("cookie"), STICKY_COOKIE, set_cookie},
                 {STR_INIT("route"), STICKY_ROUTE, set_route},
                 {STR_INIT("learn"), STICKY_LEARN, set_learn}};
    sticky_t *s = POOL_NEW(cf->pool, sticky_t);
    (void)row;
    ((upstream_conf_t *)conf)->policy.sticky = s;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        s->kind = kinds[i].kind;
        if (str_eq(node->words[1].text, kinds[i].name)) return kinds[i].set(cf, node, s);
    }
    return invalid(cf, node, 1, "sticky cookie, sticky route or sticky learn");
}
