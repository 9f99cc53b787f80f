/*
 * tree: configuration text as a tree of directives, each word with its place. Knows no directive.
 *
 * The syntax is nginx's: words, "quoted" and 'quoted' words with backslash escapes, `;`, `{ }`, `#`
 * comments, ${name} inside words. `include` with globs is resolved here, so a tree has none left.
 * The tree lives in the pool given. What is wrong goes to the diag. Nothing suspends.
 */
#ifndef CORE_CONFIG_TREE_H
#define CORE_CONFIG_TREE_H

#include "core/base/pool.h"
#include "core/config/diag.h"

enum {
    TREE_FILE_MAX = 64 << 20, /* bytes of one file */
    TREE_DEPTH_MAX = 64,      /* blocks within each other */
    TREE_INCLUDES_MAX = 16,   /* files within each other */
};

typedef struct tree_word {
    str_t text; /* unescaped, NUL-terminated behind its end */
    diag_place_t place;
    bool quoted;
} tree_word_t;

typedef struct tree_node {
    tree_word_t *words; /* words[0] is the directive's name */
    uint32_t n;
    bool block; /* has { } */
    struct tree_node *parent, *next, *children, *last_child;
} tree_node_t;

/*
 * Loads the file and everything it includes (relative paths: against the directory of `path`).
 * Returns the root, a block without words; NULL or a partial tree when the diag has errors.
 */
tree_node_t *tree_load(pool_t *pool, diag_t *diag, str_t path);

/* The same for text given (option -g, tests), which cannot include; `name` stands in messages in
   place of a file. Both are copied. */
tree_node_t *tree_parse(pool_t *pool, diag_t *diag, str_t name, str_t text);

/* Moves the children of `first` before those of root, as if they had been written at its start. */
void tree_prepend(tree_node_t *root, tree_node_t *first);

/* The text of every file loaded, in order, as -T prints it ("# configuration file NAME:" first). */
void tree_dump(const tree_node_t *root, int fd);

#endif
