/*
 * compress: the filter that makes gzip of a reply's body.
 *
 * zlib's state and a buffer are held from the first byte of the body to its end (zpool.h). What it
 * makes goes down when the buffer is full, at the end, and where the reply flushes, so that an
 * answer reaches its client as it comes. May suspend: a slow client.
 */
#ifndef MODULES_GZIP_COMPRESS_H
#define MODULES_GZIP_COMPRESS_H

#include "http/request.h"

/* In the head hook: the reply will be gzip, made at this level. */
void compress_start(request_t *r, unsigned level);

/* Bytes taken and made so far; false: the reply was not compressed. */
bool compress_counts(const request_t *r, uint64_t *taken, uint64_t *made);

#endif
