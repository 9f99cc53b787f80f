#include "core/base/cidr.h"

#include <arpa/inet.h>

#include "core/base/panic.h"

/*
 * A radix tree with compressed paths: a node's prefix extends its parent's by one bit or more, and
 * the bit behind its prefix chooses between its children. Nodes that only branch have no value.
 */
typedef struct node {
    struct node *child[2];
    void *value;
    cidr_t prefix;
} node_t;

struct cidr_tree {
    pool_t *pool;
    node_t *v4, *v6;
};

static unsigned bit_at(const unsigned char *bytes, unsigned i)
{
    return bytes[i / 8] >> (7 - i % 8) & 1u;
}

/* How many leading bits a and b share, at most n. */
static unsigned common_bits(const unsigned char *a, const unsigned char *b, unsigned n)
{
    unsigned i = 0;
    while (i + 8 <= n && a[i / 8] == b[i / 8]) i += 8;
    while (i < n && bit_at(a, i) == bit_at(b, i)) i++;
    return i;
}

/* Clears everything behind the prefix; true when it was clear. */
static bool clear_rest(cidr_t *c)
{
    bool clear = true;
    for (unsigned i = c->bits; i < c->size * 8u; i++) {
        unsigned char mask = (unsigned char)(0x80 >> i % 8);
        if (c->bytes[i / 8] & mask) clear = false;
        c->bytes[i / 8] &= (unsigned char)~mask;
    }
    return clear;
}

bool cidr_parse(str_t s, cidr_t *out, bool *exact)
{
    char text[INET6_ADDRSTRLEN];
    size_t slash = str_find(s, 0, '/');
    if (slash == 0 || slash >= sizeof(text) || memchr(s.p, '\0', slash)) return false;
    memcpy(text, s.p, slash);
    text[slash] = '\0';
    cidr_t c = {.size = str_find(s, 0, ':') < slash ? 16 : 4};
    uint64_t bits = c.size * 8u;
    if (inet_pton(c.size == 4 ? AF_INET : AF_INET6, text, c.bytes) != 1) return false;
    if (slash < s.n && !str_to_u64(str_sub(s, slash + 1, s.n), &bits)) return false;
    if (bits > c.size * 8u) return false;
    c.bits = (uint8_t)bits;
    bool clear = clear_rest(&c);
    if (exact) *exact = clear;
    *out = c;
    return true;
}

static bool matches(const cidr_t *c, const unsigned char *address)
{
    return common_bits(c->bytes, address, c->bits) == c->bits;
}

bool cidr_contains(const cidr_t *c, str_t address)
{
    return address.n == c->size && matches(c, (const unsigned char *)address.p);
}

cidr_tree_t *cidr_new(pool_t *pool)
{
    cidr_tree_t *tree = POOL_NEW(pool, cidr_tree_t);
    tree->pool = pool;
    return tree;
}

static node_t *new_node(cidr_tree_t *tree, const cidr_t *prefix, unsigned bits)
{
    node_t *n = POOL_NEW(tree->pool, node_t);
    n->prefix = *prefix;
    n->prefix.bits = (uint8_t)bits;
    clear_rest(&n->prefix);
    return n;
}

/* Puts a node of the first `bits` bits of prefix above *at. */
static node_t *insert_above(cidr_tree_t *tree, node_t **at, const cidr_t *prefix, unsigned bits)
{
    node_t *fresh = new_node(tree, prefix, bits);
    if (*at) fresh->child[bit_at((*at)->prefix.bytes, bits)] = *at;
    *at = fresh;
    return fresh;
}

/* The node of exactly this prefix, made if there is none. */
static node_t *make_node(cidr_tree_t *tree, const cidr_t *prefix)
{
    node_t **at = prefix->size == 4 ? &tree->v4 : &tree->v6;
    while (*at) {
        unsigned own = (*at)->prefix.bits, n = own < prefix->bits ? own : prefix->bits;
        unsigned shared = common_bits((*at)->prefix.bytes, prefix->bytes, n);
        if (shared < own) {
            node_t *above = insert_above(tree, at, prefix, shared);
            if (shared == prefix->bits) return above;
            at = &above->child[bit_at(prefix->bytes, shared)];
            break;
        }
        if (own == prefix->bits) return *at;
        at = &(*at)->child[bit_at(prefix->bytes, own)];
    }
    return insert_above(tree, at, prefix, prefix->bits);
}

void *cidr_add(cidr_tree_t *tree, const cidr_t *prefix, void *value)
{
    ASSERT(value && (prefix->size == 4 || prefix->size == 16) && prefix->bits <= prefix->size * 8);
    node_t *n = make_node(tree, prefix);
    void *before = n->value;
    n->value = value;
    return before;
}

void *cidr_find(const cidr_tree_t *tree, str_t address)
{
    const unsigned char *bytes = (const unsigned char *)address.p;
    const node_t *n = address.n == 4 ? tree->v4 : address.n == 16 ? tree->v6 : NULL;
    void *best = NULL;
    while (n && matches(&n->prefix, bytes)) {
        if (n->value) best = n->value;
        if (n->prefix.bits == address.n * 8) break;
        n = n->child[bit_at(bytes, n->prefix.bits)];
    }
    return best;
}
