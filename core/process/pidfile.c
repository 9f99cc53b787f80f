#include "core/process/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "core/process/paths.h"

enum { TEXT_MAX = 32 };

int pidfile_write(pool_t *pool, const char *path)
{
    return paths_replace(pool, path, pool_printf(pool, "%ld\n", (long)getpid()));
}

void pidfile_remove(const char *path)
{
    if (pidfile_read(path) == getpid()) unlink(path);
}

static ssize_t read_text(const char *path, char out[TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t n = read(fd, out, TEXT_MAX);
    if (n < 0) n = -errno;
    close(fd);
    return n;
}

pid_t pidfile_read(const char *path)
{
    char text[TEXT_MAX];
    uint64_t pid;
    ssize_t n = read_text(path, text);
    if (n < 0) return (pid_t)n;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
    bool good = str_to_u64(str_make(text, (size_t)n), &pid) && pid > 0 && pid <= INT_MAX;
    return good ? (pid_t)pid : -EINVAL;
}

bool pidfile_is_proxyd(pid_t pid)
{
    char path[TEXT_MAX], name[TEXT_MAX];
    snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    ssize_t n = read_text(path, name);
    return n < 0 || str_starts(str_make(name, (size_t)n), STR("proxyd"));
}
