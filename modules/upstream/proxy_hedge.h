/*
 * proxy_hedge: proxy_hedge_after: another server is asked the same when the first takes long.
 *
 * The second attempt runs in a fiber of its own beside the request's. Whose head comes first, and is
 * none that proxy_next_upstream calls a failure, goes to the client; the other attempt is cancelled
 * and its connection closed. A GET or HEAD without a body, which does not belong to a server
 * (sticky), may be hedged once, a while after it has been sent; it counts as an attempt and against
 * the retry budget.
 *
 * "After 95%" is the time within which so many of the group's last answers began, all workers' taken
 * together. What was given up for a faster answer counts with the time it had taken by then, so that
 * hedging does not make its own yardstick shorter and shorter.
 */
#ifndef MODULES_UPSTREAM_PROXY_HEDGE_H
#define MODULES_UPSTREAM_PROXY_HEDGE_H

#include "modules/upstream/proxy.h"

/* Before the attempts: whether one of them may be hedged; p->race then. */
void proxy_hedge_prepare(proxy_t *p);

#endif
