/*
 * discover: names of servers become addresses, and stay up to date.
 *
 * One worker (peers_claim) asks for the names of a group as their answers expire, in a fiber for
 * each name, and puts what it learns into the roster for all. A worker that has a request and no
 * address at all asks itself. What cannot be had leaves the addresses as they were and is tried
 * again soon, so a name that does not resolve keeps nobody from starting. The group's `resolver`
 * is asked.
 */
#ifndef MODULES_UPSTREAM_DISCOVER_H
#define MODULES_UPSTREAM_DISCOVER_H

#include "http/request.h"
#include "modules/upstream/upstream.h"

/*
 * Brings the peers up to date before one of them is asked. 0, or an error when there is none at all
 * (logged; -ENOENT, -ETIMEDOUT, -EIO, a cancellation's reason). Suspends when no address is known.
 */
int discover(upstream_t *g, request_t *r);

/* A name may have been added. */
void discover_wake(void);

/* In a worker: begins and ends to look after the groups' names. groups may be NULL. */
void discover_start(const upstream_groups_t *groups);
void discover_stop(void);

#endif
