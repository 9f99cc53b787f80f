/*
 * text: a string with $variables, compiled once, evaluated per request.
 *
 * "$name" and "${name}" are variables, "$1" to "$9" groups of the last match; any other "$" is an
 * error. A constant text, and one that is a single variable, evaluates without a copy. The result
 * lives in the request's pool or in the configuration, and its p is never NULL. May suspend only
 * where a variable's getter may.
 */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include "http/uri.h"
#include "http/var.h"

typedef struct text_part {
    str_t literal;
    int var;           /* index, or -1: a literal; captures $1..$9 are TEXT_CAPTURE - group */
} text_part_t;

enum { TEXT_LITERAL = -1, TEXT_CAPTURE = -2 }; /* group g is TEXT_CAPTURE - g */

typedef struct text {
    str_t source;      /* as written */
    text_part_t *parts;
    unsigned count;    /* 0: constant, `source` is the value */
    bool set;          /* false: the directive was not given */
} text_t;

typedef VEC(text_t) text_list_t;

/* Compiles a word of a directive. False: said. */
bool text_compile(conf_t *cf, const tree_node_t *node, unsigned word, str_t source, text_t *out);

str_t text_eval(const text_t *t, request_t *r);

/* The same with the groups (not the variables) escaped, as in the target of a rewrite. */
str_t text_eval_escaped(const text_t *t, request_t *r, uri_escape_t groups);

/* One part's value; p == NULL when its variable has none. For those who escape values (logs). */
str_t text_part_value(const text_part_t *part, request_t *r);

static inline bool text_is_constant(const text_t *t)
{
    return t->count == 0;
}

/* Whether the value is neither empty nor "0" (if=, proxy_cache_bypass and the like). */
bool text_true(const text_t *t, request_t *r);
bool text_any(const text_list_t *list, request_t *r); /* one of them */

/* A row for a directive of one word with a text_t field. */
#define CONF_TEXT(name, ctx, S, f, def, help) \
    {name, ctx, 0, 1, 1, conf_set_text, CONF_FIELD(S, f, text_t), def, 0, 0, NULL, help}

bool conf_set_text(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node);

#endif
