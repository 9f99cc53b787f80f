#include "core/config/conf.h"

#include <unistd.h>

#include "core/base/panic.h"
#include "core/config/conf_lookup.h"

/* Of scope->own: a struct of the scope's own, and one with a directive that was wrong. */
enum { OWN = 1, OWN_BROKEN = 2 };

/* --- scopes --- */

static conf_scope_t *scope_new(conf_t *cf, const tree_node_t *node, unsigned context)
{
    size_t n = cf->table->modules, bits = (cf->table->rows + 7) / 8;
    conf_scope_t *scope = POOL_NEW(cf->pool, conf_scope_t);
    scope->parent = cf->scope;
    scope->node = node;
    scope->context = context;
    scope->structs = cf->scope ? pool_memdup(cf->pool, cf->scope->structs, n * sizeof(void *))
                               : POOL_ARRAY(cf->pool, void *, n);
    scope->own = pool_zalloc(cf->pool, n + bits);
    scope->set_here = scope->own + n;
    return scope;
}

void *conf_own(conf_t *cf, const module_t *m)
{
    conf_scope_t *scope = cf->scope;
    unsigned i = *m->index;
    if (!scope->own[i]) {
        scope->structs[i] = pool_memdup(cf->pool, scope->structs[i], m->conf_size);
        scope->own[i] = OWN;
    }
    return scope->structs[i];
}

const void *conf_get(const conf_scope_t *scope, const module_t *m)
{
    return scope->structs[*m->index];
}

/* An enclosing block may give the directive after this one, in the struct that is shared now. */
static bool set_later(const conf_scope_t *scope, const conf_entry_t *e)
{
    if (!(e->row->flags & (CONF_ORDERED | CONF_BLOCK))) return false;
    const conf_scope_t *owner = scope->parent;
    while (!owner->own[*e->module->index]) owner = owner->parent;
    return owner->context & e->row->contexts;
}

/* What is not inherited begins at its default; other modules stay shared. */
static void reset_locals(conf_t *cf)
{
    for (uint32_t i = 0; i < cf->table->locals.n; i++) {
        const conf_entry_t *e = cf->table->locals.v[i];
        const conf_row_t *row = e->row;
        const char *fresh = (const char *)cf->defaults[*e->module->index] + row->offset;
        const char *now = (const char *)conf_get(cf->scope, e->module) + row->offset;
        if (memcmp(now, fresh, row->size) == 0 && !set_later(cf->scope, e)) continue;
        memcpy((char *)conf_own(cf, e->module) + row->offset, fresh, row->size);
    }
}

static bool is_set(const conf_scope_t *scope, unsigned number)
{
    return scope->set_here[number / 8] & (1u << number % 8);
}

bool conf_was_set(const conf_t *cf, const module_t *m, const char *directive)
{
    for (unsigned i = 0; i < cf->table->rows; i++) {
        const conf_entry_t *e = &cf->table->entries[i];
        if (e->module == m && strcmp(e->row->name, directive) == 0 && is_set(cf->scope, i))
            return true;
    }
    return false;
}

const tree_node_t *conf_node(const conf_t *cf, const char *directive)
{
    const tree_node_t *node = cf->scope->node->children;
    while (node && !(node->n && str_eq(node->words[0].text, str_of(directive)))) node = node->next;
    return node;
}

/* --- reading a block --- */

static bool say_duplicate(conf_t *cf, const conf_row_t *row, const tree_node_t *node)
{
    diag_place_t first = conf_node(cf, row->name)->words[0].place;
    str_t hint = pool_printf(cf->pool, "the first is at %s:%u:%u", first.source->name, first.line,
                             first.column);
    return conf_error(cf, node, 0, hint.p, "\"%s\" directive is duplicate", row->name);
}

/* Whether the block has given the row's field by any of the rows that share it (set, rewrite). */
static bool field_is_set(const conf_t *cf, const conf_entry_t *e)
{
    unsigned number = e->number - (unsigned)(e->row - e->module->rows);
    for (const conf_row_t *row = e->module->rows; row->name; row++, number++)
        if (row->size && row->offset == e->row->offset && is_set(cf->scope, number)) return true;
    return false;
}

static bool apply(conf_t *cf, const conf_entry_t *e, const tree_node_t *node)
{
    const conf_row_t *row = e->row;
    bool many = row->flags & CONF_MANY;
    if (!conf_lookup_fits(cf->table, row, node, cf->scope->context)) return false;
    if (!many && is_set(cf->scope, e->number)) return say_duplicate(cf, row, node);
    char *module_struct = conf_own(cf, e->module);
    if (many && !field_is_set(cf, e)) memset(module_struct + row->offset, 0, row->size);
    cf->scope->set_here[e->number / 8] |= (uint8_t)(1u << e->number % 8);
    if (row->set(cf, row, module_struct, node)) return true;
    cf->scope->own[*e->module->index] = OWN_BROKEN;
    return false;
}

/* Directives that blocks can inherit from, a block of data among them: read before these. */
static bool is_simple(const conf_row_t *row)
{
    return row->flags & CONF_RAW || !(row->flags & (CONF_BLOCK | CONF_ORDERED));
}

/* The block's simple directives (first), or its blocks and ORDERED directives. */
static bool read_children(conf_t *cf, const tree_node_t *block, bool first)
{
    bool ok = true;
    for (const tree_node_t *node = block->children; node; node = node->next) {
        const conf_entry_t *e =
            node->n ? conf_lookup(cf->table, node->words[0].text, cf->scope->context) : NULL;
        if (e && first == is_simple(e->row))
            ok = apply(cf, e, node) && ok;
        else if (!e && first)
            conf_lookup_unknown(cf->table, node, cf->scope->context), ok = false;
    }
    return ok;
}

/* A struct with a wrong directive is not checked: nobody needs to hear what follows from it. */
static bool check_structs(conf_t *cf)
{
    bool ok = true;
    for (unsigned i = 0; i < cf->table->modules; i++) {
        const module_t *m = cf->modules[i];
        if (cf->scope->own[i] == OWN && m->check) ok = m->check(cf, cf->scope->structs[i]) && ok;
    }
    return ok;
}

static bool read_block(conf_t *cf, const tree_node_t *block)
{
    bool ok = read_children(cf, block, true);
    ok = check_structs(cf) && ok;
    return read_children(cf, block, false) && ok;
}

conf_scope_t *conf_block(conf_t *cf, const tree_node_t *node, unsigned context, bool keep_local)
{
    conf_scope_t *outer = cf->scope, *scope = scope_new(cf, node, context);
    cf->scope = scope;
    if (!keep_local) reset_locals(cf);
    bool ok = read_block(cf, node);
    cf->scope = outer;
    return ok ? scope : NULL;
}

/* --- the outermost block --- */

static void set_default(conf_t *cf, const module_t *m, const conf_row_t *row)
{
    diag_t *outer = cf->diag;
    if (!row->fallback || !*row->fallback) return;
    cf->diag = diag_new(cf->pool);
    str_t text = pool_printf(cf->pool, "%s %s;", row->name, row->fallback);
    tree_node_t *root = tree_parse(cf->pool, cf->diag, STR("default"), text);
    bool ok = diag_errors(cf->diag) == 0 && root->children &&
              conf_lookup_fits(cf->table, row, root->children, cf->scope->context) &&
              row->set(cf, row, conf_own(cf, m), root->children);
    if (!ok) {
        diag_print(cf->diag, STDERR_FILENO);
        panic("%s: the default of \"%s\" is wrong: %s", m->name, row->name, row->fallback);
    }
    cf->diag = outer;
}

static void make_defaults(conf_t *cf)
{
    for (unsigned i = 0; i < cf->table->modules; i++) {
        cf->scope->structs[i] = pool_zalloc(cf->pool, cf->modules[i]->conf_size);
        cf->scope->own[i] = OWN;
    }
    cf->defaults = POOL_ARRAY(cf->pool, void *, cf->table->modules);
    for (unsigned i = 0; i < cf->table->modules; i++) {
        const module_t *m = cf->modules[i];
        for (const conf_row_t *row = m->rows; row && row->name; row++) set_default(cf, m, row);
        cf->defaults[i] = pool_memdup(cf->pool, cf->scope->structs[i], m->conf_size);
    }
}

conf_scope_t *conf_load(conf_t *cf, const tree_node_t *root)
{
    cf->table = conf_lookup_table(cf->pool, cf->diag, cf->modules);
    cf->scope = NULL;
    cf->scope = scope_new(cf, root, CONF_MAIN);
    make_defaults(cf);
    if (!read_block(cf, root) && diag_errors(cf->diag) == 0)
        conf_error(cf, NULL, 0, NULL, "the configuration was refused without a reason");
    return cf->scope;
}

/* --- errors --- */

static diag_place_t place_of(const tree_node_t *node, unsigned word)
{
    return node && word < node->n ? node->words[word].place : (diag_place_t){0};
}

bool conf_error(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint,
                const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_t text = pool_vprintf(cf->pool, fmt, args);
    va_end(args);
    diag_error(cf->diag, place_of(node, word), hint, STR_FMT, STR_ARG(text));
    return false;
}

void conf_warn(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint,
               const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_t text = pool_vprintf(cf->pool, fmt, args);
    va_end(args);
    diag_warn(cf->diag, place_of(node, word), hint, STR_FMT, STR_ARG(text));
}

const char *conf_nearest(str_t name, const char *const *names)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    for (; *names; names++)
        if (conf_lookup_near(name, *names, &distance)) best = *names;
    return best;
}

/* --- typed words --- */

static bool say_not(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
                    const char *hint, const char *what)
{
    return conf_error(cf, node, word, hint, STR_FMT ": \"" STR_FMT "\" is not a %s",
                      STR_ARG(node->words[0].text), STR_ARG(text), what);
}

bool conf_bounds(conf_t *cf, const tree_node_t *node, unsigned word, unsigned long long v,
                 unsigned long long min, unsigned long long max,
                 const char *(*show)(char *out, unsigned long long v))
{
    char low[VALUE_TEXT_MAX], high[VALUE_TEXT_MAX], got[VALUE_TEXT_MAX];
    if (v >= min && (v <= max || max == 0)) return true;
    if (max == 0)
        return conf_error(cf, node, word, NULL, STR_FMT " must be at least %s, got %s",
                          STR_ARG(node->words[0].text), show(low, min), show(got, v));
    return conf_error(cf, node, word, NULL, STR_FMT " must be between %s and %s, got %s",
                      STR_ARG(node->words[0].text), show(low, min), show(high, max), show(got, v));
}

bool conf_number(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
                 unsigned long long min, unsigned long long max, unsigned *out)
{
    unsigned long long v;
    const char *hint = value_number(text, &v);
    if (hint) return say_not(cf, node, word, text, hint, "number");
    if (max == 0 || max > UINT_MAX) max = UINT_MAX;
    if (!conf_bounds(cf, node, word, v, min, max, value_show_number)) return false;
    *out = (unsigned)v;
    return true;
}

bool conf_size(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
               unsigned long long min, unsigned long long max, size_t *out)
{
    unsigned long long v;
    const char *hint = value_size(text, &v);
    if (hint) return say_not(cf, node, word, text, hint, "size");
    if (!conf_bounds(cf, node, word, v, min, max, value_show_size)) return false;
    *out = (size_t)v;
    return true;
}

bool conf_msec(conf_t *cf, const tree_node_t *node, unsigned word, str_t text, msec_t *out)
{
    const char *hint = value_msec(text, out);
    return hint ? say_not(cf, node, word, text, hint, "duration") : true;
}

str_t conf_full_path(const conf_t *cf, str_t path, bool in_conf_dir)
{
    if (str_starts(path, STR("/"))) return path;
    return pool_concat(cf->pool, in_conf_dir ? cf->conf_dir : cf->prefix, path);
}
