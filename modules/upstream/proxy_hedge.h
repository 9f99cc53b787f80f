/*
 * proxy_hedge: proxy_hedge_after: another server is asked the same when the first takes long.
 *
 * What may be hedged runs in a fiber of its own beside the request's, and so does the second
 * attempt that comes a while after its begin: connecting, a handshake or the answer may be what
 * takes long. Whose head comes first, and is none that proxy_next_upstream calls a failure, goes to
 * the client; the other attempt is cancelled and its connection closed. A GET or HEAD without a
 * body, which neither belongs to a server (sticky) nor asks for a tunnel, may be hedged once; that
 * counts as an attempt and against the retry budget.
 *
 * "After 95%" is the time within which so many of the group's last answers began, all workers'
 * taken together. What was given up for a faster answer counts with the time it had taken by then,
 * so that hedging does not make its own yardstick shorter and shorter.
 */
#ifndef MODULES_UPSTREAM_PROXY_HEDGE_H
#define MODULES_UPSTREAM_PROXY_HEDGE_H

#include "modules/upstream/proxy.h"

/*
 * As proxy_attempt_ask; p may be the second attempt (with the first one's end noted) when it
 * returns. Suspends.
 */
verdict_t proxy_hedge_ask(proxy_t *p);

#endif
