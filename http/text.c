#include "http/text.h"

#include "http/http.h"
#include "http/request.h"

enum { VALUES_ON_STACK = 16, NO_ESCAPE = -1 };

/* --- compiling --- */

typedef struct compiler {
    conf_t *cf;
    const tree_node_t *node;
    unsigned word;
    str_t source;
    VEC(text_part_t) parts;
} compiler_t;

static bool is_name_byte(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '_';
}

static bool add_literal(compiler_t *c, str_t s)
{
    if (s.n) *VEC_PUSH(c->cf->pool, &c->parts) = (text_part_t){.literal = s, .var = TEXT_LITERAL};
    return true;
}

static bool add_variable(compiler_t *c, str_t name)
{
    const http_conf_t *http = http_conf_read(c->cf);
    int var = var_use(c->cf, http->vars, c->node, c->word, name);
    *VEC_PUSH(c->cf->pool, &c->parts) = (text_part_t){.var = var};
    return var >= 0;
}

static bool add_group(compiler_t *c, char digit)
{
    *VEC_PUSH(c->cf->pool, &c->parts) = (text_part_t){.var = TEXT_CAPTURE - (digit - '0')};
    return true;
}

/* What follows the "$" before *at; *at moves behind it. */
static bool add_reference(compiler_t *c, size_t *at)
{
    str_t s = c->source;
    size_t from = *at;
    if (from < s.n && s.p[from] >= '1' && s.p[from] <= '9') return add_group(c, s.p[(*at)++]);
    bool brace = from < s.n && s.p[from] == '{';
    size_t end = from += brace;
    while (end < s.n && is_name_byte(s.p[end])) end++;
    if (brace && (end == s.n || s.p[end] != '}'))
        return conf_error(c->cf, c->node, c->word, NULL,
                          "the closing bracket in \"" STR_FMT "\" variable is missing",
                          STR_ARG(str_sub(s, from, end)));
    if (end == from)
        return conf_error(c->cf, c->node, c->word, "a \"$\" begins a variable",
                          "invalid variable name");
    *at = end + brace;
    str_t name = str_sub(s, from, end);
    bool group = name.n == 1 && name.p[0] >= '1' && name.p[0] <= '9';
    return group ? add_group(c, name.p[0]) : add_variable(c, name);
}

static bool compile(compiler_t *c)
{
    for (size_t at = 0; at < c->source.n;) {
        size_t dollar = str_find(c->source, at, '$');
        add_literal(c, str_sub(c->source, at, dollar));
        at = dollar + 1;
        if (dollar < c->source.n && !add_reference(c, &at)) return false;
    }
    return true;
}

bool text_compile(conf_t *cf, const tree_node_t *node, unsigned word, str_t source, text_t *out)
{
    *out = (text_t){.source = source, .set = true};
    if (!source.p) out->source = STR("");
    if (str_find(source, 0, '$') == source.n) return true;
    compiler_t c = {.cf = cf, .node = node, .word = word, .source = source};
    if (!compile(&c)) return false;
    out->parts = c.parts.v;
    out->count = c.parts.n;
    return true;
}

bool conf_set_text(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    return text_compile(cf, node, 1, node->words[1].text, CONF_AT(row, module_struct, text_t));
}

/* --- evaluating --- */

static str_t group_value(request_t *r, unsigned group, int escape)
{
    str_t value = r->captures ? regex_group(r->captures, group) : STR("");
    return escape == NO_ESCAPE ? value : uri_escape(r->pool, value, (uri_escape_t)escape);
}

static str_t part_value(const text_part_t *part, request_t *r, int escape)
{
    if (part->var >= 0) return var_get(r, (unsigned)part->var);
    if (part->var == TEXT_LITERAL) return part->literal;
    return group_value(r, (unsigned)(TEXT_CAPTURE - part->var), escape);
}

str_t text_part_value(const text_part_t *part, request_t *r)
{
    return part_value(part, r, NO_ESCAPE);
}

static str_t join(pool_t *pool, const str_t *values, unsigned count)
{
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) n += values[i].n;
    char *out = pool_bytes(pool, n + 1), *at = out;
    for (unsigned i = 0; i < count; i++)
        if (values[i].n) at = mempcpy(at, values[i].p, values[i].n);
    *at = '\0';
    return str_make(out, n);
}

static str_t eval(const text_t *t, request_t *r, int escape)
{
    str_t on_stack[VALUES_ON_STACK], *values = on_stack;
    if (t->count == 0) return t->source.p ? t->source : STR("");
    if (t->count > VALUES_ON_STACK) values = POOL_ARRAY(r->pool, str_t, t->count);
    for (unsigned i = 0; i < t->count; i++) values[i] = part_value(&t->parts[i], r, escape);
    if (t->count > 1) return join(r->pool, values, t->count);
    return values[0].p ? values[0] : STR("");
}

str_t text_eval(const text_t *t, request_t *r)
{
    return eval(t, r, NO_ESCAPE);
}

str_t text_eval_escaped(const text_t *t, request_t *r, uri_escape_t groups)
{
    return eval(t, r, (int)groups);
}

bool text_true(const text_t *t, request_t *r)
{
    str_t value = text_eval(t, r);
    return value.n && !str_eq(value, STR("0"));
}

bool text_any(const text_list_t *list, request_t *r)
{
    VEC_EACH(const text_t, t, list)
        if (text_true(t, r)) return true;
    return false;
}
