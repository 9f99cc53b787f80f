#include "http/pattern.h"

#include "http/http.h"
#include "http/request.h"

static bool define_names(conf_t *cf, const tree_node_t *node, unsigned word, pattern_t *p)
{
    str_t name;
    unsigned group, count = 0;
    const http_conf_t *http = http_conf_read(cf);
    while (regex_name(p->regex, count, &name, &group)) count++;
    p->vars = POOL_ARRAY(cf->pool, int, count);
    for (unsigned i = 0; regex_name(p->regex, i, &name, &group); i++) {
        p->vars[i] = var_define(cf, http->vars, node, word, name);
        if (p->vars[i] < 0) return false;
    }
    return true;
}

bool pattern_compile(conf_t *cf, const tree_node_t *node, unsigned word, str_t source,
                     bool fold_case, pattern_t *out)
{
    char error[REGEX_ERROR_MAX];
    size_t at;
    regex_t *regex = regex_compile(cf->pool, source, fold_case, error, &at);
    if (!regex)
        return conf_error(cf, node, word, NULL,
                          "regular expression \"" STR_FMT "\": %s at \"" STR_FMT "\"",
                          STR_ARG(source), error, STR_ARG(str_sub(source, at, source.n)));
    *out = (pattern_t){.source = source, .regex = regex};
    return define_names(cf, node, word, out);
}

static void set_names(const pattern_t *p, request_t *r)
{
    str_t name;
    unsigned group;
    for (unsigned i = 0; regex_name(p->regex, i, &name, &group); i++)
        var_put(r, (unsigned)p->vars[i], regex_group(r->captures, group));
}

int pattern_match(const pattern_t *p, request_t *r, str_t subject)
{
    if (!r) return regex_match(p->regex, subject, NULL);
    if (!r->captures) r->captures = POOL_NEW(r->pool, regex_match_t);
    int rc = regex_match(p->regex, subject, r->captures);
    if (rc > 0) set_names(p, r);
    if (rc < 0) {
        r->pattern_failed = true;
        LOG(&r->log, LOG_ALERT, 0,
            "regular expression \"" STR_FMT "\" took too long on \"" STR_FMT "\"",
            STR_ARG(p->source), STR_ARG(subject));
    }
    return rc;
}
