#include "modules/upstream/health_match.h"

/* --- reading --- */

static bool read_status(str_t text, int *out)
{
    uint64_t n;
    bool good = str_to_u64(text, &n) && n >= 100 && n <= 999;
    if (good) *out = (int)n;
    return good;
}

static bool read_statuses(conf_t *cf, const tree_node_t *node, health_match_t *m)
{
    unsigned first = node->n > 1 && str_eq(node->words[1].text, STR("!")) ? 2 : 1;
    m->not_statuses = first == 2;
    if (node->n <= first) return conf_error(cf, node, 0, "status 200-399", "no status is given");
    for (unsigned i = first; i < node->n; i++) {
        str_t word = node->words[i].text;
        size_t dash = str_find(word, 0, '-');
        health_statuses_t *s = VEC_PUSH(cf->pool, &m->statuses);
        bool good = read_status(str_sub(word, 0, dash), &s->low);
        s->high = s->low;
        if (good && dash < word.n) good = read_status(str_sub(word, dash + 1, word.n), &s->high);
        if (!good || s->high < s->low)
            return conf_error(cf, node, i, "for example 200, 200-399",
                              "invalid status \"" STR_FMT "\"", STR_ARG(word));
    }
    return true;
}

static regex_t *read_regex(conf_t *cf, const tree_node_t *node, unsigned word)
{
    char error[REGEX_ERROR_MAX];
    size_t at;
    regex_t *re = regex_compile(cf->pool, node->words[word].text, false, error, &at);
    if (!re) conf_error(cf, node, word, NULL, "invalid pattern: %s at byte %zu", error, at);
    return re;
}

/* "=", "~" or one of them negated; false: none of these. */
static bool read_operator(str_t word, bool *negated, bool *pattern)
{
    *negated = word.n == 2 && word.p[0] == '!';
    if (*negated) word = str_sub(word, 1, 2);
    *pattern = str_eq(word, STR("~"));
    return *pattern || str_eq(word, STR("="));
}

static bool read_field(conf_t *cf, const tree_node_t *node, health_match_t *m)
{
    bool pattern;
    health_field_t *f = VEC_PUSH(cf->pool, &m->fields);
    *f = (health_field_t){.name = node->n > 1 ? node->words[1].text : STR("")};
    if (node->n == 2) return true;
    if (node->n == 3 && str_eq(f->name, STR("!"))) {
        f->name = node->words[2].text;
        return f->negated = true;
    }
    if (node->n != 4 || !read_operator(node->words[2].text, &f->negated, &pattern))
        return conf_error(cf, node, 0, "header NAME = VALUE, header NAME ~ PATTERN, header ! NAME",
                          "invalid \"header\" in match");
    f->value = node->words[3].text;
    return !pattern || (f->regex = read_regex(cf, node, 3));
}

static bool read_body(conf_t *cf, const tree_node_t *node, health_match_t *m)
{
    bool pattern;
    if (node->n != 3 || !read_operator(node->words[1].text, &m->not_body, &pattern) || !pattern)
        return conf_error(cf, node, 0, "body ~ PATTERN, body !~ PATTERN",
                          "invalid \"body\" in match");
    m->body = read_regex(cf, node, 2);
    return m->body;
}

static bool read_test(conf_t *cf, const tree_node_t *node, health_match_t *m)
{
    str_t name = node->words[0].text;
    if (str_eq(name, STR("status"))) return read_statuses(cf, node, m);
    if (str_eq(name, STR("header"))) return read_field(cf, node, m);
    if (str_eq(name, STR("body"))) return read_body(cf, node, m);
    return conf_error(cf, node, 0, "status, header or body",
                      "unknown directive \"" STR_FMT "\" in match", STR_ARG(name));
}

health_match_t *health_match_read(conf_t *cf, const tree_node_t *node)
{
    bool good = true;
    health_match_t *m = POOL_NEW(cf->pool, health_match_t);
    m->name = node->words[1].text;
    for (const tree_node_t *it = node->children; it; it = it->next)
        good = read_test(cf, it, m) && good;
    return good ? m : NULL;
}

/* --- asking --- */

static bool status_is_right(const health_match_t *m, int status)
{
    if (!m) return status >= 200 && status <= 399;
    if (m->statuses.n == 0) return true;
    VEC_EACH(const health_statuses_t, s, &m->statuses)
        if (status >= s->low && status <= s->high) return !m->not_statuses;
    return m->not_statuses;
}

/* What makes regex_match give up is no match, whichever way it is asked. */
static bool value_is_right(const health_field_t *f, str_t value)
{
    if (!f->value.p) return true;
    return f->regex ? regex_match(f->regex, value, NULL) == 1 : str_eq(value, f->value);
}

static bool field_is_right(const health_field_t *f, const header_list_t *headers)
{
    const header_t *h = NULL;
    while ((h = header_next_named(headers, f->name, h)))
        if (value_is_right(f, h->value)) return !f->negated;
    return f->negated;
}

fault_t health_match_head(const health_match_t *m, const parse_response_t *head)
{
    if (!status_is_right(m, head->status)) return fault_make(FAULT_STATUS, head->status);
    if (!m) return 0;
    VEC_EACH(const health_field_t, f, &m->fields)
        if (!field_is_right(f, &head->headers)) return fault_make(FAULT_HEADER, 0);
    return 0;
}

fault_t health_match_body(const health_match_t *m, str_t body)
{
    if (!m || !m->body) return 0;
    int found = regex_match(m->body, body, NULL);
    return found == (m->not_body ? 0 : 1) ? 0 : fault_make(FAULT_BODY, 0);
}
