/*
 * mux: an HTTP/2 connection to an origin, shared by as many exchanges as it has room for.
 *
 * Each has one fiber that reads for all of its streams and writes what they have gathered: requests
 * that begin in the same turn of the loop leave in one write. The connection goes by itself: when
 * it has been idle too long, is old or used enough and empty, was told so (mux_retire), the worker
 * stops, or it is lost; its streams then fail (mux_stream_t.error) and its keeper is told. What is
 * silent while streams wait is asked for a sign of life (`ping`). Nothing here suspends.
 */
#ifndef HTTP_MUX_H
#define HTTP_MUX_H

#include "http/mux_session.h"
#include "http/origin.h"

typedef struct mux mux_t;

typedef struct mux_limits {
    unsigned requests;  /* on one connection */
    uint64_t time;      /* ms; the age from which nothing new is begun on it */
    uint64_t idle;      /* ms without a stream until it is closed */
    uint64_t ping;      /* ms of silence until it is asked, and then until it is lost; 0: never */
} mux_limits_t;

struct mux {
    mux_session_t session;
    origin_t *origin;
    fiber_t *driver;
    mux_limits_t limits;
    list_t all;            /* among those of the process; of those without a stream, the longest
                              idle first */
    uint64_t heard_ms, idle_ms; /* clock_ms: of the last byte; since when without a stream */
    bool busy;             /* has had a stream since `rested` */
    bool pinged, retired;
    bool more;             /* there was more to read than one turn takes */
    /* The keeper's; may be set behind mux_start. */
    void (*settled)(mux_t *m); /* the origin has said how many streams it allows */
    void (*rested)(mux_t *m);  /* its last stream has gone */
    void (*lost)(mux_t *m);    /* it ends: forget it */
    void *keeper;
    list_t link;
};

/* The connection belongs to the mux from now on. NULL: no fiber could be had, and it was closed. */
mux_t *mux_start(origin_t *o, const mux_limits_t *limits);

/* Whether another exchange may begin on it. */
bool mux_has_room(const mux_t *m);

/*
 * Looks whether the origin has closed an idle connection whose event is still to come: for what
 * must not be asked twice.
 */
bool mux_is_quiet(mux_t *m);

/* Closes it as soon as it has no stream. */
void mux_retire(mux_t *m);

/*
 * Connections or descriptors run short: closes some without a stream, the longest idle first, when
 * the fibers that are ready have run. How many.
 */
unsigned mux_reclaim(void);

/*
 * mux_session_open and its kin; what they gather will be written. A stream that is over takes all
 * of them and does nothing.
 */
int mux_open(mux_t *m, mux_stream_t *s, const nghttp2_nv *head, size_t n, bool ends);
void mux_send(mux_stream_t *s);
void mux_consume(mux_stream_t *s, size_t n);
void mux_close(mux_stream_t *s);

/* The worker stops: closes all that have no stream, and the others when they have none. */
void mux_stop_all(void);

#endif
