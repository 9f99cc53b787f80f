/*
 * balance: which peer of a group serves a request: weighted round robin, passive failure marks.
 *
 * Every pick gives each live peer its weight and takes the sum of all from the one with most, so
 * that turns are spread evenly (weights 5 1 1: a a b a c a a). A peer that has failed max_fails
 * times within fail_timeout rests for as long; failures also shrink its weight, which then comes
 * back by one with each pick. Backups serve when no other can. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_BALANCE_H
#define MODULES_UPSTREAM_BALANCE_H

#include "modules/upstream/upstream.h"

/* One request's way through the peers of a group. */
typedef struct balance {
    upstream_t *group;
    pool_t *pool;
    VEC(upstream_peer_t *) tried;
} balance_t;

/*
 * The next peer, one not tried yet; NULL when none is live. It is the caller's until balance_done.
 * The group has been brought up to date (upstream_update).
 */
upstream_peer_t *balance_pick(balance_t *b);

typedef enum balance_result {
    BALANCE_SERVED,
    BALANCE_FAILED,    /* counts against the peer */
    BALANCE_ABANDONED, /* says nothing of the peer (the client left, or another is asked) */
} balance_result_t;

/* True when this failure was the one that makes the peer rest (to be logged). */
bool balance_done(const balance_t *b, upstream_peer_t *peer, balance_result_t result);

/* How many peers could be tried in all. */
unsigned balance_candidates(const balance_t *b);

#endif
