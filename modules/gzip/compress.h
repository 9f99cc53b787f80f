/*
 * compress: the filter that packs a reply's body in a content coding.
 *
 * A body that is known to be small, or is there at once, is gathered and packed whole (whole.h).
 * Any other goes through a stream of the codec's (codec.h), which is held from the first byte to
 * the end, with a buffer: what it makes goes down when that is full, at the end, and where the
 * reply flushes, so that an answer reaches its client as it comes. May suspend: a slow client.
 */
#ifndef MODULES_GZIP_COMPRESS_H
#define MODULES_GZIP_COMPRESS_H

#include "http/request.h"
#include "modules/gzip/codec.h"

typedef struct compress_how {
    coding_t coding;   /* one that there is a packer for */
    unsigned level;
    unsigned window;   /* binary logarithm of its bytes */
    size_t whole_most; /* bytes of a body that may be gathered; 0: always a stream */
} compress_how_t;

/* In the head hook: the reply will be in this coding. */
void compress_start(request_t *r, const compress_how_t *how);

/* Bytes taken and made so far; false: the reply was not packed in this coding. */
bool compress_counts(const request_t *r, coding_t coding, uint64_t *taken, uint64_t *made);

#endif
