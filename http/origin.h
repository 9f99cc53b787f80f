/*
 * origin: a connection to an origin, from connect to close, kept idle between exchanges.
 *
 * One holder at a time: an exchange (client.c), a tunnel, or whoever keeps it idle. Every one
 * counts as one of worker_connections. An idle one is watched by the loop: when the origin closes
 * it, says anything, or time is over, it is closed and its keeper told. Only origin_open suspends.
 */
#ifndef HTTP_ORIGIN_H
#define HTTP_ORIGIN_H

#include "core/io/stream.h"
#include "core/io/timer.h"

typedef struct origin origin_t;

struct origin {
    stream_t stream;
    net_addr_t peer, from;      /* from.len 0: bound to nothing */
    uint64_t opened_ms;         /* clock_ms */
    unsigned exchanges;         /* begun on it */
    /* while idle */
    list_t all;                 /* among all idle ones of the process */
    struct timer idle;
    void (*lost)(origin_t *o);  /* the keeper's: forget it, it is closed right after */
    /* the keeper's own */
    void *keeper;
    list_t link, bucket;
    uint32_t hash;              /* of the address */
};

/*
 * Connects. NULL and *err: negative errno; -EMFILE also when worker_connections are used up, and no
 * connection that only idles could make room. from may be NULL. Suspends.
 */
origin_t *origin_open(const net_addr_t *to, const net_addr_t *from, uint64_t timeout_ms, int *err);

void origin_close(origin_t *o); /* NULL is allowed */

/* Asks the kernel whether the origin has closed it or sent what nobody asked for. */
bool origin_is_quiet(origin_t *o);

/* Leaves the connection to the loop for at most that long; `lost` is called should it go. */
void origin_rest(origin_t *o, uint64_t timeout_ms, void (*lost)(origin_t *o));

/* Takes it back for an exchange. */
void origin_resume(origin_t *o);

/* Connections or descriptors run short: closes some idle ones, the longest idle first. How many. */
unsigned origin_reclaim(void);

/* The worker stops: closes all idle connections, telling their keepers. */
void origin_close_idle(void);

#endif
