/*
 * group: an upstream group without sockets, and requests that pick from it. Servers are named a, b,
 * c and so on; the time stands still but for clock_set. One group at a time.
 */
#ifndef TESTS_UNIT_UPSTREAM_GROUP_H
#define TESTS_UNIT_UPSTREAM_GROUP_H

#include <stdlib.h>

#include "modules/upstream/balance.h"

enum { PICKS = 100 * 1000 };

#define EXPECT_SHARE(n, share) \
    cr_expect(labs((long)(n) - (long)((share) * PICKS)) < PICKS / 100, "%u picks instead of %.0f", \
              (n), (share) * PICKS)

extern pool_t *group_pool; /* of the last group */

/* n servers with these weights (NULL: 1 each). The one before ends. */
upstream_t *group_new(const unsigned *weights, unsigned n);
void group_end(void); /* of a test */

/* One of four came back 25 seconds ago, and has its whole weight after 100. */
upstream_t *group_with_a_late_one(upstream_method_t method);

unsigned group_index(const upstream_t *g, const upstream_peer_t *peer);
char group_name(const upstream_t *g, const upstream_peer_t *peer); /* '-': NULL */
peer_state_t *group_state(upstream_t *g, unsigned i);

/* Somebody changes what holds for the peer. */
void group_change(upstream_t *g, unsigned i, peer_settings_t to);

/* A request that has not picked yet. */
choice_t group_request(upstream_t *g);

/* Requests one after the other: the name of who was picked, of n of them, how many each got. */
char group_pick_one(upstream_t *g, balance_result_t result);
const char *group_pick(upstream_t *g, unsigned n);
void group_count_picks(upstream_t *g, unsigned n, unsigned *count);

/* The index of who is picked for this key. */
unsigned group_pick_key(upstream_t *g, unsigned key);

#endif
