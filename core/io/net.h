/* net: socket addresses and plain socket calls. Nothing suspends. */
#ifndef CORE_IO_NET_H
#define CORE_IO_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/str.h"

typedef struct net_addr {
    socklen_t len; /* 0: no address */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
} net_addr_t;

enum { NET_TEXT_MAX = 128 }; /* room for net_format: the longest unix path with its prefix */

/*
 * Parses a literal: "1.2.3.4", "1.2.3.4:80", "[::1]", "[::1]:80", "::1", "unix:/path". Without a
 * port, default_port is taken. False when s is none of these (a host name, perhaps). Port 0 is
 * refused.
 */
bool net_parse(str_t s, uint16_t default_port, net_addr_t *out);

/*
 * "1.2.3.4:80", "[::1]:80", "unix:/path"; without port "1.2.3.4", "::1". A socket without a
 * name is "unix:", no address "". NUL-terminated; returns the length.
 */
size_t net_format(const net_addr_t *a, bool port, char out[NET_TEXT_MAX]);

uint16_t net_port(const net_addr_t *a); /* host order; 0 for unix */
void net_set_port(net_addr_t *a, uint16_t port);
bool net_eq(const net_addr_t *a, const net_addr_t *b);

/* The raw address bytes (4 or 16), as $binary_remote_addr; empty for unix. */
str_t net_bytes(const net_addr_t *a);

/* The same, but the four bytes of an IPv4 address that comes mapped into IPv6 (::ffff:1.2.3.4). */
str_t net_bytes_unmapped(const net_addr_t *a);

/* The address the socket is bound to. False on error. */
bool net_local(int fd, net_addr_t *out);

/* TCP_NODELAY; harmless on unix sockets. */
void net_nodelay(int fd);

/*
 * TCP_NOTSENT_LOWAT: the socket takes no more while so many bytes wait in it to be sent, so that
 * what is urgent is not queued behind megabytes of what is not. Harmless on unix sockets.
 */
void net_unsent_most(int fd, unsigned bytes);

#endif
