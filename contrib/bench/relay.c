/*
 * relay: the floor for proxying. It moves bytes between a client and its own connection to the
 * origin and looks at none of them.
 *
 *     relay --to PORT [--port P]         both on 127.0.0.1; prints "port P"
 *
 * Edge-triggered epoll, one upstream connection per client connection for as long as that lives, one
 * read and one write per piece of up to 64 KiB. A piece that the other side does not take at once is
 * kept until it does, and nothing more is read meanwhile. No proxy that knows what a request is can
 * be cheaper, except by not copying; on a new connection per request a proxy that reuses its
 * connections to the origin can, since the relay makes two connections where that makes one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536
#define EVENTS 512

typedef struct end {
    int fd;
    bool eof;          /* the peer sent its last byte */
    bool finished;     /* and the other side was told */
    bool readable;     /* an edge was seen that has not been read out */
    bool ending;       /* it announced the end: read on until that comes */
    struct end *other; /* pairs are allocated as end[2] */
    struct end *next_dead;
    char *stash;       /* bytes for this end that it did not take yet */
    uint32_t off, len;
} end_t;

static int ep;
static struct sockaddr_in origin;
static end_t *dead_first;
static char piece[PIECE];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static end_t *pair_of(end_t *e)
{
    return e < e->other ? e : e->other;
}

static void pair_close(end_t *e)
{
    end_t *pair = pair_of(e);
    if (pair->fd < 0)
        return;
    for (int i = 0; i < 2; i++) {
        close(pair[i].fd);
        pair[i].fd = -1;
        free(pair[i].stash);
    }
    pair->next_dead = dead_first; /* freed after the batch of events that may still name it */
    dead_first = pair;
}

/* Writes to `to`. False: something is stashed now, or the pair is closed. */
static bool end_write(end_t *to, const char *p, size_t len)
{
    ssize_t n = send(to->fd, p, len, MSG_NOSIGNAL);
    if (n == (ssize_t)len)
        return true;
    if (n < 0 && errno != EAGAIN) {
        pair_close(to);
        return false;
    }
    n = n < 0 ? 0 : n;
    if (!to->stash && !(to->stash = malloc(PIECE)))
        die("malloc");
    to->len = (uint32_t)(len - (size_t)n);
    to->off = 0;
    memcpy(to->stash, p + n, to->len);
    return false;
}

/* False: the stash of `to` is not empty yet, or the pair is closed. */
static bool end_unstash(end_t *to)
{
    if (to->len == 0)
        return true;
    ssize_t n = send(to->fd, to->stash + to->off, to->len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        pair_close(to);
        return false;
    }
    n = n < 0 ? 0 : n;
    to->off += (uint32_t)n;
    to->len -= (uint32_t)n;
    return to->len == 0;
}

static void end_finish(end_t *from)
{
    if (from->finished)
        return;
    from->finished = true;
    if (from->other->finished)
        pair_close(from);
    else
        shutdown(from->other->fd, SHUT_WR);
}

/* Moves what `from` has to the other end until one of them has had enough. */
static void end_move(end_t *from)
{
    end_t *to = from->other;
    while (from->readable && end_unstash(to)) {
        ssize_t n = from->eof ? 0 : read(from->fd, piece, PIECE);
        if (n < 0 && errno != EAGAIN) {
            pair_close(from);
            return;
        }
        if (n == 0) {
            from->eof = true;
            from->readable = false;
            end_finish(from);
            return;
        }
        if (n < 0 || (n < PIECE && !from->ending))
            from->readable = false; /* a short read emptied the socket */
        if (n > 0 && !end_write(to, piece, (size_t)n))
            return;
    }
}

static void end_event(end_t *e, uint32_t events)
{
    if (e->fd < 0)
        return;
    if (events & EPOLLERR) {
        pair_close(e);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) {
        e->readable = true;
        e->ending |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
        end_move(e);
    }
    if (e->fd >= 0 && events & EPOLLOUT && e->len > 0 && end_unstash(e))
        end_move(e->other);
}

static void end_watch(end_t *e)
{
    int one = 1;
    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = e};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, e->fd, &ev) < 0)
        die("epoll_ctl");
}

static void pair_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    end_t *pair = calloc(2, sizeof(*pair));
    int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!pair || up < 0)
        die("accept");
    if (connect(up, (struct sockaddr *)&origin, sizeof(origin)) < 0 && errno != EINPROGRESS)
        die("connect");
    pair[0] = (end_t){.fd = fd, .other = &pair[1]};
    pair[1] = (end_t){.fd = up, .other = &pair[0]};
    end_watch(&pair[1]);
    end_watch(&pair[0]);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(a);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 16384) < 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&a, &len);
    printf("port %u\n", ntohs(a.sin_port));
    fflush(stdout);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

int main(int argc, char **argv)
{
    uint16_t port = 0, to = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = (uint16_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--to") == 0)
            to = (uint16_t)atoi(argv[i + 1]);
    }
    if (to == 0)
        return fprintf(stderr, "usage: relay --to PORT [--port P]\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    origin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(to)};
    origin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ep = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port);
    static struct epoll_event ev[EVENTS];
    for (;;) {
        int n = epoll_wait(ep, ev, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.ptr)
                end_event(ev[i].data.ptr, ev[i].events);
            else
                pair_accept(listener);
        }
        while (dead_first) {
            end_t *pair = dead_first;
            dead_first = pair->next_dead;
            free(pair);
        }
    }
}
