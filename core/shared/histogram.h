/*
 * histogram: how values are spread, for percentiles: counts of buckets whose width is an eighth of
 * an octave, so that what is told is never more than an eighth too much.
 *
 * All processes that share the memory add to it with relaxed atomics. What is older than some
 * HISTOGRAM_FADE_MS counts less and less: all counts are halved that often. Nothing suspends.
 */
#ifndef CORE_SHARED_HISTOGRAM_H
#define CORE_SHARED_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 8,      /* buckets of an octave */
    HISTOGRAM_BITS = 36,      /* larger values count as the largest of so many */
    HISTOGRAM_BUCKETS = (HISTOGRAM_BITS - 2) * HISTOGRAM_STEPS,
    HISTOGRAM_FADE_MS = 10 * 1000,
};

typedef struct histogram { /* zero: empty */
    uint64_t faded_ms;     /* clock_ms of the last halving */
    uint32_t counts[HISTOGRAM_BUCKETS];
} histogram_t;

void histogram_add(histogram_t *h, uint64_t value);

uint64_t histogram_count(const histogram_t *h);

/* The value that so many percent of the values do not exceed; 0 when there is none. */
uint64_t histogram_percentile(const histogram_t *h, unsigned percent);

#endif
