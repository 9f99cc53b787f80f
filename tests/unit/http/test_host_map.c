#include <criterion/criterion.h>

#include "http/host_map.h"

static pool_t *pool;
static host_map_t map;

static void setup(void)
{
    pool = pool_create();
    host_map_init(&map, pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(host_map, .init = setup, .fini = teardown);

/* Every name is its own value. */
static host_map_result_t add(const char *name)
{
    return host_map_add(&map, str_of(name), (void *)(uintptr_t)name);
}

static void finds(const char *host, const char *want)
{
    const char *found = host_map_find(&map, str_of(host));
    cr_assert(want ? found && strcmp(found, want) == 0 : !found, "%s: %s", host, found);
}

/* http://nginx.org/en/docs/http/server_names.html */
Test(host_map, prefers_exact_then_the_longest_leading_then_the_longest_trailing)
{
    add("www.example.*"), add("*.org"), add("*.example.org"), add("www.example.org"), add("www.*");
    finds("www.example.org", "www.example.org");
    finds("a.example.org", "*.example.org");
    finds("a.b.example.org", "*.example.org");
    finds("example.org", "*.org");
    finds("www.example.net", "www.example.*");
    finds("www.example.co.uk", "www.example.*");
    finds("www.other.net", "www.*");
    finds("other.net", NULL);
    finds("", NULL);
}

Test(host_map, takes_a_leading_dot_for_the_name_and_what_is_below)
{
    add(".example.org");
    finds("example.org", ".example.org");
    finds("a.example.org", ".example.org");
    finds("aexample.org", NULL);
}

Test(host_map, knows_the_empty_name)
{
    finds("", NULL);
    add("");
    finds("", "");
}

Test(host_map, keeps_the_first_value)
{
    cr_assert_eq(add("a.b"), HOST_MAP_ADDED);
    cr_assert_eq(host_map_add(&map, STR("a.b"), &map), HOST_MAP_TAKEN);
    cr_assert_eq(host_map_add(&map, STR(".a.b"), &map), HOST_MAP_TAKEN);
    finds("a.b", "a.b");
}

Test(host_map, refuses_wildcards_elsewhere)
{
    static const char *const wrong[] = {"*", "a*.b", "a.*.b", "*.a.*", "a.b*", ".", "a..b", "*.",
                                        ".*", "*a", "**.a", ".a.*"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        cr_assert_eq(add(wrong[i]), HOST_MAP_MALFORMED, "%s", wrong[i]);
}

Test(host_map, looks_for_no_wildcard_of_an_endless_host)
{
    char host[600];
    for (size_t i = 0; i < sizeof(host); i++) host[i] = i % 2 ? '.' : 'a';
    add("*.a.a");
    cr_assert_not_null(host_map_find(&map, str_make(host, 255)));
    cr_assert_null(host_map_find(&map, str_make(host, 599)));
}
