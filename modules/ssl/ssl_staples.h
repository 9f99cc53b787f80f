/*
 * ssl_staples: what responders said of certificates, in a zone for all workers and over reloads.
 *
 * A place belongs to a certificate, by its SHA-256. Who writes holds the lock; a reader looks at
 * the place's version, and takes the lock only when that has changed. What a killed writer leaves
 * is found marked and forgotten; at most a block is lost. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_STAPLES_H
#define MODULES_SSL_SSL_STAPLES_H

#include <stdint.h>
#include <time.h>

#include "core/base/str.h"
#include "core/shared/slab.h"

typedef struct ssl_staples ssl_staples_t;

enum { SSL_STAPLES_DIGEST = 32, SSL_STAPLES_NONE = -1 };

typedef struct ssl_staple_times {
    time_t until;  /* not to be shown from then on; 0: there is nothing to show */
    time_t ask_at; /* the responder is to be asked again */
} ssl_staple_times_t;

/* Bytes of a zone for that many certificates, and some that come and go. */
size_t ssl_staples_size(unsigned certificates);

/* zone_t.init; arg is the zone's size (size_t). */
void *ssl_staples_init(slab_t *slab, void *arg);

/* The certificate's place: its own, or a new one. It is kept as long as somebody asks for it once
   an hour. SSL_STAPLES_NONE: all are taken. */
int ssl_staples_place(ssl_staples_t *t, const unsigned char digest[SSL_STAPLES_DIGEST], time_t now);

/* Changes whenever what stands in the place does. */
uint64_t ssl_staples_version(const ssl_staples_t *t, int place);

ssl_staple_times_t ssl_staples_times(ssl_staples_t *t, int place);

/* Keeps a copy. False: there is no room for it, and what was there has gone. */
bool ssl_staples_put(ssl_staples_t *t, int place, str_t answer, ssl_staple_times_t times);

/* Asks again then; what is there stays. */
void ssl_staples_postpone(ssl_staples_t *t, int place, time_t ask_at);

/* Copies it out: its length, 0 when there is none, it is longer than `most`, or the place is no
   longer this certificate's. */
size_t ssl_staples_get(ssl_staples_t *t, int place, const unsigned char digest[SSL_STAPLES_DIGEST],
                       char *out, size_t most, time_t *until);

#endif
