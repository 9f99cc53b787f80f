#include "http/h2_out.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCH_MOST = 128 * 1024, BUFFER = 16 * 1024 };

struct h2_out_batch {
    struct iovec slices[H2_OUT_SLICES];
    void *owners[H2_OUT_SLICES]; /* NULL: bytes of ours */
    unsigned first, n;
    size_t size;
    buf_t *bytes;                /* the one being filled; buf.next: those before */
};

/* Also the memory of the last batch: most connections write theirs at once. */
static h2_out_batch_t *spare;

static h2_out_batch_t *batch_of(h2_out_t *o)
{
    if (o->batch) return o->batch;
    h2_out_batch_t *b = spare ? spare : malloc(sizeof(*b));
    if (!b) panic("out of memory: output of HTTP/2");
    spare = NULL;
    b->first = b->n = 0;
    b->size = 0;
    b->bytes = NULL;
    return o->batch = b;
}

void h2_out_drop(h2_out_t *o)
{
    h2_out_batch_t *b = o->batch;
    if (!b) return;
    while (b->bytes) {
        buf_t *next = b->bytes->next;
        buf_return(b->bytes);
        b->bytes = next;
    }
    o->batch = NULL;
    if (spare) free(b);
    else spare = b;
}

/* --- adding --- */

/* Each slice that is referred to may need one of ours before and behind it. */
bool h2_out_takes(const h2_out_t *o, unsigned slices)
{
    return !o->batch ||
           (o->batch->size < BATCH_MOST && o->batch->n + 2 * slices + 2 <= H2_OUT_SLICES);
}

static void add(h2_out_batch_t *b, const char *p, size_t n, void *owner)
{
    ASSERT(b->n < H2_OUT_SLICES);
    b->slices[b->n] = (struct iovec){(void *)(uintptr_t)p, n};
    b->owners[b->n++] = owner;
}

static void make_room(h2_out_batch_t *b, size_t n)
{
    if (b->bytes && buf_room(b->bytes) >= n) return;
    buf_t *more = buf_take(n > BUFFER ? n : BUFFER);
    more->next = b->bytes;
    b->bytes = more;
}

char *h2_out_room(h2_out_t *o, size_t n)
{
    h2_out_batch_t *b = batch_of(o);
    make_room(b, n);
    char *at = b->bytes->last;
    struct iovec *last = b->n > b->first ? &b->slices[b->n - 1] : NULL;
    if (last && !b->owners[b->n - 1] && (char *)last->iov_base + last->iov_len == at)
        last->iov_len += n;
    else
        add(b, at, n, NULL);
    b->bytes->last += n;
    b->size += n;
    return at;
}

void h2_out_copy(h2_out_t *o, str_t bytes)
{
    memcpy(h2_out_room(o, bytes.n), bytes.p, bytes.n);
}

void h2_out_refer(h2_out_t *o, str_t bytes, void *owner)
{
    h2_out_batch_t *b = batch_of(o);
    add(b, bytes.p, bytes.n, owner);
    b->size += bytes.n;
}

void h2_out_keep(h2_out_t *o, const void *owner)
{
    h2_out_batch_t *b = o->batch;
    for (unsigned i = b ? b->first : 0; b && i < b->n; i++) {
        if (b->owners[i] != owner) continue;
        struct iovec *slice = &b->slices[i];
        make_room(b, slice->iov_len);
        buf_put(b->bytes, str_make(slice->iov_base, slice->iov_len));
        slice->iov_base = b->bytes->last - slice->iov_len;
        b->owners[i] = NULL;
    }
}

/* --- writing --- */

static void advance(h2_out_batch_t *b, size_t n, void (*done)(void *owner))
{
    while (b->first < b->n && n >= b->slices[b->first].iov_len) {
        void *owner = b->owners[b->first];
        n -= b->slices[b->first++].iov_len;
        if (owner) done(owner);
    }
    if (b->first == b->n) return;
    b->slices[b->first].iov_base = (char *)b->slices[b->first].iov_base + n;
    b->slices[b->first].iov_len -= n;
}

int h2_out_write(h2_out_t *o, stream_t *s, void (*done)(void *owner))
{
    h2_out_batch_t *b = o->batch;
    while (b && b->first < b->n) {
        ssize_t put = stream_try_writev(s, b->slices + b->first, (int)(b->n - b->first));
        if (put == -EAGAIN) return 0;
        if (put < 0) return (int)put;
        advance(b, (size_t)put, done);
    }
    h2_out_drop(o);
    return 1;
}
