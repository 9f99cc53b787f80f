/*
 * range: range requests (RFC 9110 section 14): what of a representation is wanted, how it is sent.
 *
 * Whether Range counts at all is precondition.h's to say. A set is disjoint: ranges that overlap or
 * touch become one, so that no set makes an answer larger than the representation and its part
 * heads. Pure; nothing suspends.
 */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "core/base/vec.h"
#include "http/filter.h"

typedef struct range {
    uint64_t from, n; /* n bytes, at least one */
} range_t;

typedef struct range_set {
    VEC(range_t) ranges; /* in the order asked for */
    uint64_t length;     /* of the whole representation */
} range_set_t;

enum { RANGE_SPECS_MAX = 256, RANGE_BOUNDARY = 32 };

typedef enum range_result {
    RANGE_WHOLE,       /* no bytes, malformed, or more ranges than allowed: send all, with 200 */
    RANGE_PARTIAL,     /* 206 */
    RANGE_UNSATISFIED, /* 416 */
} range_result_t;

/* Parses the value of Range for a representation of that length; `max` ranges at most. */
range_result_t range_parse(pool_t *pool, str_t value, uint64_t length, unsigned max,
                           range_set_t *out);

/* The value of Content-Range: "bytes 0-499/1234"; in a 416 the length behind a star. */
str_t range_content_range(pool_t *pool, const range_t *range, uint64_t length);
str_t range_unsatisfied(pool_t *pool, uint64_t length);

/* A new boundary: RANGE_BOUNDARY bytes that no content can foresee. */
str_t range_boundary(pool_t *pool);

/* "multipart/byteranges; boundary=..." (RFC 9110 section 14.6). */
str_t range_multipart_type(pool_t *pool, str_t boundary);

/*
 * The pieces of a 206's body: the ranges of `whole`, and with several of them the heads of the
 * parts and the last boundary. content_type is that of the parts (p NULL: none). *n: how many
 * pieces; the sum of their sizes is returned in *size.
 */
piece_t *range_pieces(pool_t *pool, const range_set_t *set, const piece_t *whole, str_t boundary,
                      str_t content_type, unsigned *n, uint64_t *size);

#endif
