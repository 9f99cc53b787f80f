/*
 * hosts: the names of /etc/hosts, kept in memory.
 *
 * The file is read at hosts_open and again when it has changed, which is asked at most once a
 * second. A file that cannot be read leaves what was known. Lines that are not understood are
 * passed over. Nothing suspends; reading the local file is taken as quick.
 */
#ifndef CORE_IO_HOSTS_H
#define CORE_IO_HOSTS_H

#include "core/base/pool.h"
#include "core/io/net.h"

typedef struct hosts hosts_t;

typedef struct hosts_addr {
    struct hosts_addr *next;
    net_addr_t addr; /* port 0 */
} hosts_addr_t;

hosts_t *hosts_open(const char *path); /* path must outlive it */
void hosts_close(hosts_t *hosts);

/* The addresses of name (in lower case) in the file's order, or NULL. Valid until the next call. */
const hosts_addr_t *hosts_find(hosts_t *hosts, str_t name);

enum { HOSTS_CHECK_MS = 1000 }; /* how long an answer may be taken as true */

#endif
