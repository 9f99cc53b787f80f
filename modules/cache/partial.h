/*
 * partial: parts of a representation (RFC 9110 15.3.7): what of it a 206 holds, and whether two of
 * them may be joined (RFC 9110 15.3.7.3, RFC 9111 3.4). Pure.
 */
#ifndef MODULES_CACHE_PARTIAL_H
#define MODULES_CACHE_PARTIAL_H

#include <time.h>

#include "http/header.h"
#include "http/range.h"

typedef struct partial {
    range_t range;
    uint64_t length; /* of the whole */
} partial_t;

/* "bytes 0-499/1234". False: it is none, is empty, or does not tell the length of the whole. */
bool partial_parse(str_t content_range, partial_t *out);

/*
 * Whether a 206 holds what was asked for: it begins where `wanted` does and ends there, or at the
 * end of the whole, and its body (-1: not known) is as long as it says.
 */
bool partial_fits(const header_list_t *headers, const range_t *wanted, int64_t body,
                  partial_t *out);

/*
 * Whether a stored 206 with so many bytes of body (-1: not known yet) has all of the one range that
 * `range` asks for (RFC 9111 3.3). What it encloses begins where it says, and ends where its body
 * does; a body longer than it says is no part of anything.
 */
bool partial_holds(pool_t *pool, const header_list_t *headers, int64_t body, str_t range,
                   partial_t *out);

/*
 * What all parts must have alike to be joined, and If-Range may name: a strong ETag, else a
 * Last-Modified that is a second older than `date` at least (RFC 9110 8.8.2.2). p NULL: there is
 * neither.
 */
str_t partial_validator(const header_list_t *headers, time_t date);

#endif
