/*
 * conf_lookup: the rows of all modules by name, and what to say when none fits.
 *
 * A name may have several rows as long as they stand in different contexts ("server" of http and of
 * upstream). Table and messages live in the configuration's pool. Nothing suspends.
 */
#ifndef CORE_CONFIG_CONF_LOOKUP_H
#define CORE_CONFIG_CONF_LOOKUP_H

#include "core/base/hash.h"
#include "core/config/diag.h"
#include "core/config/module.h"

typedef struct conf_entry {
    const conf_row_t *row;
    const module_t *module;
    unsigned number; /* among all rows of all modules */
    struct conf_entry *same_name;
} conf_entry_t;

typedef struct conf_table conf_table_t;

struct conf_table {
    pool_t *pool;
    diag_t *diag;          /* where it is said */
    unsigned modules, rows;
    conf_entry_t *entries; /* by number, in the order of the modules */
    hash_map_t names;
    VEC(const conf_entry_t *) locals; /* CONF_LOCAL rows with a field */
};

conf_table_t *conf_lookup_table(pool_t *pool, diag_t *diag, const module_t *const *list);

/* The row of that name allowed in the context, or NULL. */
const conf_entry_t *conf_lookup(const conf_table_t *table, str_t name, unsigned context);

/* Says why the node, for which conf_lookup found nothing, cannot stand in the context. */
void conf_lookup_unknown(const conf_table_t *table, const tree_node_t *node, unsigned context);

/* False: the node's words or its braces are not what the row takes in the context, and it was
   said. */
bool conf_lookup_fits(const conf_table_t *table, const conf_row_t *row, const tree_node_t *node,
                      unsigned context);

/* "did you mean": whether candidate is near enough to name and nearer than *distance, which is set;
   begin with UINT_MAX. */
bool conf_lookup_near(str_t name, const char *candidate, unsigned *distance);

#endif
