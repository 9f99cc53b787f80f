/*
 * balance: one request's way through the peers of a group, and what it leaves known of them.
 *
 * A peer that has failed max_fails times within fail_timeout rests for as long, then is tried by
 * one request; failures also shrink its weight, which comes back by one with each of its turns. A
 * peer much slower than the others may be out for a while (eject_outliers), a share of the group at
 * most. Backups serve when no other can. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_BALANCE_H
#define MODULES_UPSTREAM_BALANCE_H

#include "http/request.h"
#include "modules/upstream/upstream.h"

/* One request's way through the peers of a group. */
typedef struct balance {
    upstream_t *group;
    pool_t *pool;
    request_t *r;             /* whose key or address some methods go by */
    VEC(upstream_peer_t *) tried;
    str_t key;                /* of hash; p NULL: not known yet */
    uint32_t hash;            /* of hash and ip_hash, so far */
    unsigned rounds;          /* of hashing */
    bool saturated;           /* the last pick passed over peers for their max_conns alone */
    bool take_outliers;       /* nobody else is left */
    uint64_t began_ms;        /* clock_ms of the last pick */
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

/*
 * `attempt` tells how long it took and which status came (may be NULL). True when this failure was
 * the one that makes the peer rest (to be logged).
 */
bool balance_done(const balance_t *b, upstream_peer_t *peer, balance_result_t result,
                  const upstream_attempt_t *attempt);

/* How many peers could be tried in all. */
unsigned balance_candidates(const balance_t *b);

/* --- for the methods --- */

/* Whether the peer may be asked now; notes whether it was max_conns alone that kept it. */
bool balance_fits(balance_t *b, const upstream_peer_t *peer, bool backup);

#endif
