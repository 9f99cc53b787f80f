/*
 * proxy_protocol: the header by which a proxy in front tells whose connection it hands on
 * (HAProxy's "The PROXY protocol", versions 1 and 2). Pure; fuzzed; nothing suspends.
 *
 * Strict: what the specification does not allow is refused. The addresses of families other than
 * IPv4 and IPv6 are skipped, as are the TLVs of version 2, but their bounds are checked, and their
 * CRC32c where there is one.
 */
#ifndef HTTP_PROXY_PROTOCOL_H
#define HTTP_PROXY_PROTOCOL_H

#include "core/io/net.h"

enum {
    PROXY_PROTOCOL_MAX = 4096,    /* bytes of a header that is accepted */
    PROXY_PROTOCOL_PUT_MAX = 108, /* room for proxy_protocol_put */
};

/* What a header says; small, since a connection keeps it. */
typedef struct proxy_protocol {
    unsigned char client[16], server[16]; /* network order; of IPv4 the first four bytes */
    uint16_t client_port, server_port;    /* host order */
    uint8_t size;                         /* of an address: 4, 16, or 0: the header names none */
} proxy_protocol_t;

typedef enum proxy_protocol_result {
    PROXY_PROTOCOL_OK,
    PROXY_PROTOCOL_MORE, /* not complete, and so far not wrong */
    PROXY_PROTOCOL_BAD,
} proxy_protocol_result_t;

/*
 * Looks at p[0..n) from the start of the connection. OK: *used is the header's length. Never asks
 * for more than PROXY_PROTOCOL_MAX bytes.
 */
proxy_protocol_result_t proxy_protocol_parse(const char *p, size_t n, proxy_protocol_t *out,
                                             size_t *used);

/* The addresses it names; len 0: none. */
net_addr_t proxy_protocol_client(const proxy_protocol_t *h);
net_addr_t proxy_protocol_server(const proxy_protocol_t *h);

enum { PROXY_PROTOCOL_V1 = 1, PROXY_PROTOCOL_V2 = 2 };

/*
 * Writes a header for a connection from client to server and returns its length. Of two families
 * IPv4 is mapped into IPv6; a unix socket on either side is an unknown connection.
 */
size_t proxy_protocol_put(char out[PROXY_PROTOCOL_PUT_MAX], unsigned version,
                          const net_addr_t *client, const net_addr_t *server);

#endif
