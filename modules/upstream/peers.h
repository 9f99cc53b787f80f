/*
 * peers: what all workers know of the servers of a group: a zone for every upstream block.
 *
 * The zone has a slot for each address of each server, found by address and name, so that a reload
 * that keeps a server keeps what is known of it. Everything in a slot is read and written with
 * relaxed atomics; the lock guards only who has which slot. Exchanges in flight are counted by each
 * worker in a lane of its own, and only the lanes of living workers count, so that a worker that
 * is killed takes its exchanges with it. Where there is no zone (a group without a block, one with
 * more addresses than slots, tests) a peer's state is the worker's own. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_PEERS_H
#define MODULES_UPSTREAM_PEERS_H

#include "core/config/conf.h"
#include "core/shared/shm.h"
#include "core/shared/zone.h"

typedef struct peer_state {
    uint64_t id;          /* 0: a free slot */
    uint64_t requests, failures;
    uint64_t failed_ms;   /* clock_ms of the last failure; 0: none */
    uint64_t checked_ms;  /* of the last failure, or of the first try after a rest */
    uint64_t back_ms;     /* when it came back from a rest: slow_start; 0: never */
    uint64_t out_ms;      /* an outlier is out until then; 0: it is in */
    uint64_t latency_us;  /* peak-sensitive moving average; 0: not known */
    uint64_t latency_ms;  /* clock_ms of it */
    uint32_t fails;       /* in a row */
    int32_t effective;    /* weight, less what failures have taken from it */
    uint32_t active;      /* exchanges of those without a lane */
    uint32_t last_status; /* of the last failure */
} peer_state_t;

#define PEER_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define PEER_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define PEER_ADD(field, value) __atomic_fetch_add(&(field), (value), __ATOMIC_RELAXED)

typedef struct peers_shared {
    shm_lock_t lock;
    unsigned slots, lanes;
    unsigned used;        /* no lane from this one on was ever joined */
    uint64_t ticket;      /* turns of the round robin handed out */
    uint64_t judged_ms;   /* clock_ms when outliers were last looked for */
    peer_state_t *states; /* slots */
    uint64_t *owners;     /* lanes: the worker's process */
    uint32_t *active;     /* lanes x slots */
    uint8_t *held;        /* lanes x slots: a worker has a peer in the slot */
} peers_shared_t;

/* One worker's hands on it. Zeroed; made with peers_join. */
typedef struct peers {
    peers_shared_t *shared; /* NULL: all states are the worker's own */
    unsigned lane;
    const uint32_t **live;  /* the counts of living workers, as of peers_look */
    unsigned live_count;
} peers_t;

/* One peer's place. */
typedef struct peer_place {
    peer_state_t *state;
    uint32_t *mine;         /* this worker's exchanges with it */
    unsigned slot;          /* PEER_OWN: not in the zone */
} peer_place_t;

enum { PEER_OWN = ~0u };

/* Declares the zone of a group. NULL has been said. */
zone_t *peers_zone(conf_t *cf, const tree_node_t *node, str_t group, unsigned servers);

/* Makes the content: init of the zone. */
typedef struct peers_size {
    unsigned slots, lanes;
} peers_size_t;
void *peers_init(slab_t *slab, void *size);
size_t peers_bytes(const peers_size_t *size);

/* In a worker, before anything else. shared may be NULL. */
void peers_join(peers_t *p, pool_t *pool, peers_shared_t *shared);

/* The place of the peer of that identity (any text), with what is known of it. */
peer_place_t peers_enter(peers_t *p, pool_t *pool, str_t identity, unsigned weight);
void peers_leave(peers_t *p, const peer_place_t *place);

/* Brings up to date whose exchanges count; once before peers_active is asked. */
void peers_look(peers_t *p);

/* Exchanges in flight with the peer, of all living workers. */
static inline unsigned peers_active(const peers_t *p, const peer_place_t *place)
{
    unsigned n = PEER_GET(place->state->active);
    if (place->slot == PEER_OWN) return n;
    for (unsigned i = 0; i < p->live_count; i++) n += PEER_GET(p->live[i][place->slot]);
    return n;
}

#endif
