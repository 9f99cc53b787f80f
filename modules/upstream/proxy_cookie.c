#include "modules/upstream/proxy_cookie.h"

#include "http/request.h"

enum { SECURE, HTTP_ONLY, SAME_SITE, KINDS };

/* What becomes of an attribute: p NULL: it stays; empty: it goes; else it is replaced by that. */
typedef struct flag {
    str_t name;
    unsigned kind;
    str_t becomes;
} flag_t;

static const flag_t known[] = {
    {STR_INIT("secure"), SECURE, STR_INIT("Secure")},
    {STR_INIT("nosecure"), SECURE, STR_INIT("")},
    {STR_INIT("httponly"), HTTP_ONLY, STR_INIT("HttpOnly")},
    {STR_INIT("nohttponly"), HTTP_ONLY, STR_INIT("")},
    {STR_INIT("samesite=strict"), SAME_SITE, STR_INIT("SameSite=Strict")},
    {STR_INIT("samesite=lax"), SAME_SITE, STR_INIT("SameSite=Lax")},
    {STR_INIT("samesite=none"), SAME_SITE, STR_INIT("SameSite=None")},
    {STR_INIT("nosamesite"), SAME_SITE, STR_INIT("")},
};

static const str_t attributes[KINDS] = {
    [SECURE] = STR_INIT("secure"), [HTTP_ONLY] = STR_INIT("httponly"),
    [SAME_SITE] = STR_INIT("samesite")};

static const flag_t *find_flag(str_t name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_ieq(known[i].name, name)) return &known[i];
    return NULL;
}

/* --- the directive --- */

static bool compile_name(conf_t *cf, const tree_node_t *node, proxy_cookie_rule_t *rule)
{
    str_t name = node->words[1].text;
    if (!str_starts(name, STR("~"))) return text_compile(cf, node, 1, name, &rule->name);
    return pattern_compile(cf, node, 1, str_sub(name, 1, name.n), true, &rule->pattern);
}

static bool add_flag(conf_t *cf, const tree_node_t *node, unsigned word, text_list_t *flags)
{
    text_t *flag = VEC_PUSH(cf->pool, flags);
    str_t text = node->words[word].text;
    if (!text_compile(cf, node, word, text, flag)) return false;
    return !text_is_constant(flag) || find_flag(text) ||
           conf_error(cf, node, word,
                      "secure, httponly, samesite=strict|lax|none, nosecure, nohttponly, "
                      "nosamesite",
                      "invalid flag \"" STR_FMT "\"", STR_ARG(text));
}

bool proxy_cookie_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_cookie_rules_t *rules = CONF_AT(row, conf, proxy_cookie_rules_t);
    if (node->n == 2 && str_eq(node->words[1].text, STR("off"))) {
        rules->n = 0;
        return true;
    }
    proxy_cookie_rule_t *rule = VEC_PUSH(cf->pool, rules);
    if (!compile_name(cf, node, rule)) return false;
    for (unsigned i = 2; i < node->n; i++)
        if (!add_flag(cf, node, i, &rule->flags)) return false;
    return true;
}

/* --- a cookie --- */

static bool is_for(const proxy_cookie_rule_t *rule, request_t *r, str_t name)
{
    if (rule->pattern.regex) return pattern_match(&rule->pattern, r, name) > 0;
    return str_eq(text_eval(&rule->name, r), name);
}

static void evaluate(const proxy_cookie_rule_t *rule, request_t *r, str_t becomes[KINDS])
{
    VEC_EACH(const text_t, text, &rule->flags)
    {
        str_t name = text_eval(text, r);
        const flag_t *flag = find_flag(name);
        if (flag) becomes[flag->kind] = flag->becomes;
        else if (name.n)
            LOG(&r->log, LOG_ERR, 0, "invalid proxy_cookie_flags flag \"" STR_FMT "\"",
                STR_ARG(name));
    }
}

static bool is_changed(const str_t becomes[KINDS], str_t attribute)
{
    str_t name = str_trim(str_sub(attribute, 0, str_find(attribute, 0, '=')));
    for (unsigned i = 0; i < KINDS; i++)
        if (becomes[i].p && str_ieq(name, attributes[i])) return true;
    return false;
}

static str_t rewrite(const proxy_cookie_rule_t *rule, request_t *r, str_t value)
{
    str_t becomes[KINDS] = {{NULL, 0}}, rest = value, piece, out;
    evaluate(rule, r, becomes);
    str_cut(&rest, ';', &out);
    while (str_cut(&rest, ';', &piece))
        if (!is_changed(becomes, piece))
            out = pool_printf(r->pool, STR_FMT ";" STR_FMT, STR_ARG(out), STR_ARG(piece));
    for (unsigned i = 0; i < KINDS; i++)
        if (becomes[i].n)
            out = pool_printf(r->pool, STR_FMT "; " STR_FMT, STR_ARG(out), STR_ARG(becomes[i]));
    return out;
}

str_t proxy_cookie_flags(const proxy_cookie_rules_t *rules, request_t *r, str_t value)
{
    str_t name = str_trim(str_sub(value, 0, str_find(value, 0, '=')));
    VEC_EACH(const proxy_cookie_rule_t, rule, rules)
        if (is_for(rule, r, name)) return rewrite(rule, r, value);
    return value;
}
