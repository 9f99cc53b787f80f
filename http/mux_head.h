/*
 * mux_head: a request's head in HTTP/1's form, which is how all of them are written, as HTTP/2 has
 * it (RFC 9113 8.3). Pure; nothing suspends.
 *
 * Request line and Host become pseudo-fields, names lower case; what belongs to a connection of
 * HTTP/1 is left out (RFC 9113 8.2.2), TE but for "trailers".
 */
#ifndef HTTP_MUX_HEAD_H
#define HTTP_MUX_HEAD_H

#include <nghttp2/nghttp2.h>

#include "core/base/vec.h"

typedef VEC(nghttp2_nv) mux_head_t;

/*
 * `head` is one that we have written: lines end in CRLF, names are followed by ": ". Its names are
 * made lower case in place; the result points into it. The array lives in the pool. protocol: of an
 * extended CONNECT in place of the method and the Upgrade (RFC 8441 4, 5); empty: none.
 */
void mux_head_make(pool_t *pool, char *head, size_t n, bool https, str_t protocol,
                   mux_head_t *out);

/* Adds one whose name is in lower case already: slices. */
void mux_head_add(pool_t *pool, mux_head_t *out, str_t name, str_t value);

#endif
