#include <criterion/criterion.h>
#include <stdio.h>

#include "http/site.h"

static pool_t *pool;
static site_tree_t *tree;

static void setup(void)
{
    pool = pool_create();
    tree = site_tree_new(pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(site_tree, .init = setup, .fini = teardown);

static site_location_t *add(const char *name, bool exact)
{
    site_location_t *l = POOL_NEW(pool, site_location_t);
    l->name = pool_str(pool, str_of(name));
    cr_assert_null(site_tree_add(tree, l->name, exact, l), "%s", name);
    return l;
}

static void is(const site_location_t *l, const char *want, const char *uri)
{
    cr_assert(want ? l && str_eq(l->name, str_of(want)) : !l, "%s: " STR_FMT, uri,
              STR_ARG(l ? l->name : STR("none")));
}

static void finds(const char *uri, const char *exact, const char *prefix, const char *slash)
{
    site_hit_t hit = site_tree_find(tree, str_of(uri));
    is(hit.exact, exact, uri);
    is(hit.prefix, prefix, uri);
    is(hit.slash, slash, uri);
}

Test(site_tree, finds_the_longest_prefix_whatever_the_order_of_insertion)
{
    static const char *const names[] = {"/images/png/", "/", "/im", "/images/", "/imagery", "/x"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) add(names[i], false);
    finds("/", NULL, "/", NULL);
    finds("/images/png/a", NULL, "/images/png/", NULL);
    finds("/images/p", NULL, "/images/", NULL);
    finds("/imagery.html", NULL, "/imagery", NULL);
    finds("/imag", NULL, "/im", NULL);
    finds("/i", NULL, "/", NULL);
    finds("/IMAGES/", NULL, "/", NULL);
    finds("*", NULL, NULL, NULL);
}

Test(site_tree, keeps_exact_and_prefix_apart)
{
    add("/a", true), add("/a", false), add("/ab", true);
    finds("/a", "/a", "/a", NULL);
    finds("/ab", "/ab", "/a", NULL);
    finds("/abc", NULL, "/a", NULL);
}

Test(site_tree, tells_of_the_location_that_lacks_only_the_slash)
{
    add("/", false), add("/dir/", false), add("/dirs", false), add("/own/", false),
        add("/own", false);
    add("/eq/", false), add("/eq", true), add("/deep/er/", false);
    finds("/dir", NULL, "/", "/dir/");
    finds("/dir/", NULL, "/dir/", NULL);
    finds("/di", NULL, "/", NULL);
    finds("/own", NULL, "/own", NULL);
    finds("/eq", "/eq", "/", NULL);
    finds("/deep", NULL, "/", NULL);
    finds("/deep/er", NULL, "/", "/deep/er/");
}

Test(site_tree, returns_who_has_the_name_already)
{
    site_location_t *first = add("/a", false), other = {.name = STR("/a")};
    cr_assert_eq(site_tree_add(tree, other.name, false, &other), first);
    cr_assert_null(site_tree_add(tree, other.name, true, &other));
}

Test(site_tree, is_empty_at_first)
{
    finds("/", NULL, NULL, NULL);
    cr_assert_null(site_tree_find(NULL, STR("/")).prefix);
    add("", false);
    finds("/", NULL, "", NULL);
}

/* The greatest number of nodes that a lookup of any of `count` locations looks at. */
static unsigned worst(unsigned count)
{
    char name[32];
    unsigned most = 0;
    tree = site_tree_new(pool);
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/app%08u/", i * 7919 % 100000000);
        add(name, false);
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/app%08u/index", i * 7919 % 100000000);
        site_hit_t hit = site_tree_find(tree, str_of(name));
        cr_assert(hit.prefix && hit.prefix->name.n == 13);
        if (hit.visited > most) most = hit.visited;
    }
    return most;
}

/* At most a node per byte in which names can differ, however many there are. */
Test(site_tree, costs_the_length_of_the_uri)
{
    cr_assert_leq(worst(10), 10);
    cr_assert_leq(worst(10000), 10);
}
