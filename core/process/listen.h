/*
 * listen: listening sockets: one per worker and address (SO_REUSEPORT), made by the master.
 *
 * A configuration declares addresses while it is read (listen_want); the master binds what is new
 * when the generation is prepared and takes over what the generation before had, so that no queued
 * connection is lost over a reload. When the number of workers shrinks, the superfluous sockets
 * are first taken out of the kernel's selection, drained by the old workers, then closed. Unix
 * sockets are one descriptor shared by all workers. Nothing suspends.
 */
#ifndef CORE_PROCESS_LISTEN_H
#define CORE_PROCESS_LISTEN_H

#include "core/base/log.h"
#include "core/base/pool.h"
#include "core/io/loop.h"
#include "core/io/net.h"

typedef struct listen_options {
    int backlog;             /* 0: the system's somaxconn bound, 511 as nginx */
    int rcvbuf, sndbuf;      /* bytes; 0: the system's */
    int fastopen;            /* queue length; 0: off */
    bool ipv6only;           /* default true */
    bool deferred;           /* TCP_DEFER_ACCEPT */
    bool set;                /* some option was given: only one listen per address may */
    int keepalive;           /* SO_KEEPALIVE: -1 the system's, 0 off, 1 on */
    int keepidle, keepintvl, keepcnt; /* seconds, seconds, probes; 0: the system's */
    unsigned mode;           /* of a unix socket's file; 0: 0666 */
    bool own;                /* of the server's own, for its operator: not counted as accepted */
} listen_options_t;

typedef struct listen {
    struct listen *next;
    net_addr_t addr;
    listen_options_t options;
    /* Set by who asked. Called in a worker, outside any fiber, for each accepted connection;
       takes over fd (non-blocking, close-on-exec), for which worker_hold has been called: who
       closes it calls worker_release. */
    void (*serve)(struct listen *l, int fd, const net_addr_t *peer);
    void *data;
    int *fds;        /* one per worker; unix: one */
    unsigned fd_count;
} listen_t;

typedef struct listen_set {
    pool_t *pool;
    listen_t *first;
} listen_set_t;

/* The listen_t for addr in the set, made when there is none yet (then with default options). */
listen_t *listen_want(listen_set_t *set, const net_addr_t *addr);

/* The one for addr, or NULL. */
listen_t *listen_find(const listen_set_t *set, const net_addr_t *addr);

/* The descriptor that the worker in slot accepts on. */
int listen_fd(const listen_t *l, unsigned slot);

/*
 * Binds everything for `workers` workers, taking over what `before` (may be NULL) has. What goes
 * wrong is said in the log, all of it; then false, and the caller abandons the set. New sockets
 * that share their address with ones taken over get no connections before listen_set_commit.
 */
bool listen_set_bind(listen_set_t *set, const listen_set_t *before, unsigned workers,
                     const log_t *log);

/* Closes what listen_set_bind has made, also when it failed; `before` goes on as it was. */
void listen_set_abandon(listen_set_t *set, const listen_set_t *before);

/*
 * The generation with `set` serves from now on instead of the one with `before` (may be NULL): new
 * connections go to the sockets of `set` alone, what `before` alone has is retired.
 */
void listen_set_commit(const listen_set_t *set, const listen_set_t *before);

/*
 * Addresses of `set` that `next` (NULL: none) has not get no new connections from here on; what is
 * queued or in its handshake can still be accepted. Paths of unix sockets are removed.
 */
void listen_set_retire(const listen_set_t *set, const listen_set_t *next);

/* Whether fd number `at` of l is one that `set` (NULL: none) has, too. */
bool listen_kept(const listen_t *l, unsigned at, const listen_set_t *set);

/* Closes every socket of `set` that is not in `keep` (NULL: none). */
void listen_set_close(listen_set_t *set, const listen_set_t *keep);

/* In the worker in slot: closes those of `set` that it does not accept on itself by `own`. */
void listen_set_close_foreign(listen_set_t *set, const listen_set_t *own, unsigned slot);

#endif
