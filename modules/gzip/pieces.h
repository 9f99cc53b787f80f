/*
 * pieces: the bytes of a reply's body, wherever they stand, for a filter that must look at them.
 */
#ifndef MODULES_GZIP_PIECES_H
#define MODULES_GZIP_PIECES_H

#include "http/filter.h"

enum { PIECES_PART_MOST = 1 << 30 }; /* fits zlib's counters */

/* Takes n bytes (1 to PIECES_PART_MOST), which are gone when it returns. 0 or a negative errno. */
typedef int (*pieces_take_fn)(filter_t *f, request_t *r, const char *p, size_t n);

/* Calls take with all bytes, in order, until it returns an error. What stands in a file is read by
   way of a buffer; -EIO: the file has become shorter. Suspends where take does. */
int pieces_each(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, pieces_take_fn take);

#endif
