/*
 * uri: request targets (RFC 9112 section 3.2, RFC 3986): split, decode, normalise, escape. Pure.
 *
 * Results are slices into the target or fresh text in the pool. Nothing suspends.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "core/base/pool.h"

/* A target taken apart; slices into it. args.p is NULL without "?". */
typedef struct uri {
    str_t scheme, authority; /* of the absolute form; else p == NULL */
    str_t path;              /* begins with "/" (or is "*" in the asterisk form) */
    str_t args;              /* behind the first "?" */
} uri_t;

/* False when target is in none of origin-form, absolute-form (http, https) or asterisk-form. */
bool uri_split(str_t target, uri_t *out);

/*
 * Decodes %HH, resolves "." and "..", and with merge_slashes makes runs of "/" one, as nginx does
 * for $uri. The result is path itself when nothing had to change (no copy). False for a malformed
 * escape, %00, or a ".." above the root.
 */
bool uri_normalise(pool_t *pool, str_t path, bool merge_slashes, str_t *out);

typedef enum uri_escape {
    URI_ESCAPE_PATH,      /* what may not stand raw in a path, "?" "#" "%" included */
    URI_ESCAPE_ARGS,      /* for the query part */
    URI_ESCAPE_COMPONENT, /* everything but unreserved */
} uri_escape_t;

/* s with what the set asks for as %HH (upper case); s itself when nothing had to change. */
str_t uri_escape(pool_t *pool, str_t s, uri_escape_t set);

/* Decodes %HH; malformed escapes stay as they are; s itself when there is none. */
str_t uri_unescape(pool_t *pool, str_t s);

/* The value of argument `name` in args ("a=1&b"), case-insensitive as nginx's $arg_; p NULL: none. */
str_t uri_arg(str_t args, str_t name);

/* Splits "host[:port]" or "[v6]:port"; port 0 when absent. False when malformed. */
bool uri_split_host(str_t s, str_t *host, uint16_t *port);

#endif
