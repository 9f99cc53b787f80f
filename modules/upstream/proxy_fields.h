/*
 * proxy_fields: proxy_set_header and its defaults, compiled into what is written for each request.
 *
 * Constant fields become one block of bytes; the others are a name and a text each. What frames the
 * request (Content-Length, Transfer-Encoding) is always ours: such directives only keep the
 * client's field away, which happens anyway. Host, Connection and Upgrade are kept apart since
 * their values depend on each other and on where the request goes.
 */
#ifndef MODULES_UPSTREAM_PROXY_FIELDS_H
#define MODULES_UPSTREAM_PROXY_FIELDS_H

#include "http/text.h"
#include "modules/upstream/proxy_names.h"

typedef struct proxy_set_header {
    str_t name;
    header_id_t id;
    text_t value;
} proxy_set_header_t;

typedef VEC(proxy_set_header_t) proxy_set_headers_t;

/* literal; then, unless value is NULL, its text and CRLF (nothing of both when it is empty). */
typedef struct proxy_part {
    str_t literal;
    const text_t *value;
} proxy_part_t;

typedef struct proxy_fields {
    VEC(proxy_part_t) parts;
    size_t size;                /* bytes of all literals */
    const text_t *host;         /* NULL: the default, $proxy_host */
    const text_t *connection, *upgrade; /* NULL: not given */
    bool via_given;             /* proxy_set_header Via: nothing is appended */
    proxy_names_t dropped;      /* client fields that do not go on */
} proxy_fields_t;

/* Compiles; pass_headers false: no client field goes on. */
void proxy_fields_compile(pool_t *pool, const proxy_set_headers_t *given, proxy_fields_t *out);

/* The fields of responses that stay here: nginx's, less `show`, plus `hide`. */
void proxy_fields_hidden(pool_t *pool, const conf_strs_t *hide, const conf_strs_t *show,
                         proxy_names_t *out);

/* Whether a field may go on behind a body: never what frames, routes or decodes (RFC 9110
   6.5.1). */
bool proxy_fields_may_trail(const header_t *h);

#endif
