#include "core/config/conf_lookup.h"

static void add_row(conf_table_t *table, pool_t *pool, const module_t *m, const conf_row_t *row)
{
    str_t name = str_of(row->name);
    conf_entry_t *e = &table->entries[table->rows];
    *e = (conf_entry_t){.row = row, .module = m, .number = table->rows++};
    conf_entry_t *first = hash_map_get(&table->names, name);
    if (first) {
        e->same_name = first->same_name;
        first->same_name = e;
    } else {
        hash_map_set(&table->names, name, e);
    }
    if (row->flags & CONF_LOCAL && row->size) *VEC_PUSH(pool, &table->locals) = e;
}

static unsigned count_rows(const conf_row_t *rows)
{
    unsigned n = 0;
    while (rows && rows[n].name) n++;
    return n;
}

conf_table_t *conf_lookup_table(pool_t *pool, diag_t *diag, const module_t *const *list)
{
    conf_table_t *table = POOL_NEW(pool, conf_table_t);
    table->pool = pool;
    table->diag = diag;
    size_t rows = 0;
    for (; list[table->modules]; table->modules++) rows += count_rows(list[table->modules]->rows);
    table->entries = POOL_ARRAY(pool, conf_entry_t, rows);
    hash_map_init(&table->names, pool);
    for (; *list; list++)
        for (unsigned i = 0; i < count_rows((*list)->rows); i++)
            add_row(table, pool, *list, &(*list)->rows[i]);
    return table;
}

const conf_entry_t *conf_lookup(const conf_table_t *table, str_t name, unsigned context)
{
    const conf_entry_t *e = hash_map_get(&table->names, name);
    while (e && !(e->row->contexts & context)) e = e->same_name;
    return e;
}

/* --- what is wrong --- */

static bool refuse(const conf_table_t *table, const tree_node_t *node, const char *hint,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static bool refuse(const conf_table_t *table, const tree_node_t *node, const char *hint,
                   const char *fmt, ...)
{
    diag_place_t place = node->n ? node->words[0].place : (diag_place_t){0};
    va_list args;
    va_start(args, fmt);
    str_t text = pool_vprintf(table->pool, fmt, args);
    va_end(args);
    diag_error(table->diag, place, hint, STR_FMT, STR_ARG(text));
    return false;
}


bool conf_lookup_near(str_t name, const char *candidate, unsigned *distance)
{
    unsigned bound = name.n < 4 ? 1 : name.n < 8 ? 2 : 3;
    unsigned d = str_distance(name, str_of(candidate));
    if (d > bound || d >= *distance) return false;
    *distance = d;
    return true;
}

static const char *nearest_row(const conf_table_t *table, str_t name, unsigned contexts)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    if (conf_lookup_near(name, "include", &distance)) best = "include"; /* has no row */
    for (unsigned i = 0; i < table->rows; i++) {
        const conf_row_t *row = table->entries[i].row;
        if (row->contexts & contexts && conf_lookup_near(name, row->name, &distance))
            best = row->name;
    }
    return best;
}

static unsigned all_contexts(const conf_table_t *table, str_t name)
{
    unsigned contexts = 0;
    for (const conf_entry_t *e = hash_map_get(&table->names, name); e; e = e->same_name)
        contexts |= e->row->contexts;
    return contexts;
}

void conf_lookup_unknown(const conf_table_t *table, const tree_node_t *node, unsigned context)
{
    str_t name = node->n ? node->words[0].text : STR("");
    unsigned contexts = all_contexts(table, name);
    pool_t *pool = table->pool;
    const char *hint = NULL;
    if (contexts) {
        str_t where = module_context_names(pool, contexts);
        hint = pool_printf(pool, "allowed in " STR_FMT, STR_ARG(where)).p;
        refuse(table, node, hint, "\"" STR_FMT "\" is not allowed in " STR_FMT, STR_ARG(name),
                   STR_ARG(module_context_names(pool, context)));
        return;
    }
    const char *near = nearest_row(table, name, context);
    if (!near) near = nearest_row(table, name, UINT_MAX);
    if (near) hint = pool_printf(pool, "did you mean \"%s\"?", near).p;
    refuse(table, node, hint, "unknown directive \"" STR_FMT "\"", STR_ARG(name));
}

/* A directive's name at the start of a later line, among the words: the semicolon was forgotten. */
static uint32_t swallowed_at(const conf_table_t *table, const tree_node_t *node, unsigned context)
{
    for (uint32_t i = 1; i < node->n; i++)
        if (node->words[i].place.line > node->words[i - 1].place.line &&
            conf_lookup(table, node->words[i].text, context))
            return i;
    return 0;
}

static str_t arguments_hint(const conf_table_t *table, const conf_row_t *row,
                            const tree_node_t *node, unsigned context)
{
    pool_t *pool = table->pool;
    unsigned min = row->min_args, max = row->max_args;
    uint32_t swallowed = swallowed_at(table, node, context);
    if (swallowed)
        return pool_printf(pool, "is \";\" missing at the end of line %u?",
                           node->words[swallowed - 1].place.line);
    if (max == 0) return STR("it takes none");
    if (min == max) return pool_printf(pool, "it takes %u argument%s", min, min == 1 ? "" : "s");
    if (max == UINT_MAX)
        return pool_printf(pool, "it takes at least %u argument%s", min, min == 1 ? "" : "s");
    return pool_printf(pool, "it takes %u %s %u arguments", min, max == min + 1 ? "or" : "to", max);
}

bool conf_lookup_fits(const conf_table_t *table, const conf_row_t *row, const tree_node_t *node,
                      unsigned context)
{
    bool block = row->flags & CONF_BLOCK;
    unsigned args = node->n - 1;
    if (args < row->min_args || args > row->max_args)
        return refuse(table, node, arguments_hint(table, row, node, context).p,
                          "invalid number of arguments in \"%s\" directive", row->name);
    if (block && !node->block)
        return refuse(table, node, "it takes a block { }",
                          "directive \"%s\" has no opening \"{\"", row->name);
    if (!block && node->block)
        return refuse(table, node, "it takes no block { }",
                          "directive \"%s\" is not terminated by \";\"", row->name);
    return true;
}
