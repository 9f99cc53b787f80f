/*
 * proxy_next: whether another origin is asked when one has failed: what proxy_next_upstream says of
 * the failure, whether the request may be sent a second time at all, and the retry budget.
 *
 * RFC 9110 9.2.2 and RFC 9112 9.3.1: a request that some origin may have acted upon is repeated
 * only when its method is idempotent (or non_idempotent says otherwise), and while its body is
 * still held whole. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PROXY_NEXT_H
#define MODULES_UPSTREAM_PROXY_NEXT_H

#include "modules/upstream/proxy.h"

/* Whether asking twice does the same as asking once (RFC 9110 9.2.2). */
bool proxy_next_idempotent(const proxy_t *p);

/* Whether the failure (a PROXY_ bit) is one of those that another origin is asked for. */
bool proxy_next_wants(const proxy_t *p, unsigned failure);

/* Whether another attempt may follow a failure (a PROXY_ bit); it is taken from the budget. */
bool proxy_next_may(proxy_t *p, unsigned failure);

/* Whether it is a request for which two attempts may run at the same time. */
bool proxy_next_may_race(const proxy_t *p);

/* Whether the second of them may begin beside the first; it is taken from the budget. */
bool proxy_next_may_hedge(proxy_t *p);

#endif
