#include "core/process/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool directory_writable(const char *path)
{
    size_t n = strlen(path);
    while (n && path[n - 1] != '/') n--;
    char *directory = n ? strndup(path, n) : strdup(".");
    int rc = faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS);
    int err = errno;
    free(directory);
    errno = err;
    return rc == 0;
}

bool paths_writable(const char *path)
{
    struct stat st;
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
        return errno == ENOENT && directory_writable(path);
    bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (directory) errno = EISDIR;
    return !directory;
}

str_t paths_join(pool_t *pool, str_t base, str_t path)
{
    if (path.n == 0 || path.p[0] == '/') return pool_str(pool, path);
    const char *slash = base.n && base.p[base.n - 1] != '/' ? "/" : "";
    return pool_printf(pool, STR_FMT "%s" STR_FMT, STR_ARG(base), slash, STR_ARG(path));
}

str_t paths_directory(pool_t *pool, str_t path)
{
    size_t n = path.n;
    while (n && path.p[n - 1] != '/') n--;
    return n ? pool_str(pool, str_make(path.p, n)) : STR("./");
}

static int write_new(const char *path, str_t text)
{
    unlink(path); /* left over by a process that was killed */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return -errno;
    ssize_t n = write(fd, text.p, text.n);
    int err = n < 0 ? -errno : (size_t)n < text.n ? -ENOSPC : 0;
    close(fd);
    return err;
}

int paths_replace(pool_t *pool, const char *path, str_t text)
{
    char *draft = pool_cstr(pool, pool_printf(pool, "%s.new", path));
    int err = write_new(draft, text);
    if (!err && rename(draft, path) < 0) err = -errno;
    if (err) unlink(draft);
    return err;
}
