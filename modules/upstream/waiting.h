/*
 * waiting: `queue`: requests that wait while all peers of their group have max_conns exchanges.
 *
 * Each worker has a line of its own for each group, first come, first served. The first in line is
 * woken when an exchange of its worker ends, and looks every WAITING_POLL_MS whether one of another
 * worker's has.
 */
#ifndef MODULES_UPSTREAM_WAITING_H
#define MODULES_UPSTREAM_WAITING_H

#include "modules/upstream/balance.h"

enum { WAITING_POLL_MS = 20 };

/*
 * As balance_pick, but waits in line if need be. NULL: none is live (*err 0), the line is full
 * (-EAGAIN), it took too long (-ETIMEDOUT), or the reason of a cancellation. Suspends.
 */
upstream_peer_t *waiting_pick(choice_t *c, int *err);

#endif
