/*
 * fetch: the content of a request, made by an inner request in a fiber of its own.
 *
 * For a cache: what is fetched for one client may be of use to others, so it must not end with that
 * client, nor wait for it. For a question that is asked of another URI before a request is
 * answered. The inner request owns copies of all it needs and runs the content phase alone, or is
 * located by its own URI (no access, no filters, no log line). What it replies goes to the fetch's
 * owner (fetch_ops_t), or, when the owner does not want it, piece by piece to the request it was
 * made for.
 *
 *     request_t *in = fetch_request(r);          edit in->head.headers, in->method ...
 *     fetch_t *f = fetch_start(r, in, &ops, state);
 *     switch (fetch_wait(f)) ...
 *     fetch_leave(f);
 *
 * An inner request may itself fetch. A fetch_t is freed when both sides have ended. All fetches of
 * a worker can be cancelled, and count among worker_connections. fetch_wait, fetch_relay and
 * fetch_next suspend.
 */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include "http/request.h"

typedef struct fetch fetch_t;

enum {
    FETCH_TAKE = 1,  /* the owner takes the body */
    FETCH_RELAY = 2, /* the outer request is to have it; an error when that has left */
};

/* All of them run in the inner request's fiber and may suspend. */
typedef struct fetch_ops {
    /* The reply has a head: in->reply, and where it comes from an origin in->upstream_headers.
       While the outer request waits it may be used. FETCH_TAKE, FETCH_RELAY, or a negative errno
       that aborts the fetch. */
    int (*head)(void *state, request_t *in, bool outer_waits);
    /* Of a body that is taken. 0 or a negative errno that aborts. */
    int (*body)(void *state, request_t *in, const piece_t *pieces, unsigned n, unsigned flags);
    /* Once, the last of all: in->reply.finished says whether the reply was whole, `v` is what the
       content phase ended with. */
    void (*end)(void *state, request_t *in, verdict_t v);
} fetch_ops_t;

/*
 * A request for the same content as r, ready to be started: a copy of all that r knows but its
 * body, its preconditions and ranges.
 */
request_t *fetch_request(request_t *r);

/*
 * A GET of another URI (normalised, in the configuration or in r's pool) of the same server,
 * internal, with the same header fields: a question of r's own rather than its content. What it
 * learns of origins stays its own.
 */
request_t *fetch_request_elsewhere(request_t *r, str_t uri);

/* Without preconditions and ranges: the answer is to be the whole one (of fetch_request it is). */
void fetch_whole(request_t *in);

/* Takes over the inner request. NULL: no connection or fiber is left, nothing was called, and the
   inner request is gone. outer NULL: nobody waits; the fetch is on its own. */
fetch_t *fetch_start(request_t *outer, request_t *inner, const fetch_ops_t *ops, void *state);

typedef enum fetch_stage {
    FETCH_ASKING,
    FETCH_TAKEN,   /* the owner has the head and takes the body */
    FETCH_RELAYED, /* call fetch_relay */
    FETCH_ENDED,   /* without a head: fetch_verdict tells how */
    FETCH_LEFT,    /* the wait was cancelled: the client left, or the worker must stop */
} fetch_stage_t;

/* Waits until it is plain what comes of it, and hands interim responses to the client meanwhile. */
fetch_stage_t fetch_wait(fetch_t *f);

/* Sends the relayed reply to the client. */
verdict_t fetch_relay(fetch_t *f);

/*
 * Or by hand: fetch_head makes the outer reply's head that of the relayed one, not sent yet; the
 * body comes in offers, each of which stands until fetch_took (0, or a negative errno that aborts
 * the fetch). False: nothing more comes. It was whole if the last offer had BODY_LAST.
 */
typedef struct fetch_offer {
    const piece_t *pieces;
    unsigned n, flags;
} fetch_offer_t;

void fetch_head(fetch_t *f);
bool fetch_next(fetch_t *f, fetch_offer_t *out);
void fetch_took(fetch_t *f, int err);

/* What it learns of origins stays its own: of several fetches for one request the first tells. */
void fetch_keep_apart(fetch_t *f);

/* What the content phase said instead of replying, made the outer request's own. */
verdict_t fetch_verdict(fetch_t *f);

/* The outer request has no more interest; what was learnt of origins ($upstream_*) is carried
   over. */
void fetch_leave(fetch_t *f);

/* The time for stopping is over. */
void fetch_cancel_all(void);

#endif
