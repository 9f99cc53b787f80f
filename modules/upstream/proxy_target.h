/*
 * proxy_target: the value of proxy_pass: whom to ask, and for which URI.
 *
 *     http[s]://host:port[/uri]  http://upstream[/uri]  http://unix:/path[:/uri]
 *     any with $variables
 *     [grpc[s]://]host:port      and so on, without a URI: of grpc_pass
 */
#ifndef MODULES_UPSTREAM_PROXY_TARGET_H
#define MODULES_UPSTREAM_PROXY_TARGET_H

#include "http/text.h"
#include "modules/upstream/upstream.h"

/* A URL taken apart: slices. */
typedef struct proxy_target {
    upstream_t *group;
    str_t host;    /* $proxy_host: as written, without ":80" */
    str_t port;    /* $proxy_port */
    str_t uri;     /* p NULL: none */
    bool evaluated; /* the URI came out of variables: sent as it is */
    bool tls;       /* https */
} proxy_target_t;

/* How a directive's URLs begin. */
typedef struct proxy_schemes {
    str_t plain, secure;
    const char *directive;
    bool optional;             /* without any it is `plain` */
    const char *hint;
} proxy_schemes_t;

typedef struct proxy_pass {
    const proxy_schemes_t *schemes;
    text_t text;
    proxy_target_t target;     /* when the text is constant; its group is set when all are known */
    str_t slashed;             /* the constant text with "/" behind it */
    upstream_groups_t *groups;
    const tree_node_t *node;
    const struct proxy_ssl_conf *ssl; /* what holds where the pass stands */
} proxy_pass_t;

/* Parses the directive's word. False: said. */
bool proxy_target_parse(conf_t *cf, const tree_node_t *node, const proxy_schemes_t *schemes,
                        proxy_pass_t *out);

/* When the http block has been read whole: finds or makes the group of a constant target. False:
   said. */
bool proxy_target_bind(conf_t *cf, proxy_pass_t *pass);

/* The target of this request. False: the evaluated URL is wrong (logged). */
bool proxy_target_find(const proxy_pass_t *pass, request_t *r, proxy_target_t *out);

/* The request target for the origin, in the request's pool (RFC 9112 3.2). */
str_t proxy_target_uri(const proxy_target_t *t, request_t *r);

#endif
