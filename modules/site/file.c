#include "modules/site/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO without a writer must not stop the worker; files know no such thing. */
enum {
    TO_READ = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    TO_LOOK = O_PATH | O_CLOEXEC,
    TO_WALK = O_PATH | O_DIRECTORY | O_CLOEXEC,
};

static int fail(file_t *out, const char *what)
{
    out->failed = what;
    return -errno;
}

static void take(file_t *out, const struct stat *st)
{
    out->size = (uint64_t)st->st_size;
    out->mtime = st->st_mtime;
    out->regular = S_ISREG(st->st_mode);
    out->directory = S_ISDIR(st->st_mode);
}

/* --- paths whose links are judged --- */

/* Follows the link `name` when `owner`, whose it is, owns its target. A descriptor or errno. */
static int follow(int dir, const char *name, int flags, uid_t owner)
{
    struct stat st;
    int fd = openat(dir, name, flags);
    if (fd < 0) return -errno;
    int err = fstat(fd, &st) < 0 ? errno : st.st_uid != owner ? ELOOP : 0;
    if (err == 0) return fd;
    close(fd);
    return -err;
}

static int open_part(int dir, const char *name, int flags, unsigned links)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISLNK(st.st_mode))
        return links == FILE_LINKS_REFUSE ? -ELOOP : follow(dir, name, flags, st.st_uid);
    int fd = openat(dir, name, flags | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Opens what path says, one part after the other, from the directory `dir` (closed here). */
static int walk(int dir, char *path, int flags, unsigned links)
{
    for (;;) {
        while (*path == '/') path++;
        char *end = strchrnul(path, '/');
        bool last = end[strspn(end, "/")] == '\0';
        char slash = *end;
        *end = '\0';
        int fd = open_part(dir, *path ? path : ".", last ? flags : TO_WALK, links);
        *end = slash;
        close(dir);
        if (fd < 0 || last) return fd;
        dir = fd;
        path = end;
    }
}

static int open_judged(char *path, size_t trusted, int flags, unsigned links)
{
    char saved = path[trusted];
    path[trusted] = '\0';
    int dir = open(trusted ? path : "/", TO_WALK);
    path[trusted] = saved;
    return dir < 0 ? -errno : walk(dir, path + trusted, flags, links);
}

/* --- opening --- */

static int open_with(char *path, size_t trusted, int flags, unsigned links)
{
    if (links != FILE_LINKS_FOLLOW) return open_judged(path, trusted, flags, links);
    int fd = open(path, flags);
    return fd < 0 ? -errno : fd;
}

int file_open(char *path, size_t trusted, unsigned links, file_t *out)
{
    struct stat st;
    *out = (file_t){.fd = -1, .failed = "open()"};
    int fd = open_with(path, trusted, TO_READ, links);
    if (fd < 0) return fd;
    if (fstat(fd, &st) < 0) {
        int err = fail(out, "fstat()");
        close(fd);
        return err;
    }
    out->fd = fd;
    take(out, &st);
    return 0;
}

int file_look(char *path, size_t trusted, unsigned links, file_t *out)
{
    struct stat st;
    *out = (file_t){.fd = -1, .failed = "stat()"};
    if (links == FILE_LINKS_FOLLOW) {
        if (stat(path, &st) < 0) return fail(out, "stat()");
        take(out, &st);
        return 0;
    }
    int fd = open_judged(path, trusted, TO_LOOK, links);
    if (fd < 0) return fd;
    int err = fstat(fd, &st) < 0 ? fail(out, "fstat()") : 0;
    close(fd);
    if (err == 0) take(out, &st);
    return err;
}

int file_read(int fd, void *p, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(at + done));
        if (got == 0) return -EIO;
        if (got < 0 && errno != EINTR) return -errno;
        if (got > 0) done += (size_t)got;
    }
    return 0;
}
