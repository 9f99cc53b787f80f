#include "modules/log/log_format.h"

#include "http/request.h"

/* --- while the configuration is read --- */

static bool take_escape(conf_t *cf, const tree_node_t *node, unsigned word, log_escape_t *out)
{
    static const conf_name_t names[] = {{"default", LOG_ESCAPE_DEFAULT},
                                        {"json", LOG_ESCAPE_JSON},
                                        {"none", LOG_ESCAPE_NONE}};
    str_t text;
    value_keyed(node->words[word].text, "escape", &text);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(text, str_of(names[i].name))) return *out = names[i].value, true;
    return conf_error(cf, node, word, "escape=default, escape=json or escape=none",
                      "unknown log format escaping \"" STR_FMT "\"", STR_ARG(text));
}

log_format_t *log_format_new(conf_t *cf, const tree_node_t *node, unsigned word)
{
    log_format_t *f = POOL_NEW(cf->pool, log_format_t);
    str_t rest;
    f->name = node->words[word++].text;
    if (word < node->n && value_keyed(node->words[word].text, "escape", &rest)) {
        if (!take_escape(cf, node, word, &f->escape)) return NULL;
        word++;
    }
    for (; word < node->n; word++) {
        text_t *t = VEC_PUSH(cf->pool, &f->texts);
        if (!text_compile(cf, node, word, node->words[word].text, t)) return NULL;
    }
    return f;
}

log_format_t *log_format_combined(conf_t *cf, const tree_node_t *node)
{
    log_format_t *f = POOL_NEW(cf->pool, log_format_t);
    f->name = STR("combined");
    return text_compile(cf, node, 0,
                        STR("$remote_addr - $remote_user [$time_local] \"$request\" $status "
                            "$body_bytes_sent \"$http_referer\" \"$http_user_agent\""),
                        VEC_PUSH(cf->pool, &f->texts))
               ? f
               : NULL;
}

/* --- per request --- */

enum { GROWS_MOST = 6 }; /* bytes that one byte can become: \u00XX */

static char *put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static char *put_hex(char *out, unsigned char c, const char *prefix, const char *digits)
{
    out = put(out, prefix, strlen(prefix));
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    return out;
}

static char *put_default(char *out, unsigned char c)
{
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') return *out = (char)c, out + 1;
    return put_hex(out, c, "\\x", "0123456789ABCDEF");
}

static char *put_json(char *out, unsigned char c)
{
    switch (c) {
    case '"': return put(out, "\\\"", 2);
    case '\\': return put(out, "\\\\", 2);
    case '\n': return put(out, "\\n", 2);
    case '\r': return put(out, "\\r", 2);
    case '\t': return put(out, "\\t", 2);
    case '\b': return put(out, "\\b", 2);
    case '\f': return put(out, "\\f", 2);
    default: break;
    }
    if (c < 0x20) return put_hex(out, c, "\\u00", "0123456789abcdef");
    *out = (char)c;
    return out + 1;
}

static char *put_value(char *out, log_escape_t escape, str_t v)
{
    if (escape == LOG_ESCAPE_NONE) return v.n ? put(out, v.p, v.n) : out;
    if (v.n == 0 && escape == LOG_ESCAPE_DEFAULT) return put(out, "-", 1);
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        out = escape == LOG_ESCAPE_JSON ? put_json(out, c) : put_default(out, c);
    }
    return out;
}

/* Every part's value, and how many bytes the line can need at most. */
static size_t evaluate(const text_t *t, request_t *r, str_t *values)
{
    size_t most = 0;
    for (unsigned i = 0; i < t->count; i++) {
        const text_part_t *part = &t->parts[i];
        values[i] = text_part_value(part, r);
        most += part->var == TEXT_LITERAL ? part->literal.n : values[i].n * GROWS_MOST + 1;
    }
    return most;
}

/* Lines are made in a scratch of the request's pool, one text after the other. */
static str_t format_text(const log_format_t *f, const text_t *t, request_t *r)
{
    if (text_is_constant(t)) return t->source;
    str_t *values = POOL_ARRAY(r->pool, str_t, t->count);
    char *start = pool_bytes(r->pool, evaluate(t, r, values)), *out = start;
    for (unsigned i = 0; i < t->count; i++) {
        bool literal = t->parts[i].var == TEXT_LITERAL;
        out = literal ? put(out, values[i].p, values[i].n) : put_value(out, f->escape, values[i]);
    }
    return str_make(start, (size_t)(out - start));
}

str_t log_format_line(const log_format_t *f, request_t *r)
{
    str_t line = {"", 0};
    VEC_EACH(const text_t, t, &f->texts) {
        str_t piece = format_text(f, t, r);
        line = line.n ? pool_concat(r->pool, line, piece) : piece;
    }
    return pool_concat(r->pool, line, STR("\n"));
}
