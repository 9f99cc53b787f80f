#include "core/process/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/process/portowner.h"

enum { BACKLOG = 511, PROBES_PER_SECOND = 20, PROBES_MAX = 10 };

static bool is_unix(const net_addr_t *a)
{
    return a->sa.sa_family == AF_UNIX;
}

/* --- declaring --- */

listen_t *listen_find(const listen_set_t *set, const net_addr_t *addr)
{
    for (listen_t *l = set->first; l; l = l->next)
        if (net_eq(&l->addr, addr)) return l;
    return NULL;
}

listen_t *listen_want(listen_set_t *set, const net_addr_t *addr)
{
    listen_t **at = &set->first;
    for (; *at; at = &(*at)->next)
        if (net_eq(&(*at)->addr, addr)) return *at;
    *at = POOL_NEW(set->pool, listen_t);
    (*at)->addr = *addr;
    (*at)->options = (listen_options_t){.ipv6only = true, .keepalive = -1};
    return *at;
}

int listen_fd(const listen_t *l, unsigned slot)
{
    if (l->fd_count == 0) return -1;
    return is_unix(&l->addr) ? l->fds[0] : slot < l->fd_count ? l->fds[slot] : -1;
}

/* --- options --- */

typedef struct binder { /* what one listen_set_bind carries along */
    const log_t *log;
    bool failed;
} binder_t;

static void complain(binder_t *b, const char *call, const net_addr_t *a, int err)
{
    char text[NET_TEXT_MAX];
    net_format(a, true, text);
    LOG(b->log, LOG_EMERG, err, "%s %s failed", call, text);
    if (!b->failed || err == EADDRINUSE) portowner_explain(b->log, a, err);
    b->failed = true;
}

static void set_option(const binder_t *b, const listen_t *l, int fd, int level, int option,
                       const char *name, int value)
{
    char text[NET_TEXT_MAX];
    if (setsockopt(fd, level, option, &value, sizeof(value)) == 0) return;
    int err = errno;
    net_format(&l->addr, true, text);
    LOG(b->log, LOG_ALERT, err, "setsockopt(%s, %d) %s failed, ignored", name, value, text);
}

#define SET_OPTION(level, option, value) set_option(b, l, fd, level, option, #option, value)

static void set_keepalive(const binder_t *b, const listen_t *l, int fd)
{
    const listen_options_t *o = &l->options;
    if (o->keepalive >= 0) SET_OPTION(SOL_SOCKET, SO_KEEPALIVE, o->keepalive);
    if (o->keepidle) SET_OPTION(IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle);
    if (o->keepintvl) SET_OPTION(IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl);
    if (o->keepcnt) SET_OPTION(IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt);
}

/* Connections take these over from the socket that accepts them. Also for sockets taken over, whose
   configuration may have changed; turning off what was on is for deferred and fastopen alone. */
static void set_options(const binder_t *b, const listen_t *l, int fd)
{
    const listen_options_t *o = &l->options;
    if (o->rcvbuf) SET_OPTION(SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
    if (o->sndbuf) SET_OPTION(SOL_SOCKET, SO_SNDBUF, o->sndbuf);
    if (is_unix(&l->addr)) return;
    set_keepalive(b, l, fd);
    SET_OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT, o->deferred);
    if (o->fastopen) SET_OPTION(IPPROTO_TCP, TCP_FASTOPEN, o->fastopen);
}

/* --- the kernel's choice among the sockets of an address --- */

/* New connections go to the first n sockets of the group, whatever more it has. Sockets stand in a
   group in the order of their listen(). */
static int choose_first(int fd, unsigned n)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog));
}

static void choose_all(int fd)
{
    int unused = 0;
    setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof(unused));
}

/* A listening socket that lets handshakes in flight end and starts none: the filter sees the TCP
   header, of which byte 13 has the flags, and drops what has SYN without ACK. */
static void refuse_new(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog prog = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* --- binding --- */

static int open_socket(binder_t *b, const listen_t *l)
{
    int fd = socket(l->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        complain(b, "socket() for", &l->addr, errno);
        return -1;
    }
    if (is_unix(&l->addr)) return fd;
    SET_OPTION(SOL_SOCKET, SO_REUSEADDR, 1);
    if (l->addr.sa.sa_family == AF_INET6)
        SET_OPTION(IPPROTO_IPV6, IPV6_V6ONLY, l->options.ipv6only);
    return fd;
}

/* Whether someone listens behind the path; a socket file that nobody serves is left over. */
static bool unix_served(const net_addr_t *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && (connect(fd, &a->sa, a->len) == 0 || errno == EAGAIN);
    if (fd >= 0) close(fd);
    return served;
}

/* The mode is the socket's before it has a name, less the umask: nobody gets in between. */
static int bind_unix(const listen_t *l, int fd)
{
    struct stat st;
    const net_addr_t *a = &l->addr;
    mode_t mode = l->options.mode ? l->options.mode : 0666;
    if (lstat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (unix_served(a)) return -EADDRINUSE;
        unlink(a->un.sun_path);
    }
    if (fchmod(fd, mode) < 0 || bind(fd, &a->sa, a->len) < 0) return -errno;
    return chmod(a->un.sun_path, mode) < 0 ? -errno : 0;
}

static int bind_tcp(const listen_t *l, int fd)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) return -errno;
    net_nodelay(fd); /* accepted sockets have it from here, at no cost */
    return bind(fd, &l->addr.sa, l->addr.len) < 0 ? -errno : 0;
}

/*
 * With SO_REUSEPORT two servers of one user may listen on one address without noticing. So it is
 * first tried without. 0 or negative errno.
 */
static int probe(binder_t *b, const listen_t *l)
{
    if (is_unix(&l->addr)) return unix_served(&l->addr) ? -EADDRINUSE : 0;
    int fd = open_socket(b, l);
    if (fd < 0) return 0; /* said there */
    int err = bind(fd, &l->addr.sa, l->addr.len) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int make_socket(binder_t *b, const listen_t *l)
{
    int fd = open_socket(b, l);
    if (fd < 0) return -1;
    int err = is_unix(&l->addr) ? bind_unix(l, fd) : bind_tcp(l, fd);
    if (err < 0) {
        complain(b, "bind() to", &l->addr, -err);
    } else {
        set_options(b, l, fd);
        if (listen(fd, l->options.backlog ? l->options.backlog : BACKLOG) == 0) return fd;
        complain(b, "listen() on", &l->addr, errno);
    }
    close(fd);
    return -1;
}

static const listen_t *found_in(const listen_set_t *set, const listen_t *l)
{
    return set ? listen_find(set, &l->addr) : NULL;
}

static void take_over(listen_set_t *set, const listen_set_t *before, unsigned workers)
{
    for (listen_t *l = set->first; l; l = l->next) {
        const listen_t *old = found_in(before, l);
        l->fd_count = is_unix(&l->addr) ? 1 : workers;
        l->fds = POOL_ARRAY(set->pool, int, l->fd_count);
        for (unsigned i = 0; i < l->fd_count; i++)
            l->fds[i] = old && i < old->fd_count ? old->fds[i] : -1;
    }
}

/* Our own sockets on the same port (another address, the wildcard) would answer a probe, too. */
static bool is_ours(const listen_set_t *before, const net_addr_t *a)
{
    for (const listen_t *l = before ? before->first : NULL; l; l = l->next)
        if (is_unix(a) ? net_eq(&l->addr, a)
                       : !is_unix(&l->addr) && net_port(&l->addr) == net_port(a))
            return true;
    return false;
}

/* A server that was told to stop just now may still be at it. */
static void wait_until_free(binder_t *b, const listen_set_t *set)
{
    const struct timespec pause = {.tv_nsec = 1000000000L / PROBES_PER_SECOND};
    for (int i = 0; i < PROBES_MAX; i++) {
        const listen_t *l = set->first;
        while (l && probe(b, l) != -EADDRINUSE) l = l->next;
        if (!l || b->failed) return;
        nanosleep(&pause, NULL);
    }
}

static void probe_all(binder_t *b, const listen_set_t *set, const listen_set_t *before)
{
    if (!before) wait_until_free(b, set);
    for (const listen_t *l = set->first; l; l = l->next) {
        int err = is_ours(before, &l->addr) ? 0 : probe(b, l);
        if (err) complain(b, "bind() to", &l->addr, -err);
    }
}

static void complete(binder_t *b, listen_t *l, const listen_t *old)
{
    if (old && !is_unix(&l->addr) && l->fd_count > old->fd_count)
        choose_first(l->fds[0], old->fd_count);
    for (unsigned i = 0; i < l->fd_count; i++) {
        if (l->fds[i] < 0) {
            l->fds[i] = make_socket(b, l);
            if (l->fds[i] < 0) return;
        } else {
            set_options(b, l, l->fds[i]);
            listen(l->fds[i], l->options.backlog ? l->options.backlog : BACKLOG);
        }
    }
}

bool listen_set_bind(listen_set_t *set, const listen_set_t *before, unsigned workers,
                     const log_t *log)
{
    binder_t b = {.log = log};
    take_over(set, before, workers);
    probe_all(&b, set, before);
    for (listen_t *l = set->first; l && !b.failed; l = l->next)
        complete(&b, l, found_in(before, l));
    return !b.failed;
}

void listen_set_abandon(listen_set_t *set, const listen_set_t *before)
{
    for (const listen_t *l = set->first; l; l = l->next) {
        const listen_t *old = found_in(before, l);
        if (is_unix(&l->addr) && l->fd_count && l->fds[0] >= 0 && !old) unlink(l->addr.un.sun_path);
    }
    listen_set_close(set, before);
    for (const listen_t *l = set->first; l; l = l->next) {
        const listen_t *old = found_in(before, l);
        if (old && !is_unix(&l->addr) && l->fd_count > old->fd_count) choose_all(old->fds[0]);
    }
}

/* --- the change of generations --- */

static void let_choose(const listen_t *l, const listen_t *old)
{
    if (!old || is_unix(&l->addr) || l->fd_count == old->fd_count) return;
    if (l->fd_count > old->fd_count)
        choose_all(l->fds[0]);
    else
        choose_first(l->fds[0], l->fd_count);
}

void listen_set_commit(const listen_set_t *set, const listen_set_t *before)
{
    if (!before) return;
    for (const listen_t *l = set->first; l; l = l->next) let_choose(l, found_in(before, l));
    listen_set_retire(before, set);
}

void listen_set_retire(const listen_set_t *set, const listen_set_t *next)
{
    for (const listen_t *l = set->first; l; l = l->next) {
        if (found_in(next, l)) continue;
        if (is_unix(&l->addr) && listen_fd(l, 0) >= 0)
            unlink(l->addr.un.sun_path); /* once: the next server may have made its own since */
        else
            for (unsigned i = 0; i < l->fd_count; i++) refuse_new(l->fds[i]);
    }
}

bool listen_kept(const listen_t *l, unsigned at, const listen_set_t *set)
{
    const listen_t *other = found_in(set, l);
    for (unsigned i = 0; other && i < other->fd_count; i++)
        if (other->fds[i] == l->fds[at]) return true;
    return false;
}

/* The last first: the kernel fills the gap in a group with its last member. */
void listen_set_close(listen_set_t *set, const listen_set_t *keep)
{
    for (listen_t *l = set->first; l; l = l->next)
        for (unsigned i = l->fd_count; i-- > 0;) {
            if (l->fds[i] < 0 || listen_kept(l, i, keep)) continue;
            close(l->fds[i]);
            l->fds[i] = -1;
        }
}

void listen_set_close_foreign(listen_set_t *set, const listen_set_t *own, unsigned slot)
{
    for (listen_t *l = set->first; l; l = l->next) {
        const listen_t *mine = listen_find(own, &l->addr);
        int fd = mine ? listen_fd(mine, slot) : -1;
        for (unsigned i = 0; i < l->fd_count; i++)
            if (l->fds[i] >= 0 && l->fds[i] != fd) {
                close(l->fds[i]);
                l->fds[i] = -1;
            }
    }
}
