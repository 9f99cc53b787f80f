#include "http/site_tree.h"

#include "core/base/vec.h"

typedef struct node node_t;

struct node {
    str_t label;           /* what it adds to the label of the node above; empty at the root only */
    const site_location_t *exact, *prefix;
    VEC(node_t *) children; /* by the first byte of their labels, which differ */
};

struct site_tree {
    pool_t *pool;
    node_t root;
};

site_tree_t *site_tree_new(pool_t *pool)
{
    site_tree_t *tree = POOL_NEW(pool, site_tree_t);
    tree->pool = pool;
    return tree;
}

/* Where among the children the one that begins with c is, or would have to be. */
static uint32_t child_at(const node_t *n, char c)
{
    uint32_t low = 0, high = n->children.n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((unsigned char)n->children.v[middle]->label.p[0] < (unsigned char)c) low = middle + 1;
        else high = middle;
    }
    return low;
}

static node_t *child(const node_t *n, char c)
{
    uint32_t i = child_at(n, c);
    return i < n->children.n && n->children.v[i]->label.p[0] == c ? n->children.v[i] : NULL;
}

static size_t common(str_t a, str_t b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && a.p[i] == b.p[i]) i++;
    return i;
}

/* --- building --- */

static node_t *insert_child(site_tree_t *tree, node_t *n, str_t label)
{
    uint32_t i = child_at(n, label.p[0]);
    node_t *fresh = POOL_NEW(tree->pool, node_t);
    fresh->label = label;
    (void)VEC_PUSH(tree->pool, &n->children);
    memmove(&n->children.v[i + 1], &n->children.v[i], (n->children.n - 1 - i) * sizeof(node_t *));
    n->children.v[i] = fresh;
    return fresh;
}

/* Makes the first `length` bytes of n's label a node of their own, with the rest below it. */
static void split(site_tree_t *tree, node_t *n, size_t length)
{
    node_t *rest = pool_memdup(tree->pool, n, sizeof(*n));
    rest->label = str_sub(n->label, length, n->label.n);
    *n = (node_t){.label = str_sub(n->label, 0, length)};
    *VEC_PUSH(tree->pool, &n->children) = rest;
}

static node_t *make_node(site_tree_t *tree, str_t name)
{
    node_t *n = &tree->root;
    while (name.n) {
        node_t *next = child(n, name.p[0]);
        if (!next) return insert_child(tree, n, name);
        size_t same = common(name, next->label);
        if (same < next->label.n) split(tree, next, same);
        name = str_sub(name, same, name.n);
        n = next;
    }
    return n;
}

const site_location_t *site_tree_add(site_tree_t *tree, str_t name, bool exact,
                                     const site_location_t *location)
{
    node_t *n = make_node(tree, name);
    const site_location_t **place = exact ? &n->exact : &n->prefix;
    if (*place) return *place;
    *place = location;
    return NULL;
}

/* --- lookup --- */

/* The location called "uri/", where uri ends within n's label, `rest` bytes before its end. */
static const site_location_t *slash_below(const node_t *n, size_t rest)
{
    if (rest == 0) n = child(n, '/');
    if (!n || n->label.p[n->label.n - 1] != '/' || (rest ? rest : n->label.n) != 1) return NULL;
    return n->prefix;
}

static void end_at(const node_t *n, site_hit_t *hit)
{
    hit->exact = n->exact;
    if (!n->exact && !n->prefix) hit->slash = slash_below(n, 0);
}

site_hit_t site_tree_find(const site_tree_t *tree, str_t uri)
{
    site_hit_t hit = {0};
    for (const node_t *n = tree ? &tree->root : NULL; n;) {
        hit.visited++;
        if (n->prefix) hit.prefix = n->prefix;
        if (uri.n == 0) {
            end_at(n, &hit);
            break;
        }
        n = child(n, uri.p[0]);
        size_t same = n ? common(uri, n->label) : 0;
        if (n && same < n->label.n) {
            if (same == uri.n) hit.slash = slash_below(n, n->label.n - same);
            break;
        }
        uri = str_sub(uri, same, uri.n);
    }
    return hit;
}
