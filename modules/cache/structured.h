/*
 * structured: Dictionaries of Structured Field Values (RFC 8941, RFC 9651), member by member.
 *
 * What targeted cache fields are written in (RFC 9213 2.1). Parameters and the items of inner lists
 * are checked and passed over. Pure: slices into the field, no memory, nothing suspends.
 */
#ifndef MODULES_CACHE_STRUCTURED_H
#define MODULES_CACHE_STRUCTURED_H

#include "core/base/str.h"

typedef enum structured_type {
    STRUCTURED_BOOLEAN, /* number: 0 or 1 */
    STRUCTURED_INTEGER, /* number */
    STRUCTURED_DECIMAL,
    STRUCTURED_STRING, /* text: between the quotes, backslashes still in it */
    STRUCTURED_TOKEN,  /* text */
    STRUCTURED_BYTES,
    STRUCTURED_DATE, /* number: seconds since the epoch */
    STRUCTURED_DISPLAY,
    STRUCTURED_LIST,
} structured_type_t;

typedef struct structured_member {
    str_t key;
    structured_type_t type;
    int64_t number;
    str_t text;
} structured_member_t;

/*
 * Takes the next member from *rest, which is one whole field line at first. 1: *out is filled;
 * 0: the end; -1: the line is malformed, and with it the field. A key that comes again replaces
 * what it said before (RFC 8941 3.2); that is the caller's to do.
 */
int structured_member(str_t *rest, structured_member_t *out);

#endif
