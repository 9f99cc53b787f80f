#include "core/shared/zone.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 16 * SLAB_PAGE };

static zone_set_t make(void)
{
    return (zone_set_t){.pool = pool_create()};
}

static void drop(zone_set_t *set)
{
    zone_set_release(set);
    pool_destroy(set->pool);
}

static int inits;

static void *make_counter(slab_t *slab, void *arg)
{
    int *counter = slab_alloc(slab, sizeof(*counter));
    inits++;
    *counter = *(int *)arg;
    return counter;
}

static void *make_nothing(slab_t *slab, void *arg)
{
    (void)slab, (void)arg;
    return NULL;
}

static zone_t *want(zone_set_t *set, const char *name, size_t size, const char *kind, int *start)
{
    const char *why = NULL;
    zone_t *z = zone_want(set, str_of(name), size, kind, make_counter, start, &why);
    cr_assert_not_null(z, "%s", why);
    return z;
}

static void refused(zone_set_t *set, const char *name, size_t size, const char *kind,
                    const char *text)
{
    const char *why = NULL;
    cr_expect_null(zone_want(set, str_of(name), size, kind, NULL, NULL, &why));
    cr_expect_str_eq(why, text);
}

Test(zone, finds_what_is_declared)
{
    zone_set_t set = make();
    zone_t *later = want(&set, "b", 0, "limit", NULL);
    zone_t *a = want(&set, "a", SIZE - 5, "limit", NULL);
    cr_expect_eq(a->size, SIZE);
    cr_expect_null(a->slab);
    cr_expect_eq(want(&set, "a", SIZE, "limit", NULL), a);
    cr_expect_eq(want(&set, "a", 0, "limit", NULL), a);
    cr_expect_eq(a->size, SIZE);
    cr_expect_eq(want(&set, "b", 2 * SIZE, "limit", NULL), later);
    cr_expect_eq(later->size, 2 * SIZE);
    drop(&set);
}

Test(zone, refuses_what_disagrees)
{
    zone_set_t set = make();
    want(&set, "a", 65536, "limit", NULL);
    refused(&set, "a", 65536, "cache",
            "the shared memory zone \"a\" is already declared for a different use");
    refused(&set, "a", 131072, "limit",
            "the size 131072 of shared memory zone \"a\" conflicts with already declared size "
            "65536");
    refused(&set, "small", ZONE_SIZE_MIN - 1, "limit", "zone \"small\" is too small");
    refused(&set, "huge", SIZE_MAX, "limit", "zone \"huge\" is too small");
    drop(&set);
}

Test(zone, refuses_to_map_what_nobody_declares)
{
    zone_set_t set = make();
    const char *why = NULL;
    zone_t *a = want(&set, "a", SIZE, "limit", &(int){1});
    want(&set, "ghost", 0, "limit", NULL);
    cr_expect_not(zone_set_map(&set, NULL, &why));
    cr_expect_str_eq(why, "zero size shared memory zone \"ghost\"");
    cr_expect_null(a->slab);
    cr_expect_null(a->memory);
    drop(&set);
}

Test(zone, refuses_to_map_what_its_content_does_not_fit)
{
    zone_set_t set = make();
    const char *why = NULL;
    cr_assert_not_null(zone_want(&set, STR("a"), SIZE, "limit", make_nothing, NULL, &why));
    cr_expect_not(zone_set_map(&set, NULL, &why));
    cr_expect_str_eq(why, "zone \"a\" is too small");
    drop(&set);
}

Test(zone, is_shared_with_children)
{
    zone_set_t set = make();
    const char *why;
    zone_t *a = want(&set, "a", SIZE, "counter", &(int){5});
    cr_assert(zone_set_map(&set, NULL, &why));
    pid_t pid = fork();
    if (pid == 0) {
        *(int *)a->root += 1;
        _exit(slab_alloc(a->slab, 100) ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
    cr_expect_eq(*(int *)a->root, 6);
    cr_expect_eq(slab_stats(a->slab).used_bytes, 16 + 128);
    drop(&set);
}

Test(zone, survives_a_reload)
{
    zone_set_t old = make(), new = make();
    const char *why;
    zone_t *before = want(&old, "a", SIZE, "counter", &(int){5});
    cr_assert(zone_set_map(&old, NULL, &why));
    *(int *)before->root = 17;

    zone_t *after = want(&new, "a", SIZE, "counter", &(int){5});
    cr_assert(zone_set_map(&new, &old, &why));
    cr_expect_eq(after->root, before->root);
    cr_expect_eq(after->slab, before->slab);
    drop(&old);
    cr_expect_eq(*(int *)after->root, 17);
    cr_expect(slab_check(after->slab));
    cr_expect_eq(inits, 1);
    drop(&new);
}

static void expect_fresh(const char *name, size_t size, const char *kind)
{
    zone_set_t old = make(), new = make();
    const char *why;
    zone_t *before = want(&old, "a", SIZE, "counter", &(int){1});
    cr_assert(zone_set_map(&old, NULL, &why));
    zone_t *after = want(&new, name, size, kind, &(int){2});
    cr_assert(zone_set_map(&new, &old, &why));
    cr_expect_neq(after->slab, before->slab);
    cr_expect_eq(*(int *)after->root, 2);
    cr_expect_eq(*(int *)before->root, 1);
    drop(&new);
    cr_expect_eq(*(int *)before->root, 1);
    drop(&old);
}

Test(zone, is_fresh_when_it_differs)
{
    expect_fresh("b", SIZE, "counter");
    expect_fresh("a", 2 * SIZE, "counter");
    expect_fresh("a", SIZE, "counter by host");
}

Test(zone, abandoned_generation_leaves_the_old_one_alone)
{
    zone_set_t old = make(), new = make();
    const char *why;
    zone_t *before = want(&old, "a", SIZE, "counter", &(int){1});
    cr_assert(zone_set_map(&old, NULL, &why));
    zone_t *after = want(&new, "a", SIZE, "counter", &(int){1});
    want(&new, "ghost", 0, "counter", NULL);
    cr_expect_not(zone_set_map(&new, &old, &why));
    cr_expect_null(after->slab);
    drop(&new);
    *(int *)before->root = 3;
    cr_expect(slab_check(before->slab));
    drop(&old);
}

Test(zone, takes_over_from_a_set_that_was_never_mapped)
{
    zone_set_t old = make(), new = make();
    const char *why;
    want(&old, "a", SIZE, "counter", &(int){1});
    zone_t *after = want(&new, "a", SIZE, "counter", &(int){2});
    cr_assert(zone_set_map(&new, &old, &why));
    cr_expect_eq(*(int *)after->root, 2);
    drop(&new);
    drop(&old);
}

Test(zone, needs_no_content)
{
    zone_set_t set = make();
    const char *why;
    zone_t *z = zone_want(&set, STR("a"), SIZE, "plain", NULL, NULL, &why);
    cr_assert(zone_set_map(&set, NULL, &why));
    cr_expect_not_null(z->slab);
    cr_expect_null(z->root);
    drop(&set);
}

Test(zone, lies_in_a_descriptor_when_that_is_wanted)
{
    zone_set_t set = make(), next = make();
    const char *why;
    int start = 77, found = 0;
    zone_t *z = want(&set, "m", SIZE, "memory", &start);
    z->file = true;
    cr_assert(zone_set_map(&set, NULL, &why));
    off_t at = (char *)z->root - (char *)z->slab;
    cr_assert_eq(pread(z->fd, &found, sizeof(found), at), (ssize_t)sizeof(found));
    cr_expect_eq(found, 77);
    zone_t *after = want(&next, "m", SIZE, "memory", &start);
    after->file = true;
    cr_assert(zone_set_map(&next, &set, &why));
    cr_expect_eq(after->fd, z->fd);
    drop(&set);
    *(int *)after->root = 78;
    cr_assert_eq(pread(after->fd, &found, sizeof(found), at), (ssize_t)sizeof(found));
    cr_expect_eq(found, 78);
    drop(&next);
}
