/*
 * vary: the selecting fields of a response and the key of the variant a request asks for
 * (RFC 9111 4.1, RFC 9110 12.5.5).
 *
 * Requests that differ only in what means the same have one key: white space and empty elements of
 * lists, a list over several lines; in Accept-Encoding, Accept-Language and Accept-Charset case,
 * order, and a weight of 1. Pure.
 */
#ifndef MODULES_CACHE_VARY_H
#define MODULES_CACHE_VARY_H

#include "core/base/vec.h"
#include "http/header.h"

enum { VARY_FIELDS_MAX = 64 };

typedef struct vary {
    bool any;          /* "*": no other request is answered with this */
    VEC(str_t) fields; /* in lower case, in order, each once */
} vary_t;

/* From all lines of Vary. More than VARY_FIELDS_MAX names count as "*". */
void vary_parse(pool_t *pool, const header_list_t *response, vary_t *out);

/* The fields as a text of their own, "accept-encoding,cookie"; empty when there are none. Under it
   the list is stored; equal texts are equal lists. */
str_t vary_text(pool_t *pool, const vary_t *vary);

/*
 * What stands for the request's selecting fields: two requests select one variant if and only if
 * their keys are equal. Empty when nothing varies. A field that is absent is told from an empty
 * one. In the pool. Not for a list with `any`.
 */
str_t vary_key(pool_t *pool, const vary_t *vary, const header_list_t *request);

#endif
