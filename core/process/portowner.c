#include "core/process/portowner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 64, LISTENING = 0x0a };

/* The inode of a socket that listens on the port, from a table as /proc/net/tcp; 0: none. */
static unsigned long find_inode(const char *table, uint16_t port)
{
    char line[256];
    unsigned long inode, found = 0;
    unsigned local, state;
    FILE *f = fopen(table, "re");
    while (f && !found && fgets(line, sizeof(line), f))
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu",
                   &local, &state, &inode) == 3 &&
            local == port && state == LISTENING)
            found = inode;
    if (f) fclose(f);
    return found;
}

static bool holds(const char *pid, const char *link)
{
    char path[NAME_MAX_LEN], target[NAME_MAX_LEN];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        found = strcmp(target, link) == 0;
    }
    if (d) closedir(d);
    return found;
}

static long find_process(unsigned long inode)
{
    char link[NAME_MAX_LEN];
    long pid = 0;
    snprintf(link, sizeof(link), "socket:[%lu]", inode);
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && !pid && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && holds(e->d_name, link))
            pid = strtol(e->d_name, NULL, 10);
    if (d) closedir(d);
    return pid;
}

static void name_of(long pid, char out[NAME_MAX_LEN])
{
    char path[NAME_MAX_LEN];
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, NAME_MAX_LEN, f)) out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (f) fclose(f);
}

static void explain_in_use(const log_t *log, uint16_t port)
{
    char name[NAME_MAX_LEN];
    unsigned long inode = find_inode("/proc/net/tcp", port);
    if (!inode) inode = find_inode("/proc/net/tcp6", port);
    long pid = inode ? find_process(inode) : 0;
    if (pid) name_of(pid, name);
    if (pid)
        LOG(log, LOG_ERR, 0, "port %u is held by process %ld (%s)", port, pid, name);
    else
        LOG(log, LOG_ERR, 0, "to see who holds port %u: ss -ltnp sport = :%u", port, port);
}

/* The control socket may be one that nobody has asked for. */
static void explain_unix(const log_t *log, int err)
{
    if (err == ENOENT || err == EACCES || err == EROFS)
        LOG(log, LOG_ERR, 0,
            "a unix socket needs a directory that exists and can be written; the control socket "
            "stands beside the pid file, unless \"control\" names another path");
}

void portowner_explain(const log_t *log, const net_addr_t *addr, int err)
{
    if (addr->sa.sa_family == AF_UNIX) {
        explain_unix(log, err);
        return;
    }
    if (err == EADDRINUSE) explain_in_use(log, net_port(addr));
    if (err == EACCES)
        LOG(log, LOG_ERR, 0,
            "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE");
}
