/*
 * site_tree: the prefix and exact locations of one level, in a compressed prefix tree.
 *
 * Grows by insertion in any order while the configuration is read. A lookup walks down once, so
 * that it costs the length of the URI, however many names there are. Case matters. Nothing
 * suspends.
 */
#ifndef HTTP_SITE_TREE_H
#define HTTP_SITE_TREE_H

#include "core/base/pool.h"

typedef struct site_location site_location_t;
typedef struct site_tree site_tree_t;

typedef struct site_hit {
    const site_location_t *exact;  /* `= uri` */
    const site_location_t *prefix; /* the longest prefix of the uri */
    const site_location_t *slash;  /* the prefix location "uri/", when none is called "uri" */
    unsigned visited;              /* nodes looked at: what the lookup has cost */
} site_hit_t;

site_tree_t *site_tree_new(pool_t *pool);

/*
 * Adds the location under name (which must outlive the tree). Returns the location that has that
 * very name and kind already (then nothing changes), or NULL.
 */
const site_location_t *site_tree_add(site_tree_t *tree, str_t name, bool exact,
                                     const site_location_t *location);

/* Members are NULL where nothing matches; so are all for tree NULL. */
site_hit_t site_tree_find(const site_tree_t *tree, str_t uri);

#endif
