/*
 * http: the values of the directives that belong to no module (http_module.c has their rows).
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "http/hooks.h"
#include "http/site.h"
#include "http/text.h"

typedef struct http_error_page {
    int status;       /* for which */
    int answer;       /* `=code`: 0 keeps, -1 (`=`) takes the page's own status */
    text_t target;    /* "/uri", "@named", or a URL to redirect to */
} http_error_page_t;

typedef VEC(http_error_page_t) http_error_pages_t;

enum { HTTP_SATISFY_ALL, HTTP_SATISFY_ANY };
enum { HTTP_LINGER_OFF, HTTP_LINGER_ON, HTTP_LINGER_ALWAYS };

typedef VEC(void **) http_scopes_t;    /* structs by module index, as site_server.conf */
typedef VEC(listen_t *) http_addresses_t; /* the data of each: a site_address_t */
typedef struct http_block http_block_t; /* http_block.h: while the configuration is read */

/* Directives of http, server and location that belong to no module. */
typedef struct http_conf {
    log_t log;                        /* error_log; targets NULL: the main block's */
    msec_t client_header_timeout, client_body_timeout, send_timeout;
    msec_t keepalive_timeout, keepalive_header; /* second argument: Keep-Alive: timeout= */
    unsigned keepalive_requests;
    msec_t keepalive_time;
    msec_t lingering_time, lingering_timeout;
    unsigned lingering_close;         /* off, on, always */
    bool reset_timedout_connection;
    size_t client_header_buffer_size;
    unsigned large_buffers_count;
    size_t large_buffer_size;
    size_t client_max_body_size;      /* 0: no limit */
    size_t client_body_buffer_size;
    str_t client_body_temp_path;
    bool ignore_invalid_headers, underscores_in_headers, merge_slashes;
    bool server_tokens, chunked_transfer_encoding, tcp_nodelay, tcp_nopush;
    bool http2;                       /* offered in handshakes; begun with by clients without TLS */
    bool internal;                    /* location */
    bool server_name_in_redirect, port_in_redirect, absolute_redirect;
    bool recursive_error_pages;
    bool log_not_found;
    unsigned satisfy;
    http_error_pages_t error_pages;
    struct http_resolver *resolver;   /* of `resolver`; NULL: none */
    msec_t resolver_timeout;
    bool auto_redirect;               /* /x is redirected to the location /x/ (set by proxy_pass) */
    var_set_t *vars;                  /* the http block's variables, the same in every scope */
    http_block_t *block;              /* while reading only */
} http_conf_t;

extern unsigned http_index;

/* The http struct of a set of structs (request.conf, site_server.conf). */
static inline const http_conf_t *http_conf(void *const *conf)
{
    return conf[http_index];
}

/* The error_page for a status, or NULL; of several the first given counts, as in nginx. */
const http_error_page_t *http_error_page(const http_conf_t *c, int status);

/* The http struct of the block being read. */
const http_conf_t *http_conf_read(const conf_t *cf);

/* The structs of every server and location of the http block, when it has been read. */
const http_scopes_t *http_scopes_read(const conf_t *cf);

/* Every address that its servers listen on. */
const http_addresses_t *http_addresses_read(const conf_t *cf);

/* The location block being read, for directives that depend on its name; NULL outside any. */
const site_location_t *http_location_read(const conf_t *cf);

#endif
