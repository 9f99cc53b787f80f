/*
 * origin: a server whose every byte a test decides.
 *
 *     static void half(visit_t *v)
 *     {
 *         visit_request(v);
 *         visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
 *     }
 *     origin_t *o = origin_start("origin", half, NULL);    // and @origin@ is its port
 *
 * The function serves one connection in a thread of its own; when it returns, the connection is
 * closed. It must not use the harness's memory or assertions. Requests are recorded, and held
 * strictly against RFC 9112: the test fails in the end when one was malformed. All is stopped and
 * freed when the test ends.
 */
#ifndef TESTS_E2E_ORIGIN_H
#define TESTS_E2E_ORIGIN_H

#include "tests/e2e/harness.h"

typedef struct origin origin_t;
typedef struct visit visit_t;
typedef void origin_fn(visit_t *v);

/* --- for the test --- */

/* The placeholder @name@ becomes its port; of the unix one its path. */
origin_t *origin_start(const char *name, origin_fn *serve, const void *arg);
origin_t *origin_start_unix(const char *name, origin_fn *serve, const void *arg);

unsigned origin_connections(origin_t *o); /* accepted so far */
unsigned origin_requests(origin_t *o);    /* received whole so far */

/* Head (with its empty line) and decoded body of a request; both wait for it. Valid to the end. */
const char *origin_head(origin_t *o, unsigned index);
str_t origin_body(origin_t *o, unsigned index);
const char *origin_trailers(origin_t *o, unsigned index);

/* The value of a field of that request, or NULL. */
const char *origin_field(origin_t *o, unsigned index, const char *name);

/* Lets everybody pass who waits or will wait in visit_gate. */
void origin_open_gate(origin_t *o);

/* Waits until this many connections have come, have been closed by the peer, or are over. */
bool origin_await_connections(origin_t *o, unsigned n);
bool origin_await_left(origin_t *o, unsigned n);

/* Stops accepting, so that connections are refused, and closes all connections. */
void origin_stop(origin_t *o);

/* One that answers no connection: its queue is full of n - 1. The n descriptors are the
   caller's. */
void origin_deaf(const char *name, int *fds, int n);

/* --- for the function that serves --- */

const void *visit_arg(const visit_t *v);
unsigned visit_number(const visit_t *v); /* of the connection, from 0 */

/* Reads a request with its body; false at the end. The head alone; the body alone. */
bool visit_request(visit_t *v);
bool visit_read_head(visit_t *v);
bool visit_read_body(visit_t *v);

/* The last request. */
const char *visit_head(const visit_t *v);
bool visit_target_is(const visit_t *v, const char *target);

/* The peer's address without port, into out. */
void visit_peer(const visit_t *v, char *out, size_t n);

/* Some bytes, whatever they are; 0 at the end. */
size_t visit_read(visit_t *v, char *out, size_t n);

void visit_send(visit_t *v, const char *bytes);
bool visit_send_n(visit_t *v, const char *p, size_t n); /* false: the peer is gone */
void visit_gate(visit_t *v);       /* waits for origin_open_gate or the end of the test */
void visit_await_left(visit_t *v); /* waits until the peer has closed */
void visit_shut(visit_t *v);       /* sends the end, still reads */
void visit_reset(visit_t *v);      /* the connection will be reset, not closed */

/* --- stock functions --- */

origin_fn origin_say;      /* answers every request with the text arg */
origin_fn origin_say_once; /* answers one with it, and closes */
origin_fn origin_echo;     /* answers every request with head and body as they came */
origin_fn origin_silent;   /* reads requests and never answers */
origin_fn origin_hang_or_say; /* as origin_say, but for /hang, which waits until the peer leaves */
origin_fn origin_late;        /* answers one request with "late" when the gate is open */

/* A site that passes all on to the origin of this name. */
#define ORIGIN_SITE \
    "server { listen 127.0.0.1:@http@; location / { proxy_pass http://127.0.0.1:@origin@; } }"

#endif
