/*
 * proxy_cookie: proxy_cookie_flags: Secure, HttpOnly and SameSite of the cookies that origins set.
 *
 * Results live in the request's pool. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PROXY_COOKIE_H
#define MODULES_UPSTREAM_PROXY_COOKIE_H

#include "http/pattern.h"
#include "http/text.h"

typedef struct proxy_cookie_rule {
    pattern_t pattern;  /* "~": regex not NULL */
    text_t name;
    text_list_t flags;
} proxy_cookie_rule_t;

typedef VEC(proxy_cookie_rule_t) proxy_cookie_rules_t;

/* The row's set function; the field is a proxy_cookie_rules_t. `off` empties it. */
bool proxy_cookie_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* A Set-Cookie value with its flags as the first rule for its name says, or as it is. */
str_t proxy_cookie_flags(const proxy_cookie_rules_t *rules, request_t *r, str_t value);

#endif
