/*
 * method: the balancing methods: which of the peers that may be asked is asked.
 *
 *     round robin           turns by weight (schedule.h), counted for all workers together
 *     least_conn            fewest exchanges in flight for its weight; among equals, by turns
 *     random [two]          by weight; of two the better one
 *     least_time            of two by chance the one with the smaller product of peak-sensitive
 *                           average latency and exchanges in flight
 *     hash, ip_hash         where a key leads (keyed.h)
 *
 * What a method cannot place goes by turns. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_METHOD_H
#define MODULES_UPSTREAM_METHOD_H

#include "modules/upstream/choice.h"

/* One of the servers, or of the backups; NULL when none fits. */
upstream_peer_t *method_pick(choice_t *c, bool backup);

/* Whether the method looks at how many exchanges are in flight. */
bool method_counts(const upstream_policy_t *policy);

#endif
