/*
 * proxy_redirect: rewrites what a response says of the origin's own address: Location and Refresh
 * (proxy_redirect), domain and path of cookies (proxy_cookie_domain, proxy_cookie_path).
 *
 * Results live in the request's pool. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PROXY_REDIRECT_H
#define MODULES_UPSTREAM_PROXY_REDIRECT_H

#include "http/pattern.h"
#include "http/text.h"

typedef struct proxy_rewrite {
    pattern_t pattern;  /* "~": regex not NULL */
    text_t from, to;
} proxy_rewrite_t;

typedef struct proxy_rewrites {
    VEC(proxy_rewrite_t) list;
    bool given;     /* the directive stands somewhere: what is usual does not hold */
    bool automatic; /* `default` was given; comes behind the rules */
} proxy_rewrites_t;

/* Rows' set functions; the field is a proxy_rewrites_t. `off` empties it. */
bool proxy_redirect_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool proxy_redirect_set_cookie(conf_t *cf, const conf_row_t *row, void *conf,
                               const tree_node_t *node);

/* `default`: the URL of proxy_pass becomes the location's name. */
typedef struct proxy_redirect_default {
    str_t from, to; /* from p NULL: none */
} proxy_redirect_default_t;

/* A Location value rewritten by the first rule that fits, or as it is. */
str_t proxy_redirect_location(const proxy_rewrites_t *rules, const proxy_redirect_default_t *usual,
                              request_t *r, str_t value);

/* "5; url=http://...": the same for the URL inside. */
str_t proxy_redirect_refresh(const proxy_rewrites_t *rules, const proxy_redirect_default_t *usual,
                             request_t *r, str_t value);

/* A Set-Cookie value with its domain and path attributes rewritten. */
str_t proxy_redirect_cookie(const proxy_rewrites_t *domains, const proxy_rewrites_t *paths,
                            request_t *r, str_t value);

#endif
