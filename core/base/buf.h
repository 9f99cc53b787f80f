/*
 * buf: a byte buffer with a readable and a writable part, taken from free lists of the process.
 *
 *     start ... pos ======== last ........ end
 *               readable     writable
 *
 * Capacities are rounded up to a power of two from 4 KiB; each size has its free list, so taking
 * and returning a buffer costs a few instructions. Exactly one owner returns it. Bytes are not
 * zeroed. A process that cannot get memory panics. Nothing suspends.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "core/base/panic.h"
#include "core/base/str.h"

typedef struct buf {
    char *start, *pos, *last, *end;
    struct buf *next; /* free for the owner's use: a queue of buffers */
    char *mapped;     /* where what was mapped for it begins; NULL: it is of the heap */
} buf_t;

/* An empty buffer with room for at least `capacity` bytes. */
buf_t *buf_take(size_t capacity);

/* Back to the free list. NULL is allowed. */
void buf_return(buf_t *b);

/* A larger buffer holding what is readable in b; b is returned. Slices into b become invalid. */
buf_t *buf_grow(buf_t *b, size_t capacity);

/* Gives all buffers kept for reuse back to the system (process exit, leak checks). */
void buf_trim(void);

static inline size_t buf_capacity(const buf_t *b)
{
    return (size_t)(b->end - b->start);
}

static inline size_t buf_used(const buf_t *b)
{
    return (size_t)(b->last - b->pos);
}

static inline size_t buf_room(const buf_t *b)
{
    return (size_t)(b->end - b->last);
}

static inline str_t buf_str(const buf_t *b)
{
    return str_make(b->pos, buf_used(b));
}

static inline void buf_clear(buf_t *b)
{
    b->pos = b->last = b->start;
}

/* Moves what is readable to the start, so that all of the rest is room. */
void buf_compact(buf_t *b);

/* Appends; the caller has made sure of the room (asserted). */
static inline void buf_put(buf_t *b, str_t s)
{
    ASSERT(s.n <= buf_room(b));
    if (s.n) memcpy(b->last, s.p, s.n);
    b->last += s.n;
}

static inline void buf_putc(buf_t *b, char c)
{
    *b->last++ = c;
}

#endif
