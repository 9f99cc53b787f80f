/*
 * conf: a tree held against the modules' directive tables.
 *
 * conf_load walks a tree and fills the modules' structs; directives' functions work through the
 * conf_t that they are given. Everything lives in the pool of the configuration. Nothing suspends.
 */
#ifndef CORE_CONFIG_CONF_H
#define CORE_CONFIG_CONF_H

#include "core/config/module.h"

/* One block's structs. structs[index] of a module is shared with the parent unless set here. */
typedef struct conf_scope {
    struct conf_scope *parent; /* NULL: the outermost */
    const tree_node_t *node;   /* the block; of the outermost: the root of the tree */
    unsigned context;
    void **structs;
    uint8_t *own;            /* own[index] not 0: structs[index] is this scope's copy */
    uint8_t *set_here;       /* a bit per row of all modules: set in this very block */
} conf_scope_t;

struct conf {
    const module_t *const *modules; /* the list given to modules_init */
    pool_t *pool;
    diag_t *diag;
    str_t prefix, conf_dir;         /* absolute, with a trailing slash */
    void *generation;               /* what the configuration is made for (core/process) */
    conf_scope_t *scope;            /* the block being read */
    struct conf_table *table;       /* the rows by name (conf_lookup.h) */
    void **defaults;                /* each module's struct as the fallbacks make it */
};

/*
 * Reads the whole tree. Returns the outermost scope, which stays cf->scope, too; errors are in
 * cf->diag (the scope then must not be used). cf's modules, pool, diag, prefix and conf_dir must be
 * set. A fallback that its row does not take is a panic.
 */
conf_scope_t *conf_load(conf_t *cf, const tree_node_t *root);

/*
 * Reads the children of `node` in a new scope inside the present one. CONF_LOCAL fields keep the
 * enclosing block's value only with keep_local ("if" blocks). NULL when anything was wrong.
 */
conf_scope_t *conf_block(conf_t *cf, const tree_node_t *node, unsigned context, bool keep_local);

/* The module's struct in the scope: to write (made the scope's own first), or to read. */
void *conf_own(conf_t *cf, const module_t *m);
const void *conf_get(const conf_scope_t *scope, const module_t *m);

/* Whether the row's directive was given in the very block being read (and already read). */
bool conf_was_set(const conf_t *cf, const module_t *m, const char *directive);

/* The first directive of that name in the block being read, for messages of checks; or NULL. */
const tree_node_t *conf_node(const conf_t *cf, const char *directive);

/* The field of the row in the struct. */
#define CONF_AT(row, module_struct, T) ((T *)(void *)((char *)(module_struct) + (row)->offset))

/* An error (false is returned) or a warning at a word of a directive (0: its name). node NULL: no
   place. hint may be NULL. */
bool conf_error(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void conf_warn(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A word as a typed value within bounds (max 0: none above); on false it has been said there. */
bool conf_number(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
                 unsigned long long min, unsigned long long max, unsigned *out);
bool conf_size(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
               unsigned long long min, unsigned long long max, size_t *out);
bool conf_msec(conf_t *cf, const tree_node_t *node, unsigned word, str_t text, msec_t *out);

/* Whether v is within the bounds; on false it has been said. `show` is one of value_show_*. */
bool conf_bounds(conf_t *cf, const tree_node_t *node, unsigned word, unsigned long long v,
                 unsigned long long min, unsigned long long max,
                 const char *(*show)(char *out, unsigned long long v));

/* path made absolute: against the directory of the configuration file, or the prefix. */
str_t conf_full_path(const conf_t *cf, str_t path, bool in_conf_dir);

/* What is meant by an unknown name: the nearest of the names, or NULL when none is near. */
const char *conf_nearest(str_t name, const char *const *names);

#endif
