/*
 * pieces: the bytes of a reply's body, wherever they stand, for a filter that must look at them.
 */
#ifndef HTTP_PIECES_H
#define HTTP_PIECES_H

#include "http/filter.h"

/* What is taken at once, and after how much of it others have their turn: packing is work, and much
   may be taken before anything is sent that could wait. */
enum { PIECES_PART_MOST = 64 * 1024, PIECES_TURN_MOST = 128 * 1024 };

/* Takes n bytes (1 to PIECES_PART_MOST), which are gone when it returns. 0 or a negative errno. */
typedef int (*pieces_take_fn)(filter_t *f, request_t *r, const char *p, size_t n);

/* Calls take with all bytes, in order, until it returns an error. What stands in a file is read by
   way of a buffer; -EIO: the file has become shorter. Suspends. */
int pieces_each(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, pieces_take_fn take);

#endif
