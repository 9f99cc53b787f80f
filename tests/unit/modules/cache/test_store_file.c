#include "modules/cache/store_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const store_file_t file = {{0xb7f54b2df7773722, 0xd382f4809d65029c}, 0, 5};
static const store_file_t variant = {{0xb7f54b2df7773722, 0xd382f4809d65029c}, 0xa1, 0x1b};

static void expect_name(const store_dir_t *d, const store_file_t *f, const char *name)
{
    char out[STORE_FILE_NAME];
    store_file_name(d, f, out);
    cr_expect_str_eq(out, name);
}

/* Up to the id the example of nginx's documentation of proxy_cache_path. */
Test(store_file, names_begin_as_nginx_s)
{
    store_dir_t d = {.levels = {1, 2}}, flat = {0}, deep = {.levels = {2, 2, 2}};
    expect_name(&d, &file, "c/29/b7f54b2df7773722d382f4809d65029c-0000000000000005");
    expect_name(&flat, &file, "b7f54b2df7773722d382f4809d65029c-0000000000000005");
    expect_name(&deep, &variant,
                "9c/02/65/b7f54b2df7773722d382f4809d65029c.00000000000000a1-000000000000001b");
}

#define KEY "b7f54b2df7773722d382f4809d65029c"
#define ID "0000000000000005"

Test(store_file, names_tell_what_is_in_it)
{
    store_file_t f;
    cr_assert(store_file_parse(STR(KEY "-0000000000000005"), &f));
    cr_expect(f.key[0] == file.key[0] && f.key[1] == file.key[1] && f.variant == 0 && f.id == 5);
    cr_assert(store_file_parse(STR(KEY ".00000000000000a1-fffffffffffffffe"), &f));
    cr_expect_eq(f.variant, 0xa1);
    cr_expect_eq(f.id, 0xfffffffffffffffe);
    static const char *const foreign[] = {
        "", "x", "-", KEY, KEY "-", KEY "-000000000000005", KEY "-00000000000000005",
        KEY "-000000000000000G", KEY "-0000000000000005-0000000000000005", KEY "." ID,
        "b7f54b2df7773722d382f4809d65029-" ID, KEY "c-" ID,
        "B7F54B2DF7773722D382F4809D65029C-" ID, "b7f54b2df7773722d382f4809d65029g-" ID,
        KEY ".00000000000000a-" ID, KEY ".tmp-" ID, KEY ".0000000000000000-" ID,
        KEY "-" ID ".00000000000000a1"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        cr_expect_not(store_file_parse(str_of(foreign[i]), &f), "%s", foreign[i]);
}

static char root[32];

static store_dir_t open_root(void)
{
    strcpy(root, "/tmp/proxyd-file-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    store_dir_t d = {.path = root, .levels = {1, 2}, .fd = -1};
    cr_assert_eq(store_dir_open(&d), 0);
    return d;
}

static void remove_root(store_dir_t *d)
{
    char command[64];
    store_dir_close(d);
    snprintf(command, sizeof(command), "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

Test(store_file, is_seen_when_it_is_published)
{
    char got[16];
    store_dir_t d = open_root();
    struct iovec iov[] = {{(char *)(uintptr_t) "", 0}, {(char *)(uintptr_t) "abc", 3},
                          {(char *)(uintptr_t) "defg", 4}};
    int fd = store_file_create(&d, 5);
    cr_assert_geq(fd, 0);
    cr_expect_eq(store_file_create(&d, 5), -EEXIST);
    cr_expect_eq(store_file_write(fd, iov, 3, 2), 0);
    close(fd);
    cr_expect_eq(store_file_open(&d, &file, false), -ENOENT);
    cr_expect_eq(store_file_publish(&d, &file), 0);
    cr_expect_eq(store_file_open_new(&d, 5), -ENOENT);
    fd = store_file_open(&d, &file, false);
    cr_expect_eq(store_file_read(fd, got, sizeof(got), 2), 7);
    cr_expect_eq(memcmp(got, "abcdefg", 7), 0);
    close(fd);
    cr_expect_eq(store_file_unlink(&d, &file), 0);
    cr_expect_eq(store_file_unlink(&d, &file), -ENOENT);
    cr_expect_eq(store_file_publish(&d, &file), -ENOENT);
    remove_root(&d);
}

Test(store_file, does_not_follow_links)
{
    char link[128];
    store_dir_t d = open_root();
    close(store_file_create(&d, 5));
    store_file_publish(&d, &file);
    snprintf(link, sizeof(link), "%s/c/29/" KEY "-" ID, root);
    cr_assert_eq(unlink(link), 0);
    cr_assert_eq(symlink("/etc/passwd", link), 0);
    cr_expect_eq(store_file_open(&d, &file, false), -ELOOP);
    remove_root(&d);
}
