#include "core/config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/hash.h"
#include "core/base/vec.h"
#include "core/config/token.h"

/* The root as tree_load and tree_parse make it. */
typedef struct root {
    tree_node_t node; /* first: a root is a node */
    VEC(const diag_source_t *) files;
} root_t;

/* What is common to a file and all that it includes. */
typedef struct loader {
    pool_t *pool;
    diag_t *diag;
    root_t *root;
    str_t dir;        /* for relative paths; with a trailing slash, or empty */
    hash_map_t files; /* path to source: a file included by many is read once */
} loader_t;

/* One text being read. */
typedef struct reader {
    loader_t *loader;
    const struct reader *outer; /* of the file that included this one */
    token_reader_t tokens;
    bool is_file;
    tree_node_t *base, *open; /* the block the text stands in, the block being read */
    unsigned depth, includes;
    VEC(tree_word_t) words; /* of the directive being read */
} reader_t;

static reader_t *reader_new(loader_t *l, const diag_source_t *source, bool is_file)
{
    reader_t *r = POOL_NEW(l->pool, reader_t);
    r->loader = l;
    r->is_file = is_file;
    r->base = r->open = &l->root->node;
    token_start(&r->tokens, l->pool, l->diag, source, is_file ? "file" : "parameter");
    return r;
}

static void read_source(reader_t *r);

/* --- files --- */

static bool grow(loader_t *l, str_t *text, size_t *cap)
{
    if (*cap > TREE_FILE_MAX) return false;
    char *fresh = pool_bytes(l->pool, *cap * 2);
    memcpy(fresh, text->p, text->n);
    text->p = fresh;
    *cap *= 2;
    return true;
}

/* Reads fd to its end; 0, or a negative errno. Pipes and devices tell no size beforehand. */
static int slurp(loader_t *l, int fd, str_t *text)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return -errno;
    if (S_ISDIR(st.st_mode)) return -EISDIR;
    if (st.st_size > TREE_FILE_MAX) return -EFBIG;
    size_t cap = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
    *text = str_make(pool_bytes(l->pool, cap), 0);
    for (;;) {
        if (text->n == cap && !grow(l, text, &cap)) return -EFBIG;
        ssize_t n = read(fd, (char *)text->p + text->n, cap - text->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return text->n > TREE_FILE_MAX ? -EFBIG : 0;
        text->n += (size_t)n;
    }
}

static bool read_file(loader_t *l, diag_place_t place, const char *path, str_t *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int err = fd < 0 ? -errno : slurp(l, fd, text);
    if (err == -EFBIG)
        diag_error(l->diag, place, NULL, "\"%s\" is larger than %d MiB", path, TREE_FILE_MAX >> 20);
    else if (err)
        diag_error(l->diag, place, NULL, "%s() \"%s\" failed (%d: %s)", fd < 0 ? "open" : "read",
                   path, -err, strerror(-err));
    if (fd >= 0) close(fd);
    return !err;
}

/* place: of the include; without a source for the first file. */
static const diag_source_t *file_source(loader_t *l, diag_place_t place, str_t path)
{
    diag_source_t *source = hash_map_get(&l->files, path);
    if (source) return source;
    const char *name = pool_cstr(l->pool, path);
    str_t text;
    if (!read_file(l, place, name, &text)) return NULL;
    source = diag_source(l->diag, name, text);
    hash_map_set(&l->files, str_of(name), source);
    *VEC_PUSH(l->pool, &l->root->files) = source;
    return source;
}

static bool is_being_read(const reader_t *r, const diag_source_t *source)
{
    for (; r; r = r->outer)
        if (r->tokens.source == source) return true;
    return false;
}

static void include_file(reader_t *outer, diag_place_t place, str_t path)
{
    loader_t *l = outer->loader;
    const diag_source_t *source = file_source(l, place, path);
    if (!source) return;
    if (is_being_read(outer, source)) {
        diag_error(l->diag, place, NULL, "\"%s\" includes itself", source->name);
        return;
    }
    reader_t *r = reader_new(l, source, true);
    r->outer = outer;
    r->base = r->open = outer->open;
    r->depth = outer->depth;
    r->includes = outer->includes + 1;
    read_source(r);
}

static void include_glob(reader_t *r, diag_place_t place, str_t pattern)
{
    glob_t found = {0};
    int err = glob(pool_cstr(r->loader->pool, pattern), 0, NULL, &found);
    if (err && err != GLOB_NOMATCH)
        diag_error(r->loader->diag, place, NULL, "glob() \"" STR_FMT "\" failed", STR_ARG(pattern));
    for (size_t i = 0; i < found.gl_pathc; i++) include_file(r, place, str_of(found.gl_pathv[i]));
    globfree(&found);
}

static void include(reader_t *r)
{
    diag_t *diag = r->loader->diag;
    diag_place_t name = r->words.v[0].place;
    if (!r->is_file) {
        diag_error(diag, name, NULL, "\"include\" is possible in files only");
    } else if (r->words.n != 2) {
        diag_error(diag, name, "it takes 1 argument",
                   "invalid number of arguments in \"include\" directive");
    } else if (r->includes == TREE_INCLUDES_MAX) {
        diag_error(diag, name, NULL, "more than %d files include each other", TREE_INCLUDES_MAX);
    } else {
        const tree_word_t *word = &r->words.v[1];
        bool absolute = str_starts(word->text, STR("/"));
        str_t path = pool_concat(r->loader->pool, absolute ? STR("") : r->loader->dir, word->text);
        if (strpbrk(path.p, "*?["))
            include_glob(r, word->place, path);
        else
            include_file(r, word->place, path);
    }
}

/* --- tokens to nodes --- */

static tree_node_t *append_node(reader_t *r, bool block)
{
    tree_node_t *node = POOL_NEW(r->loader->pool, tree_node_t);
    tree_node_t *parent = r->open;
    *node = (tree_node_t){.n = r->words.n, .block = block, .parent = parent};
    if (node->n)
        node->words = pool_memdup(r->loader->pool, r->words.v, node->n * sizeof(tree_word_t));
    *(parent->last_child ? &parent->last_child->next : &parent->children) = node;
    parent->last_child = node;
    r->words.n = 0;
    return node;
}

static void take_word(reader_t *r)
{
    *VEC_PUSH(r->loader->pool, &r->words) = (tree_word_t){
        .text = r->tokens.text,
        .place = r->tokens.place,
        .quoted = r->tokens.quoted,
    };
}

static bool is_include(const reader_t *r)
{
    return r->words.n && str_eq(r->words.v[0].text, STR("include"));
}

static void unexpected(const reader_t *r, char c, const char *hint)
{
    diag_error(r->loader->diag, r->tokens.place, hint, "unexpected \"%c\"", c);
}

static void take_semicolon(reader_t *r)
{
    if (r->words.n == 0)
        unexpected(r, ';', NULL);
    else if (is_include(r))
        include(r);
    else
        append_node(r, false);
    r->words.n = 0;
}

/* False when reading cannot go on. A block without a name is read all the same, so that what
   follows it is understood. */
static bool take_open(reader_t *r)
{
    if (r->words.n == 0) unexpected(r, '{', "the name of the block is missing");
    if (is_include(r))
        diag_error(r->loader->diag, r->words.v[0].place, NULL,
                   "directive \"include\" is not terminated by \";\"");
    if (++r->depth > TREE_DEPTH_MAX) {
        diag_error(r->loader->diag, r->tokens.place, NULL, "more than %d blocks within each other",
                   TREE_DEPTH_MAX);
        return false;
    }
    r->open = append_node(r, true);
    return true;
}

static const char *semicolon_hint(const reader_t *r)
{
    const tree_word_t *last = &r->words.v[r->words.n - 1];
    str_t hint = pool_printf(r->loader->pool, "\";\" is missing behind \"" STR_FMT "\" in line %u",
                             STR_ARG(last->text), last->place.line);
    return hint.p;
}

static void take_close(reader_t *r)
{
    if (r->words.n)
        unexpected(r, '}', semicolon_hint(r));
    else if (r->open == r->base)
        unexpected(r, '}', "no block is open here");
    r->words.n = 0;
    if (r->open == r->base) return;
    r->open = r->open->parent;
    r->depth--;
}

static void take_end(const reader_t *r)
{
    diag_t *diag = r->loader->diag;
    const char *what = r->tokens.what;
    if (r->words.n) {
        diag_error(diag, r->words.v[r->words.n - 1].place, semicolon_hint(r),
                   "unexpected end of %s, expecting \";\"%s", what, r->is_file ? " or \"}\"" : "");
    } else if (r->open != r->base && r->open->n) {
        const tree_word_t *name = &r->open->words[0];
        str_t hint = pool_printf(r->loader->pool, "the block opened in line %u is not closed",
                                 name->place.line);
        diag_error(diag, name->place, hint.p, "unexpected end of %s, expecting \"}\"", what);
    }
}

static void read_source(reader_t *r)
{
    for (bool more = true; more;) {
        switch (token_next(&r->tokens)) {
        case TOKEN_WORD: take_word(r); break;
        case TOKEN_SEMICOLON: take_semicolon(r); break;
        case TOKEN_OPEN: more = take_open(r); break;
        case TOKEN_CLOSE: take_close(r); break;
        case TOKEN_END: take_end(r); return;
        case TOKEN_BAD: return;
        }
    }
}

/* --- whole trees --- */

static loader_t *loader_new(pool_t *pool, diag_t *diag)
{
    loader_t *l = POOL_NEW(pool, loader_t);
    *l = (loader_t){.pool = pool, .diag = diag, .root = POOL_NEW(pool, root_t)};
    l->root->node.block = true;
    hash_map_init(&l->files, pool);
    return l;
}

tree_node_t *tree_load(pool_t *pool, diag_t *diag, str_t path)
{
    loader_t *l = loader_new(pool, diag);
    const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
    l->dir = slash ? pool_str(pool, str_make(path.p, (size_t)(slash + 1 - path.p))) : STR("");
    const diag_source_t *source = file_source(l, (diag_place_t){0}, path);
    if (!source) return NULL;
    read_source(reader_new(l, source, true));
    return &l->root->node;
}

tree_node_t *tree_parse(pool_t *pool, diag_t *diag, str_t name, str_t text)
{
    loader_t *l = loader_new(pool, diag);
    const diag_source_t *source = diag_source(diag, pool_cstr(pool, name), pool_str(pool, text));
    read_source(reader_new(l, source, false));
    return &l->root->node;
}

void tree_prepend(tree_node_t *root, tree_node_t *first)
{
    if (!first->children) return;
    for (tree_node_t *node = first->children; node; node = node->next) node->parent = root;
    first->last_child->next = root->children;
    if (!root->last_child) root->last_child = first->last_child;
    root->children = first->children;
    first->children = first->last_child = NULL;
}

void tree_dump(const tree_node_t *root, int fd)
{
    const root_t *r = (const root_t *)(const void *)root;
    for (uint32_t i = 0; i < r->files.n; i++) {
        const diag_source_t *file = r->files.v[i];
        dprintf(fd, "# configuration file %s:\n" STR_FMT "\n", file->name, STR_ARG(file->text));
    }
}
