/*
 * peers: what all workers know of the servers of a group: a zone for every upstream block.
 *
 * The zone has a slot for each address of each server, found by address and name, so that a reload
 * that keeps a server keeps what is known of it. Everything in a slot is read and written with
 * relaxed atomics; the lock guards only who has which slot. Exchanges in flight are counted by each
 * worker in a lane of its own, and only the lanes of living workers count, so that a worker that
 * is killed takes its exchanges with it. Where there is no zone (a group without a block, one with
 * more addresses than slots, tests) a peer's state is the worker's own. Nothing suspends.
 *
 * What a server's line says of its peers (weight, max_conns, down, drain, backup) is a start: the
 * slot holds what is in force, and peers_set changes it for all workers at once, from any process
 * that maps the zone. Each worker keeps a copy (upstream_peer_t) that it takes anew when it sees
 * that `changes` has moved on, which costs a pick one load. A change outlives a reload unless the
 * server's line was changed, too.
 *
 * A server that is a name has a slot of its own besides those of its addresses: what an operator
 * has said of the name, which holds for addresses that come later or come back (peers_follow).
 */
#ifndef MODULES_UPSTREAM_PEERS_H
#define MODULES_UPSTREAM_PEERS_H

#include "core/base/clock.h"
#include "core/config/conf.h"
#include "core/shared/histogram.h"
#include "core/shared/shm.h"
#include "core/shared/zone.h"
#include "modules/upstream/budget.h"
#include "modules/upstream/roster.h"
#include "modules/upstream/tally.h"

/* What the configuration says of a peer, and an operator may change while it serves. */
typedef struct peer_settings {
    uint32_t weight;      /* not 0 */
    uint32_t max_conns;   /* 0: any number */
    uint32_t flags;       /* PEER_DOWN ... */
} peer_settings_t;

enum {
    PEER_DOWN = 1 << 0,   /* is asked nothing */
    PEER_DRAIN = 1 << 1,  /* is asked nothing new */
    PEER_BACKUP = 1 << 2, /* is asked when no other can be */
};

enum { PEER_UNCHECKED, PEER_HEALTHY, PEER_UNHEALTHY };

typedef struct peer_state {
    uint64_t id;          /* 0: a free slot */
    peer_settings_t settings;   /* in force: peers_settings, peers_set */
    peer_settings_t configured; /* as the configuration had them when they were last taken over */
    uint64_t told;        /* when an operator set them, counted in `changes`; 0: never */
    uint64_t requests, failures;
    uint64_t failed_ms;   /* clock_ms of the last failure; 0: none */
    uint64_t checked_ms;  /* of the last failure, or of the first try after a rest */
    uint64_t back_ms;     /* when it came back from a rest: slow_start; 0: never */
    uint64_t out_ms;      /* an outlier is out until then; 0: it is in */
    uint64_t latency_us;  /* peak-sensitive moving average; 0: not known */
    uint64_t latency_ms;  /* clock_ms of it */
    uint32_t health;      /* PEER_UNCHECKED ...: as the active checks found it */
    uint32_t check_fails, check_passes; /* of them, in a row; a failed exchange ends passes, too */
    uint32_t fails;       /* in a row */
    int32_t effective;    /* weight, less what failures have taken from it */
    uint32_t active;      /* exchanges of those without a lane */
    uint32_t last_status; /* of the last failure */
    uint32_t ejections;   /* how often it was an outlier */
    uint32_t number;      /* of the configuration that `configured` is of */
    uint64_t error_ms;    /* clock_unix_ms of the last error; 0: none */
    char error[96];       /* what it was; always ends */
} peer_state_t;

#define PEER_GET(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define PEER_SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define PEER_ADD(field, value) __atomic_fetch_add(&(field), (value), __ATOMIC_RELAXED)

/* Milliseconds since then; 0 for a time to come. */
static inline uint64_t peers_age(uint64_t then_ms)
{
    uint64_t now = clock_ms();
    return now > then_ms ? now - then_ms : 0;
}

typedef struct peers_shared {
    shm_lock_t lock;
    unsigned slots, lanes; /* 0: there is no zone */
    unsigned used;        /* no lane from this one on was ever joined */
    uint64_t changes;     /* how often settings of some peer were changed */
    uint64_t ticket;      /* turns of the round robin handed out */
    uint64_t keeper;      /* of peers_claim: lane + 1, and the process; 0: nobody */
    uint64_t judged_ms;   /* clock_ms when outliers were last looked for */
    budget_t budget;      /* of attempts beyond the first */
    histogram_t times;    /* until answers began, in microseconds: proxy_hedge_after 95% */
    peer_state_t *states; /* slots */
    uint64_t *owners;     /* lanes: the worker's process */
    uint32_t *active;     /* lanes x slots */
    uint8_t *held;        /* lanes x slots: a worker has a peer in the slot */
    tally_t *tallies;     /* lanes x slots; they outlive the worker */
    roster_t *roster;     /* servers that come and go; NULL where there is no zone */
} peers_shared_t;

/* One worker's hands on it. Zeroed; made with peers_join. */
typedef struct peers {
    peers_shared_t *shared; /* the worker's own, without slots, where there is no zone */
    unsigned lane;
    uint32_t number;        /* of the configuration; later ones have larger ones */
    const uint32_t **live;  /* the counts of living workers, as of peers_look */
    unsigned live_count;
    uint32_t *sums;         /* slots: of peers_sum */
} peers_t;

/* One peer's place. */
typedef struct peer_place {
    peer_state_t *state;
    uint32_t *mine;         /* this worker's exchanges with it */
    tally_t *tally;         /* this worker's; NULL where there is no zone */
    unsigned slot;          /* PEER_OWN: not in the zone */
    bool fresh;             /* it was free before */
} peer_place_t;

enum { PEER_OWN = ~0u };

/* What the zone has room for. */
typedef struct peers_size {
    unsigned slots, lanes;
    unsigned names;             /* of the roster; 0: it has none */
    const conf_strs_t *lines;   /* servers that the roster begins with; NULL: none */
} peers_size_t;

/*
 * Declares the zone of that name for a group of so many servers, of which so many are names. NULL
 * and *why on failure.
 */
zone_t *peers_zone(conf_t *cf, str_t name, unsigned servers, unsigned names,
                   const conf_strs_t *lines, const char **why);

/* Makes the content: init of the zone. */
void *peers_init(slab_t *slab, void *size);
size_t peers_bytes(const peers_size_t *size);

/* In a worker of configuration `number`, before anything else. shared may be NULL. */
void peers_join(peers_t *p, pool_t *pool, peers_shared_t *shared, uint32_t number);

/* The place of the peer of that identity (any text), with what is known of it. */
peer_place_t peers_enter(peers_t *p, pool_t *pool, str_t identity, const peer_settings_t *conf);
void peers_leave(peers_t *p, const peer_place_t *place);

/* What is in force, and what an operator says shall be from now on, which forgets failures' cost in
   weight. */
peer_settings_t peers_settings(const peer_state_t *state);
void peers_set(peers_shared_t *s, peer_state_t *state, const peer_settings_t *settings);

/* The peer is an address of that name: takes over what was said of the name since its own was. */
void peers_follow(peers_shared_t *s, peer_state_t *state, const peer_state_t *name);

/* What the checks found, for all workers at once. */
void peers_set_health(peers_shared_t *s, peer_state_t *state, uint32_t health);

/*
 * What must be done once for the group is done by one worker: true when it is this one, from now on
 * or still. It stays so until peers_disclaim or the worker's death.
 */
bool peers_claim(peers_t *p);
void peers_disclaim(peers_t *p);

/* Something that all workers must see was changed. */
static inline void peers_changed(peers_shared_t *s)
{
    __atomic_fetch_add(&s->changes, 1, __ATOMIC_RELEASE);
}

/* The server is removed: should it come again, what its line says then holds. */
static inline void peers_forget(peer_state_t *state)
{
    state->configured = (peer_settings_t){0};
}

/* Moves on with each change of what all workers must see; ordered before the settings are read. */
static inline uint64_t peers_changes(const peers_t *p)
{
    return __atomic_load_n(&p->shared->changes, __ATOMIC_ACQUIRE);
}

/* Keeps the text, with that of the errno when it is not 0, as the peer's last error. */
void peers_note_error(peer_state_t *state, int err, const char *text);

/* What all workers, past and present, have counted. */
tally_sum_t peers_tally(const peers_t *p, const peer_place_t *place);

/* Brings up to date whose exchanges count; once before peers_active is asked. */
void peers_look(peers_t *p);

/*
 * Exchanges in flight of all living workers, as of peers_look, into p->sums for the first n slots
 * (a multiple of 4) at once; the least of those whose bar is 0 (bars of others: INT32_MAX).
 */
uint32_t peers_sum(peers_t *p, const uint32_t *bars, unsigned n);

/* Exchanges in flight with the peer, of all living workers. */
static inline unsigned peers_active(const peers_t *p, const peer_place_t *place)
{
    unsigned n = PEER_GET(place->state->active);
    if (place->slot == PEER_OWN) return n;
    for (unsigned i = 0; i < p->live_count; i++) n += PEER_GET(p->live[i][place->slot]);
    return n;
}

#endif
