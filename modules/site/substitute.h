/*
 * substitute: replaces texts in a stream of bytes, whatever pieces it comes in.
 *
 * Upper and lower case are the same; the leftmost match counts, of several at one place the first
 * pair's. What may be the beginning of a match is held back until it is known. Nothing here
 * suspends but `send`.
 */
#ifndef MODULES_SITE_SUBSTITUTE_H
#define MODULES_SITE_SUBSTITUTE_H

#include "core/base/buf.h"
#include "http/filter.h"

typedef struct substitute_pair {
    str_t match; /* n 0: matches nothing */
    str_t with;
    bool used;   /* once */
} substitute_pair_t;

typedef struct substitute {
    substitute_pair_t *pairs; /* the owner's */
    unsigned count;
    bool once;                /* each pair counts for one match */
    buf_t *work;              /* NULL before the first byte and after the end */
    size_t longest;           /* match */
    unsigned active;          /* pairs that may still match */
    bool begins[256];         /* whether a match may begin with the byte */
} substitute_t;

/* Takes all of the pieces before it returns. 0 or a negative errno. */
typedef int (*substitute_send_fn)(void *arg, const piece_t *pieces, unsigned n);

/* pairs, count and once are set; the rest is made ready. */
void substitute_begin(substitute_t *s);

/* The next bytes of the stream; its end. 0 or what `send` returned. */
int substitute_feed(substitute_t *s, str_t in, substitute_send_fn send, void *arg);
int substitute_end(substitute_t *s, substitute_send_fn send, void *arg);

/* Gives the memory back; may be called again. */
void substitute_free(substitute_t *s);

#endif
