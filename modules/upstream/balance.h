/*
 * balance: which peer a request asks, and what comes to be known of peers by that.
 *
 * After its rest a peer that failed is tried by one request; failures also shrink its weight, which
 * comes back by one with each of its turns. Backups serve when no other can, outliers when no
 * backup can either. A request that belongs to a server (sticky.h) is sent there while that may be
 * asked. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_BALANCE_H
#define MODULES_UPSTREAM_BALANCE_H

#include "modules/upstream/choice.h"

/*
 * The next peer, one not tried yet; NULL when none is live. It is the caller's until balance_done.
 * The group has been brought up to date (discover).
 */
upstream_peer_t *balance_pick(choice_t *c);

typedef enum balance_result {
    BALANCE_SERVED,
    BALANCE_FAILED,    /* counts against the peer */
    BALANCE_ABANDONED, /* says nothing of the peer (the client left, or another is asked) */
} balance_result_t;

/*
 * `attempt` tells how long it took and which status came (may be NULL). True when this failure was
 * the one that makes the peer rest (to be logged).
 */
bool balance_done(const choice_t *c, upstream_peer_t *peer, balance_result_t result,
                  const upstream_attempt_t *attempt);

/* Whether a pick would find another peer, at once or after standing in line for it. */
bool balance_has_more(choice_t *c);

#endif
