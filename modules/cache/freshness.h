/*
 * freshness: for how long a response is fresh and how old it is (RFC 9111 4.2).
 *
 * All times are seconds; ages and lifetimes are cut to CACHE_CONTROL_MAX. Pure.
 */
#ifndef MODULES_CACHE_FRESHNESS_H
#define MODULES_CACHE_FRESHNESS_H

#include <time.h>

#include "modules/cache/cache_control.h"

typedef struct freshness_options {
    unsigned heuristic_percent; /* of the age of Last-Modified; 0: no heuristics */
    int64_t heuristic_max;      /* seconds a guess may not pass */
    bool ignore_cache_control, ignore_expires;
} freshness_options_t;

/* A tenth of the age, a day at most (RFC 9111 4.2.2 names the tenth). */
extern const freshness_options_t freshness_default;

typedef enum freshness_source {
    FRESHNESS_UNKNOWN,   /* neither said nor to be guessed: the lifetime is 0 */
    FRESHNESS_HEURISTIC, /* guessed from Last-Modified */
    FRESHNESS_EXPLICIT,  /* s-maxage, max-age, Expires */
} freshness_source_t;

typedef struct freshness {
    freshness_source_t source;
    int64_t lifetime;
    int64_t initial_age;  /* corrected_initial_age: when the response had come */
    time_t response_time; /* when it had come */
    time_t date;          /* Date, or response_time when that is missing or no date */
} freshness_t;

/* Whether a response with this status may be stored and guessed about without being told to be
   (RFC 9110 15.1). */
bool freshness_heuristic_status(unsigned status);

/* All of it, of a response that was asked for and came at the given times. */
freshness_t freshness_of(unsigned status, const header_list_t *response, const cache_control_t *cc,
                         time_t request_time, time_t response_time,
                         const freshness_options_t *options);

/* The current age (RFC 9111 4.2.3), which is also the value of Age. */
int64_t freshness_age(const freshness_t *f, time_t now);

/* Seconds until it is stale: fresh while positive; 0 or less: stale, for that many seconds. */
int64_t freshness_left(const freshness_t *f, time_t now);

#endif
