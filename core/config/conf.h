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
    struct conf_scope *parent;
    const tree_node_t *node; /* NULL: the outermost */
    unsigned context;
    void **structs;
    uint8_t *own;            /* own[index]: structs[index] is this scope's copy */
    uint8_t *set_here;       /* a bit per row of all modules: set in this very block */
} conf_scope_t;

struct conf {
    pool_t *pool;
    diag_t *diag;
    conf_scope_t *scope;     /* the block being read */
    str_t prefix, conf_dir;  /* absolute, with a trailing slash */
    void *generation;        /* what the configuration is being made for (core/process) */
};

/*
 * Reads the whole tree. Returns the outermost scope; errors are in cf->diag (the scope then must not
 * be used). cf's pool, diag, prefix and conf_dir must be set.
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

/* Whether the row's directive was given in the very block being read. */
bool conf_was_set(const conf_t *cf, const module_t *m, const char *directive);

/* The field of the row in the struct. */
#define CONF_AT(row, module_struct, T) ((T *)(void *)((char *)(module_struct) + (row)->offset))

/* Errors at a word of a directive (0: its name). hint may be NULL. Both return false. */
bool conf_error(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void conf_warn(conf_t *cf, const tree_node_t *node, unsigned word, const char *hint, const char *fmt,
               ...) __attribute__((format(printf, 5, 6)));

/* A word as a typed value within bounds; on false it has been said at that word. */
bool conf_number(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
                 unsigned long long min, unsigned long long max, unsigned *out);
bool conf_size(conf_t *cf, const tree_node_t *node, unsigned word, str_t text,
               unsigned long long min, unsigned long long max, size_t *out);
bool conf_msec(conf_t *cf, const tree_node_t *node, unsigned word, str_t text, msec_t *out);

/* path made absolute: against the directory of the configuration file, or the prefix. */
str_t conf_full_path(const conf_t *cf, str_t path, bool in_conf_dir);

/* What is meant by an unknown name: the nearest of the names, or NULL when none is near. */
const char *conf_nearest(str_t name, const char *const *names);

/* Names a context bit for messages ("location"); floors register theirs once at start. */
void conf_name_context(unsigned bit, const char *name);

/* Prints the help of a directive (all modules), or all directives when name is empty; false: unknown. */
bool conf_help(str_t name, int fd);

/* Prints the reference of all directives as a manual page (man 5 proxyd.conf). */
void conf_manual(int fd);

#endif
