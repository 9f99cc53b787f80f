/*
 * tally: what exchanges with a peer came to, as one worker counts them.
 *
 * Each worker has a tally of its own for each peer in the group's zone, so counting costs a few
 * plain stores; who reads adds up those of all workers, also of such that have gone. How long
 * answers took is a histogram of buckets that grow by a quarter of a power of two, over the last
 * few thousands: when a worker has counted TALLY_MEMORY, all its buckets are halved. Nothing
 * suspends.
 */
#ifndef MODULES_UPSTREAM_TALLY_H
#define MODULES_UPSTREAM_TALLY_H

#include "http/request.h"

enum { TALLY_CLASSES = 5, TALLY_BUCKETS = 88, TALLY_MEMORY = 8192 };

typedef struct tally {
    uint64_t responses[TALLY_CLASSES];       /* 1xx (101) to 5xx */
    uint64_t failures[UPSTREAM_FAILURES];    /* by enum upstream_failure */
    uint64_t received, sent;                 /* bytes */
    uint32_t remembered;                     /* the sum of times */
    uint16_t times[TALLY_BUCKETS];           /* until the head of the answer */
} tally_t;

/* An exchange is over. */
void tally_note(tally_t *t, const upstream_attempt_t *attempt);

/* The sum of several, as it is read. Zeroed. */
typedef struct tally_sum {
    uint64_t responses[TALLY_CLASSES], failures[UPSTREAM_FAILURES], received, sent;
    uint64_t remembered, times[TALLY_BUCKETS];
} tally_sum_t;

void tally_add(tally_sum_t *sum, const tally_t *t);

/* The time, in microseconds, within which `percent` of the answers came, rounded up to the end of
   its bucket; 0 when there were none. */
uint64_t tally_percentile(const tally_sum_t *sum, unsigned percent);

/* As a status shows them; of UPSTREAM_FINE: NULL. */
extern const char *const tally_failure_names[UPSTREAM_FAILURES];

#endif
