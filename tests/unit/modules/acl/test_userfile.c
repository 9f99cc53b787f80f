#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "modules/acl/userfile.h"

static pool_t *pool;
static char path[] = "/tmp/userfile-XXXXXX";

static void begin(void)
{
    pool = pool_create();
    close(mkstemp(path));
}

static void end(void)
{
    unlink(path);
    pool_destroy(pool);
}

TestSuite(userfile, .init = begin, .fini = end);

static void write_file(str_t content)
{
    FILE *f = fopen(path, "w");
    cr_assert_eq(fwrite(content.p, 1, content.n, f), content.n);
    fclose(f);
}

/* The hash, "(none)", or "(error)". */
static const char *find(const char *user)
{
    userfile_state_t state;
    str_t hash;
    int fd = userfile_open(path, &state);
    cr_assert_geq(fd, 0);
    int err = userfile_find(fd, pool, str_of(user), &hash);
    close(fd);
    return err < 0 ? "(error)" : hash.p ? hash.p : "(none)";
}

Test(userfile, finds_users)
{
    write_file(STR("# comment:x\n\nann:one\nbob:two:a comment\r\n#eve:no\nann:again\ncrlf:three\r\n"
                   "nothing\nempty:\nlast:four"));
    cr_expect_str_eq(find("ann"), "one");
    cr_expect_str_eq(find("bob"), "two");
    cr_expect_str_eq(find("crlf"), "three");
    cr_expect_str_eq(find("last"), "four");
    cr_expect_str_eq(find("empty"), "");
    cr_expect_str_eq(find("nothing"), "(none)");
    cr_expect_str_eq(find("an"), "(none)");
    cr_expect_str_eq(find("anna"), "(none)");
    cr_expect_str_eq(find("#eve"), "(none)");
    cr_expect_str_eq(find("# comment"), "(none)");
    cr_expect_str_eq(find(""), "(none)");
}

Test(userfile, may_be_larger_than_a_buffer)
{
    str_t text = STR("");
    for (int i = 0; i < 5000; i++)
        text = pool_concat(pool, text, pool_printf(pool, "user%d:hash of %d\n", i, i));
    write_file(text);
    cr_expect_str_eq(find("user0"), "hash of 0");
    cr_expect_str_eq(find("user2500"), "hash of 2500");
    cr_expect_str_eq(find("user4999"), "hash of 4999");
    cr_expect_str_eq(find("user5000"), "(none)");
}

Test(userfile, has_lines_of_a_bounded_length)
{
    char *line = pool_bytes(pool, 1 << 20);
    memset(line, 'x', 1 << 20);
    write_file(str_make(line, 1 << 20));
    cr_expect_str_eq(find("ann"), "(error)");
}

Test(userfile, tells_its_states_apart)
{
    userfile_state_t a, b;
    write_file(STR("ann:one\n"));
    close(userfile_open(path, &a));
    write_file(STR("ann:three\n"));
    close(userfile_open(path, &b));
    cr_expect_neq(memcmp(&a, &b, sizeof(a)), 0);
    cr_expect_eq(userfile_open("/nonexistent", &a), -ENOENT);
    cr_expect_eq(userfile_open("/tmp", &a), -EINVAL);
}
