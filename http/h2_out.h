/*
 * h2_out: what a connection of HTTP/2 writes next: frames of many streams in one vector.
 *
 * Heads of frames and small pieces are copied, large pieces are referred to: those stay their
 * owner's until the batch is written, or h2_out_keep has copied what is left of them. A batch is
 * bounded, and holds memory only while there is something in it. Nothing suspends.
 */
#ifndef HTTP_H2_OUT_H
#define HTTP_H2_OUT_H

#include "core/base/buf.h"
#include "core/io/stream.h"

enum { H2_OUT_SLICES = 64 };

typedef struct h2_out_batch h2_out_batch_t;

typedef struct h2_out {
    h2_out_batch_t *batch; /* NULL: nothing to write */
} h2_out_t;

static inline bool h2_out_empty(const h2_out_t *o)
{
    return !o->batch;
}

/* Whether a frame whose data lies in so many slices may still be added. */
bool h2_out_takes(const h2_out_t *o, unsigned slices);

/* Appends a copy, or makes room for n bytes that the caller fills in at once. */
void h2_out_copy(h2_out_t *o, str_t bytes);
char *h2_out_room(h2_out_t *o, size_t n);

/* Appends bytes that stay where they are. */
void h2_out_refer(h2_out_t *o, str_t bytes, void *owner);

/* Copies what is not written yet of the owner's: it may go. */
void h2_out_keep(h2_out_t *o, const void *owner);

/*
 * Writes. 1 when all is written (then done(owner) has been called for every slice that was referred
 * to), 0 when the socket takes no more now, or negative errno.
 */
int h2_out_write(h2_out_t *o, stream_t *s, void (*done)(void *owner));

/* Forgets everything: the connection is lost. */
void h2_out_drop(h2_out_t *o);

#endif
