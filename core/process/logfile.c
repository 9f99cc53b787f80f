#include "core/process/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/process/paths.h"

static logfile_t *add(logfile_set_t *set)
{
    logfile_t **at = &set->first;
    while (*at) at = &(*at)->next;
    *at = POOL_NEW(set->pool, logfile_t);
    (*at)->fd = -1;
    return *at;
}

logfile_t *logfile_want(logfile_set_t *set, str_t path)
{
    for (logfile_t *l = set->first; l; l = l->next)
        if (l->path && str_eq(str_of(l->path), path)) return l;
    logfile_t *l = add(set);
    l->path = pool_cstr(set->pool, path);
    return l;
}

logfile_t *logfile_want_socket(logfile_set_t *set, const net_addr_t *peer)
{
    for (logfile_t *l = set->first; l; l = l->next)
        if (l->peer && net_eq(l->peer, peer)) return l;
    logfile_t *l = add(set);
    l->peer = pool_memdup(set->pool, peer, sizeof(*peer));
    return l;
}

void logfile_follow(logfile_set_t *set, logfile_t *l, int *fd)
{
    *fd = l->fd;
    *VEC_PUSH(set->pool, &l->followers) = fd;
}

static int open_socket(const net_addr_t *peer)
{
    int fd = socket(peer->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (connect(fd, &peer->sa, peer->len) < 0) errno = 0; /* lost lines, nothing worse */
    return fd;
}

int logfile_open(const logfile_t *l)
{
    if (l->peer) return open_socket(l->peer);
    int fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : fd;
}

static void set_fd(logfile_t *l, int fd)
{
    l->fd = fd;
    for (uint32_t i = 0; i < l->followers.n; i++) *l->followers.v[i] = fd;
}

const logfile_t *logfile_set_open(logfile_set_t *set)
{
    for (logfile_t *l = set->first; l; l = l->next) {
        int fd = logfile_open(l);
        if (fd < 0) {
            logfile_set_close(set);
            errno = -fd;
            return l;
        }
        set_fd(l, fd);
    }
    return NULL;
}

const logfile_t *logfile_set_check(const logfile_set_t *set)
{
    for (const logfile_t *l = set->first; l; l = l->next)
        if (l->path && !paths_writable(l->path)) return l;
    return NULL;
}

void logfile_set_close(logfile_set_t *set)
{
    for (logfile_t *l = set->first; l; l = l->next) {
        if (l->fd >= 0) close(l->fd);
        set_fd(l, -1);
    }
}
