/*
 * listen: listening sockets: one per worker and address (SO_REUSEPORT), made by the master.
 *
 * A configuration declares addresses while it is read (listen_want); the master binds what is new when
 * the generation is prepared and takes over what the generation before had, so that no queued
 * connection is lost over a reload. When the number of workers shrinks, the superfluous sockets are
 * first taken out of the kernel's selection, drained by the old workers, then closed. Unix sockets are
 * one descriptor shared by all workers. Nothing suspends.
 */
#ifndef CORE_PROCESS_LISTEN_H
#define CORE_PROCESS_LISTEN_H

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
} listen_options_t;

typedef struct listen {
    struct listen *next;
    net_addr_t addr;
    listen_options_t options;
    /* Set by who asked. Called in a worker, outside any fiber, for each accepted connection;
       takes over fd (non-blocking, close-on-exec). */
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

#endif
