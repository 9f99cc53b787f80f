/*
 * ssl_ticket_keys: the keys that session tickets are sealed with.
 *
 * A ring in a zone, the same for all workers and over a reload: the key that seals, and the one
 * before it, which still opens. The first worker that seals after a key's time has passed makes the
 * next. A ticket is good for as long as its session is, which is never longer than a key seals. Or
 * keys from files, which machines can share. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_TICKET_KEYS_H
#define MODULES_SSL_SSL_TICKET_KEYS_H

#include <stdint.h>

#include "core/base/vec.h"
#include "core/shared/slab.h"

enum { SSL_TICKET_NAME = 16, SSL_TICKET_SECRET = 32 };

typedef struct ssl_ticket_key {
    unsigned char name[SSL_TICKET_NAME]; /* in the clear at the front of a ticket */
    unsigned char cipher[SSL_TICKET_SECRET], mac[SSL_TICKET_SECRET];
    uint8_t size; /* of either secret: 16 or 32 (AES-128, AES-256) */
} ssl_ticket_key_t;

/* --- those that are made --- */

typedef struct ssl_ticket_ring ssl_ticket_ring_t;

/* zone_t.init; arg: how many seconds a key seals (uint64_t). */
void *ssl_ticket_ring_init(slab_t *slab, void *arg);

/* When it was made (clock_ms): nothing was sealed with its keys before. */
uint64_t ssl_ticket_ring_made(const ssl_ticket_ring_t *ring);

/* The key to seal with. False: no random numbers. */
bool ssl_ticket_ring_seal(ssl_ticket_ring_t *ring, uint64_t now, ssl_ticket_key_t *out);

/* The key of this name; *old: it seals no more. */
bool ssl_ticket_ring_open(ssl_ticket_ring_t *ring, const unsigned char name[SSL_TICKET_NAME],
                          uint64_t now, ssl_ticket_key_t *out, bool *old);

/* --- those from files --- */

typedef VEC(ssl_ticket_key_t) ssl_ticket_keys_t; /* the first seals, all open */

/* A file of 48 or 80 random bytes, as nginx reads it. False: errno; EINVAL: it is of another
   size. */
bool ssl_ticket_key_read(const char *path, ssl_ticket_key_t *out);

#endif
