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

/*
 * False when target is in none of origin-form, absolute-form (http, https; an authority that is not
 * empty) or asterisk-form. An absolute form without a path has the path "/". The authority is not
 * judged here (uri_split_host).
 */
bool uri_split(str_t target, uri_t *out);

/*
 * Decodes %HH, resolves "." and "..", and with merge_slashes makes runs of "/" one, as nginx does
 * for $uri: what was escaped counts as if it had stood raw ("%2F" parts segments, "%2e" is a dot).
 * The result is path itself when nothing had to change (no copy). False for a malformed escape,
 * %00 or NUL, a ".." above the root, or a path that does not begin with "/" (but "*" is returned
 * as it is).
 */
bool uri_normalise(pool_t *pool, str_t path, bool merge_slashes, str_t *out);

typedef enum uri_escape {
    URI_ESCAPE_PATH,      /* what may not stand raw in a path, "?" "#" "%" included */
    URI_ESCAPE_ARGS,      /* for one name or value of the query: also "&" "+" ";" */
    URI_ESCAPE_COMPONENT, /* everything but unreserved */
} uri_escape_t;

/* s with what the set asks for as %HH (upper case); s itself when nothing had to change. */
str_t uri_escape(pool_t *pool, str_t s, uri_escape_t set);

/* Decodes %HH; malformed escapes stay as they are; s itself when there is none. */
str_t uri_unescape(pool_t *pool, str_t s);

/*
 * The value of the first argument `name` in args ("a=1&b"), not decoded, names folded as in nginx's
 * $arg_; p NULL: none. An argument without "=" has no value and is passed over, as in nginx.
 */
str_t uri_arg(str_t args, str_t name);

/*
 * Splits and judges uri-host [ ":" port ] (RFC 3986 3.2.2): a name, an IPv4 address or an IPv6
 * address in brackets (*host keeps them). *port is 0 when absent or empty ("host:"). False when
 * host is empty or malformed, for userinfo, and for a port over 65535. Stricter than the RFC in
 * three: IPvFuture is refused, "," too, the trace of two Host fields joined on the way, and "..",
 * which no name has, and which leads up where a path is made of $host.
 */
bool uri_split_host(str_t s, str_t *host, uint16_t *port);

#endif
