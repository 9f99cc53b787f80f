/*
 * h2_conf: the directives of HTTP/2 (`http2` itself is a row of http_module.c: TLS must know it).
 */
#ifndef HTTP_H2_CONF_H
#define HTTP_H2_CONF_H

#include <stddef.h>

typedef struct h2_conf {
    unsigned max_streams; /* at once on one connection */
    size_t recv_buffer;   /* bytes read at once */
    size_t chunk;         /* of a body in one DATA frame */
    size_t preread;       /* window of a stream: how much of a body is taken before it is wanted */
} h2_conf_t;

extern unsigned h2_index;

/* The struct of a set of structs (request.conf, site_server.conf). */
static inline const h2_conf_t *h2_conf(void *const *conf)
{
    return conf[h2_index];
}

#endif
