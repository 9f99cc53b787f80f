#include "modules/upstream/proxy_redirect.h"

#include "http/request.h"

/* --- directives --- */

static bool compile_from(conf_t *cf, const tree_node_t *node, proxy_rewrite_t *out)
{
    str_t from = node->words[1].text;
    bool fold = str_starts(from, STR("~*"));
    if (!str_starts(from, STR("~"))) return text_compile(cf, node, 1, from, &out->from);
    return pattern_compile(cf, node, 1, str_sub(from, fold ? 2 : 1, from.n), fold, &out->pattern);
}

static bool add_rule(conf_t *cf, proxy_rewrites_t *rules, const tree_node_t *node)
{
    proxy_rewrite_t *rule = VEC_PUSH(cf->pool, &rules->list);
    return compile_from(cf, node, rule) &&
           text_compile(cf, node, 2, node->words[2].text, &rule->to);
}

static bool set_word(conf_t *cf, const tree_node_t *node, proxy_rewrites_t *rules, bool may_default)
{
    str_t word = node->words[1].text;
    if (str_eq(word, STR("off"))) {
        *rules = (proxy_rewrites_t){.given = true};
        return true;
    }
    if (may_default && str_eq(word, STR("default"))) return rules->automatic = true;
    return conf_error(cf, node, 1, may_default ? "default, off, or two words" : "off, or two words",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(word));
}

bool proxy_redirect_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_rewrites_t *rules = CONF_AT(row, conf, proxy_rewrites_t);
    rules->given = true;
    return node->n == 2 ? set_word(cf, node, rules, true) : add_rule(cf, rules, node);
}

bool proxy_redirect_set_cookie(conf_t *cf, const conf_row_t *row, void *conf,
                               const tree_node_t *node)
{
    proxy_rewrites_t *rules = CONF_AT(row, conf, proxy_rewrites_t);
    return node->n == 2 ? set_word(cf, node, rules, false) : add_rule(cf, rules, node);
}

/* --- Location, Refresh --- */

/* *out is value rewritten by the rule; false when it does not fit. */
static bool rewrite(const proxy_rewrite_t *rule, request_t *r, str_t value, str_t *out)
{
    if (rule->pattern.regex) {
        if (pattern_match(&rule->pattern, r, value) <= 0) return false;
        *out = text_eval(&rule->to, r);
        return true;
    }
    str_t from = text_eval(&rule->from, r);
    if (!str_starts(value, from)) return false;
    *out = pool_concat(r->pool, text_eval(&rule->to, r), str_sub(value, from.n, value.n));
    return true;
}

str_t proxy_redirect_location(const proxy_rewrites_t *rules, const proxy_redirect_default_t *usual,
                              request_t *r, str_t value)
{
    str_t out;
    VEC_EACH(const proxy_rewrite_t, rule, &rules->list)
        if (rewrite(rule, r, value, &out)) return out;
    if (!usual->from.p || !str_starts(value, usual->from)) return value;
    return pool_concat(r->pool, usual->to, str_sub(value, usual->from.n, value.n));
}

static size_t find_url(str_t value)
{
    for (size_t i = 0; i + 4 <= value.n; i++)
        if (str_istarts(str_sub(value, i, value.n), STR("url="))) return i + 4;
    return value.n;
}

str_t proxy_redirect_refresh(const proxy_rewrites_t *rules, const proxy_redirect_default_t *usual,
                             request_t *r, str_t value)
{
    size_t at = find_url(value);
    if (at == value.n) return value;
    str_t url = str_sub(value, at, value.n);
    str_t rewritten = proxy_redirect_location(rules, usual, r, url);
    return rewritten.p == url.p ? value : pool_concat(r->pool, str_sub(value, 0, at), rewritten);
}

/* --- Set-Cookie --- */

static str_t without_dot(str_t domain)
{
    return domain.n && domain.p[0] == '.' ? str_sub(domain, 1, domain.n) : domain;
}

/* Domains are the same or not; a leading dot of either says nothing, but to a regular
   expression. */
static bool rewrite_domain(const proxy_rewrite_t *rule, request_t *r, str_t value, str_t *out)
{
    if (rule->pattern.regex) return rewrite(rule, r, value, out);
    if (!str_ieq(without_dot(value), without_dot(text_eval(&rule->from, r)))) return false;
    *out = without_dot(text_eval(&rule->to, r));
    if (value.n && value.p[0] == '.') *out = pool_concat(r->pool, STR("."), *out);
    return true;
}

typedef bool (*rewrite_fn)(const proxy_rewrite_t *rule, request_t *r, str_t value, str_t *out);

static bool rewrite_attribute(const proxy_rewrites_t *rules, rewrite_fn fn, request_t *r,
                              str_t value, str_t *out)
{
    VEC_EACH(const proxy_rewrite_t, rule, &rules->list)
        if (fn(rule, r, value, out)) return true;
    return false;
}

/* "; Path=/x" with what is in front of the value kept as it stands. */
static str_t rewrite_piece(const proxy_rewrites_t *domains, const proxy_rewrites_t *paths,
                           request_t *r, str_t piece)
{
    size_t equals = str_find(piece, 0, '=');
    if (equals == piece.n) return piece;
    str_t name = str_trim(str_sub(piece, 0, equals)), out;
    str_t value = str_trim(str_sub(piece, equals + 1, piece.n));
    bool done = false;
    if (str_ieq(name, STR("domain")))
        done = rewrite_attribute(domains, rewrite_domain, r, value, &out);
    if (str_ieq(name, STR("path"))) done = rewrite_attribute(paths, rewrite, r, value, &out);
    return done ? pool_concat(r->pool, str_sub(piece, 0, equals + 1), out) : piece;
}

str_t proxy_redirect_cookie(const proxy_rewrites_t *domains, const proxy_rewrites_t *paths,
                            request_t *r, str_t value)
{
    str_t rest = value, piece, out = {NULL, 0};
    if (domains->list.n == 0 && paths->list.n == 0) return value;
    while (str_cut(&rest, ';', &piece)) {
        if (!out.p) {
            out = piece; /* the name and value */
            continue;
        }
        piece = rewrite_piece(domains, paths, r, piece);
        out = pool_printf(r->pool, STR_FMT ";" STR_FMT, STR_ARG(out), STR_ARG(piece));
    }
    return out;
}
