/*
 * filter: what a reply's body passes on its way to the connection.
 *
 * A module's head hook may push a filter; the last pushed is the first to see the body. A filter's
 * body function hands what it makes to filter_pass. All bytes given are used up (sent or copied)
 * when the call returns, so nobody keeps pieces. Calls may suspend: a slow client slows the origin.
 */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include <sys/types.h>

#include "core/base/str.h"

typedef struct request request_t;
typedef struct filter filter_t;

/* A piece of a body: memory (fd < 0), or n bytes of a file from `at`. */
typedef struct piece {
    const char *p;
    size_t n;
    int fd;
    off_t at;
} piece_t;

#define PIECE_MEMORY(s) ((piece_t){.p = (s).p, .n = (s).n, .fd = -1})

enum {
    BODY_LAST = 1,  /* nothing follows */
    BODY_FLUSH = 2, /* the client shall have it now */
};

/* 0 or negative errno (the reply is then aborted by the caller's caller: pass it on). */
typedef int (*filter_body_fn)(filter_t *f, request_t *r, const piece_t *pieces, unsigned n,
                              unsigned flags);

struct filter {
    filter_t *next;
    filter_body_fn body;
    void *state;
    bool early;
};

/* Puts a filter in front of those pushed before. In the request's pool. */
void filter_push(request_t *r, filter_body_fn body, void *state);

/* The same in front of all, also of those that are pushed later (but by this call): for what must
   see a body before it is packed. */
void filter_push_early(request_t *r, filter_body_fn body, void *state);

/* Hands pieces to the next filter, at the end to the connection. */
int filter_pass(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags);

#endif
