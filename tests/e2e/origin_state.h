/* What the two halves of origin share: the server's threads, and one connection's conversation. */
#ifndef TESTS_E2E_ORIGIN_STATE_H
#define TESTS_E2E_ORIGIN_STATE_H

#include <pthread.h>

#include "tests/e2e/origin.h"

enum { ORIGIN_HEAD_MAX = 256 * 1024 };

typedef struct origin_record {
    char *head, *body, *trailers;
    size_t n;
} origin_record_t;

struct visit {
    origin_t *origin;
    visit_t *next;
    int fd;
    unsigned number;
    bool end;
    char *in; /* received, not yet taken; ORIGIN_HEAD_MAX of room */
    size_t n;
    origin_record_t now; /* the request being read, then the last one */
    bool recorded;       /* `now` belongs to the records */
};

struct origin {
    const char *name;
    origin_fn *serve;
    const void *arg;
    int listener;
    int reserved; /* bound to the same port, until the end; -1: none */
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, stopped, gate_open;
    unsigned connections, live, left;
    visit_t *visits;
    origin_record_t *records;
    unsigned count;
    char wrong[256]; /* what was wrong with the first malformed request */
};

static inline void origin_lock(origin_t *o)
{
    pthread_mutex_lock(&o->lock);
}

/* Wakes everybody who waits for something to change. */
static inline void origin_unlock(origin_t *o)
{
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/* The value of the n-th field of that name, or a str without bytes at NULL. */
str_t origin_find_field(const char *head, const char *name, unsigned nth);

/* Frees the last request unless the records have it. */
void origin_forget(visit_t *v);

#endif
