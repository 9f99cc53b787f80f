/*
 * keyed: the balancing methods in which a key, or the client's address, leads to a peer.
 *
 *     hash, ip_hash         as nginx computes them, so that keys keep their servers
 *     hash ... consistent   the ring (ring.h), with bounded load if asked for
 *
 * A peer that is coming back (slow_start) gets its keys back a part at a time, each for good.
 * Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_KEYED_H
#define MODULES_UPSTREAM_KEYED_H

#include "modules/upstream/choice.h"

/* One of the servers, no backup; NULL when the key leads to none that may be asked. */
upstream_peer_t *keyed_pick(choice_t *c);

#endif
