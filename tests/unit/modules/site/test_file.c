#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/site/file.h"

static char dir[32], path[256];

static char *in_dir(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void begin(void)
{
    strcpy(dir, "/tmp/test_file_XXXXXX");
    cr_assert(mkdtemp(dir));
    int fd = open(in_dir("plain"), O_CREAT | O_WRONLY, 0644);
    cr_assert_eq(write(fd, "hello", 5), 5);
    close(fd);
    cr_assert_eq(mkdir(in_dir("sub"), 0755), 0);
    cr_assert_eq(mkfifo(in_dir("fifo"), 0644), 0);
    cr_assert_eq(symlink("plain", in_dir("link")), 0);
    cr_assert_eq(symlink(".", in_dir("here")), 0);
    cr_assert_eq(symlink("nowhere", in_dir("broken")), 0);
}

static void end(void)
{
    static const char *const names[] = {"plain", "fifo", "link", "here", "broken"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) unlink(in_dir(names[i]));
    rmdir(in_dir("sub"));
    rmdir(dir);
}

TestSuite(file, .init = begin, .fini = end);

/* 0 or negative errno; the descriptor is closed. */
static int opened(const char *name, unsigned links, file_t *f)
{
    int err = file_open(in_dir(name), strlen(dir), links, f);
    cr_assert_eq(err == 0, f->fd >= 0);
    if (err == 0) close(f->fd);
    return err;
}

Test(file, tells_what_it_is)
{
    file_t f;
    cr_expect_eq(opened("plain", FILE_LINKS_FOLLOW, &f), 0);
    cr_expect(f.regular && !f.directory && f.size == 5 && f.mtime > 0);
    cr_expect_eq(opened("sub", FILE_LINKS_FOLLOW, &f), 0);
    cr_expect(f.directory && !f.regular);
    cr_expect_eq(opened("fifo", FILE_LINKS_FOLLOW, &f), 0, "a FIFO without a writer does not wait");
    cr_expect(!f.directory && !f.regular);
    cr_expect_eq(opened("link", FILE_LINKS_FOLLOW, &f), 0);
    cr_expect(f.regular);
    cr_expect_eq(opened("none", FILE_LINKS_FOLLOW, &f), -ENOENT);
    cr_expect_str_eq(f.failed, "open()");
    cr_expect_eq(opened("plain/x", FILE_LINKS_FOLLOW, &f), -ENOTDIR);
}

Test(file, looks_without_opening)
{
    file_t f;
    cr_expect_eq(file_look(in_dir("plain"), 0, FILE_LINKS_FOLLOW, &f), 0);
    cr_expect(f.regular && f.size == 5 && f.fd == -1);
    cr_expect_eq(file_look(in_dir("sub"), strlen(dir), FILE_LINKS_REFUSE, &f), 0);
    cr_expect(f.directory && f.fd == -1);
    cr_expect_eq(file_look(in_dir("link"), strlen(dir), FILE_LINKS_REFUSE, &f), -ELOOP);
    cr_expect_eq(file_look(in_dir("none"), 0, FILE_LINKS_FOLLOW, &f), -ENOENT);
}

Test(file, refuses_links)
{
    static const char *const links[] = {"link", "here/plain", "broken", "here"};
    file_t f;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        cr_expect_eq(opened(links[i], FILE_LINKS_REFUSE, &f), -ELOOP, "%s", links[i]);
    cr_expect_eq(opened("plain", FILE_LINKS_REFUSE, &f), 0);
    cr_expect_eq(opened("sub/", FILE_LINKS_REFUSE, &f), 0);
    cr_expect_eq(opened("sub/../plain", FILE_LINKS_REFUSE, &f), 0);
    cr_expect_eq(opened("none", FILE_LINKS_REFUSE, &f), -ENOENT);
    cr_expect_eq(opened("plain/x", FILE_LINKS_REFUSE, &f), -ENOTDIR);
}

Test(file, follows_links_of_the_same_owner)
{
    file_t f;
    cr_expect_eq(opened("link", FILE_LINKS_SAME_OWNER, &f), 0);
    cr_expect(f.regular);
    cr_expect_eq(opened("here/sub/../here/plain", FILE_LINKS_SAME_OWNER, &f), 0);
    cr_expect_eq(opened("broken", FILE_LINKS_SAME_OWNER, &f), -ENOENT);
    if (geteuid() != 0) return;
    cr_assert_eq(lchown(in_dir("link"), 12345, 12345), 0);
    cr_expect_eq(opened("link", FILE_LINKS_SAME_OWNER, &f), -ELOOP);
}

Test(file, puts_the_path_back)
{
    file_t f;
    char before[256];
    strcpy(before, in_dir("here//sub/../plain"));
    cr_expect_eq(file_look(path, strlen(dir), FILE_LINKS_SAME_OWNER, &f), 0);
    cr_expect_str_eq(path, before);
}

Test(file, reads_exactly)
{
    char out[8] = "";
    int fd = open(in_dir("plain"), O_RDONLY);
    cr_expect_eq(file_read(fd, out, 4, 1), 0);
    cr_expect_str_eq(out, "ello");
    cr_expect_eq(file_read(fd, out, 6, 0), -EIO, "the file is shorter");
    close(fd);
    cr_expect_eq(file_read(-1, out, 1, 0), -EBADF);
}
