/*
 * proxy_rows: what proxy_pass and grpc_pass have in common: rows under either prefix, and what
 * becomes of them when a block and the http block have been read.
 */
#ifndef MODULES_UPSTREAM_PROXY_ROWS_H
#define MODULES_UPSTREAM_PROXY_ROWS_H

#include "modules/upstream/proxy.h"

/* The directive that names the origin. `may_have_uri`: a URI may follow. False: said. */
bool proxy_rows_pass(conf_t *cf, proxy_conf_t *c, const tree_node_t *node,
                     const proxy_schemes_t *schemes, bool may_have_uri);

/* For the modules: an http block begins; a block's struct is complete; the http block ends. */
bool proxy_rows_begin(conf_t *cf, const module_t *module);
void proxy_rows_check(conf_t *cf, proxy_conf_t *c, const module_t *ssl);
bool proxy_rows_finish(conf_t *cf, const module_t *module);

/* --- the rows --- */

/* A word like "20%". False: said. */
bool proxy_rows_percent(conf_t *cf, const tree_node_t *node, unsigned word, unsigned least,
                        unsigned most, unsigned *out);

bool proxy_rows_set_header(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool proxy_rows_set_bind(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool proxy_rows_set_via(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool proxy_rows_set_budget(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

extern const conf_name_t proxy_rows_failures[], proxy_rows_ignorable[];

#define PROXY_ROWS_DAY (24ull * 3600 * 1000)
#define PROXY_ROWS_YEAR (365 * PROXY_ROWS_DAY)

#define PROXY_ROWS(PREFIX) \
    CONF_CUSTOM(PREFIX "_set_header", CONF_HTTP_ALL, CONF_MANY, 2, 2, proxy_rows_set_header, \
                CONF_FIELD(proxy_conf_t, set_headers, proxy_set_headers_t), NULL, \
                "a field of the request to the origin; empty: the client's is left out"), \
    CONF_STRS(PREFIX "_hide_header", CONF_HTTP_ALL, proxy_conf_t, hide, \
              "fields of responses that are not passed on"), \
    CONF_STRS(PREFIX "_pass_header", CONF_HTTP_ALL, proxy_conf_t, show, \
              "fields of responses that are passed on though usually hidden (Server, Date)"), \
    CONF_MASK(PREFIX "_ignore_headers", CONF_HTTP_ALL, proxy_conf_t, ignore_headers, NULL, \
              proxy_rows_ignorable, \
              "fields of responses that proxyd does not heed"), \
    CONF_CUSTOM(PREFIX "_bind", CONF_HTTP_ALL, 0, 1, 2, proxy_rows_set_bind, \
                CONF_FIELD(proxy_conf_t, bind, text_t), NULL, \
                "the local address of connections to origins"), \
    CONF_CUSTOM(PREFIX "_via", CONF_HTTP_ALL, 0, 1, 1, proxy_rows_set_via, \
                CONF_FIELD(proxy_conf_t, via, str_t), "on", \
                "whether requests say in Via that they came through here: on, off, or a name"), \
    CONF_MSEC(PREFIX "_connect_timeout", CONF_HTTP_ALL, proxy_conf_t, connect_timeout, "60s", \
              1, PROXY_ROWS_YEAR, \
              "the longest a connection to an origin may take"), \
    CONF_MSEC(PREFIX "_send_timeout", CONF_HTTP_ALL, proxy_conf_t, send_timeout, "60s", 1, \
              PROXY_ROWS_YEAR, \
              "the longest an origin may pause while it takes the request"), \
    CONF_MSEC(PREFIX "_read_timeout", CONF_HTTP_ALL, proxy_conf_t, read_timeout, "60s", 1, \
              PROXY_ROWS_YEAR, \
              "the longest an origin may pause while it answers"), \
    CONF_SIZE(PREFIX "_buffer_size", CONF_HTTP_ALL, proxy_conf_t, buffer_size, "16k", 1024, \
              1 << 24, \
              "the first buffer of a response; the only one without buffering"), \
    CONF_SIZE(PREFIX "_max_header_size", CONF_HTTP_ALL, proxy_conf_t, max_header_size, \
              "128k", 4096, 1 << 24, \
              "how large a response's head may be; its buffer grows as needed"), \
    CONF_MSEC(PREFIX "_http2_ping", CONF_HTTP_ALL, proxy_conf_t, http2_ping, "6m", 0, \
              PROXY_ROWS_DAY, \
              "how long an HTTP/2 origin may be silent until it is asked if it lives; 0: ever"), \
    CONF_FLAG(PREFIX "_intercept_errors", CONF_HTTP_ALL, proxy_conf_t, intercept_errors, "off", \
              "whether error_page applies to what origins answer"), \
    CONF_MASK(PREFIX "_next_upstream", CONF_HTTP_ALL, proxy_conf_t, next_upstream, \
              "error timeout", proxy_rows_failures, \
              "when another origin of the group is asked"), \
    CONF_NUMBER(PREFIX "_next_upstream_tries", CONF_HTTP_ALL, proxy_conf_t, next_tries, "0", \
                0, UINT_MAX, \
                "how many origins are asked at most; 0: all"), \
    CONF_MSEC(PREFIX "_next_upstream_timeout", CONF_HTTP_ALL, proxy_conf_t, next_timeout, \
              "0", 0, PROXY_ROWS_YEAR, \
              "how long another origin may still be asked; 0: always"), \
    CONF_CUSTOM(PREFIX "_retry_budget", CONF_HTTP_ALL, 0, 1, 2, proxy_rows_set_budget, \
                CONF_FIELD(proxy_conf_t, budget, budget_limit_t), "20%", \
                "how many attempts beyond the first there may be in a group: a share of its " \
                "requests, at least some a second: 20% [min=10], or off"), \
    CONF_FLAG(PREFIX "_socket_keepalive", CONF_HTTP_ALL, proxy_conf_t, socket_keepalive, "off", \
              "whether the kernel probes connections to origins that are silent (SO_KEEPALIVE)")

#endif
