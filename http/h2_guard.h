/*
 * h2_guard: what a client of HTTP/2 may do so often and no oftener: frames that cost us more than
 * it, and give it nothing. One budget per kind and connection, that fills up again with time.
 * Nothing suspends.
 */
#ifndef HTTP_H2_GUARD_H
#define HTTP_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

typedef enum h2_nuisance {
    H2_RESETS,        /* streams cancelled by the client, or by us for an error of its own */
    H2_CONTINUATIONS,
    H2_PINGS,
    H2_SETTINGS,
    H2_PRIORITIES,
    H2_EMPTY_DATA,
    H2_WINDOW_UPDATES, /* earned by what we send */
    H2_NUISANCES
} h2_nuisance_t;

typedef struct h2_guard {
    uint16_t spent[H2_NUISANCES];
    uint64_t since_ms; /* clock_ms: refilled until then */
} h2_guard_t;

/* Counts one. False: it is one too many. */
bool h2_guard_allows(h2_guard_t *g, h2_nuisance_t kind);

/* A budget is given back so many. */
void h2_guard_forgive(h2_guard_t *g, h2_nuisance_t kind, unsigned n);

/* "resets of streams" and so on, for the log. */
const char *h2_guard_name(h2_nuisance_t kind);

#endif
