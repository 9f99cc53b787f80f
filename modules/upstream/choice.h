/*
 * choice: one request's way through the peers of a group: whom it may ask.
 *
 * A peer that has failed max_fails times within fail_timeout rests for as long; an outlier is out
 * for a while; one that has max_conns exchanges is passed over; and no request asks a peer twice.
 * Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_CHOICE_H
#define MODULES_UPSTREAM_CHOICE_H

#include "http/request.h"
#include "modules/upstream/upstream.h"

typedef struct choice {
    upstream_t *group;
    pool_t *pool;
    request_t *r;             /* whose key or address some methods go by */
    VEC(upstream_peer_t *) tried;
    str_t key;                /* of hash; p NULL: not known yet */
    uint32_t hash;            /* of hash and ip_hash, so far */
    unsigned rounds;          /* of hashing */
    str_t wanted;             /* the identity of its server (sticky.h); p NULL: any will do */
    bool sought;              /* that has been asked for */
    bool saturated;           /* the last pick passed over peers for their max_conns alone */
    bool take_outliers;       /* nobody else is left */
    uint64_t began_ms;        /* clock_ms of the last pick */
} choice_t;

/* Whether the peer may be asked now; notes whether it was max_conns alone that kept it. */
bool choice_fits(choice_t *c, const upstream_peer_t *peer, bool backup);

/* The same for a request that belongs to it: drained or backup do not matter then. */
bool choice_fits_own(choice_t *c, const upstream_peer_t *peer);

/* Whether it would have more than max_conns exchanges with so many more. */
bool choice_is_full(const upstream_t *g, const upstream_peer_t *peer, unsigned more);

/* It has failed too often, and its rest is not over. */
bool choice_rests(const upstream_t *g, const upstream_peer_t *peer);

/* max_fails times in a row. */
bool choice_has_failed(const upstream_peer_t *peer);

#endif
