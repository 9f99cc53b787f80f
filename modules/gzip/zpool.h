/*
 * zpool: zlib's states, kept for reuse.
 *
 * One for compression takes 256 KiB and more, and making it costs as much as a small reply. A
 * worker keeps those that were in use at the same time, up to a bound. Exactly one owner returns a
 * state. Nothing suspends.
 */
#ifndef MODULES_GZIP_ZPOOL_H
#define MODULES_GZIP_ZPOOL_H

#include <stdbool.h>
#include <zlib.h>

typedef struct zpool_state {
    z_stream z;
    struct zpool_state *next; /* of the free list */
    bool inflates;
} zpool_state_t;

/* Ready to write gzip (RFC 1952) at this level (1 to 9), or to read it. Never NULL. */
zpool_state_t *zpool_deflate(int level);
zpool_state_t *zpool_inflate(void);

/* NULL is allowed. */
void zpool_return(zpool_state_t *s);

/* Gives all states kept for reuse back to the system. */
void zpool_trim(void);

#endif
