/*
 * budget: how many attempts beyond the first the requests of a group may make together, so that an
 * origin in trouble is not hammered by those it fails.
 *
 * Within the last BUDGET_SECONDS that is a share of the requests, but some a second in any case. A
 * budget is in shared memory and counts with relaxed atomics: two who ask at once may both get the
 * last one. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_BUDGET_H
#define MODULES_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_SECONDS = 10 };

typedef struct budget_limit {
    bool off;         /* no limit */
    unsigned percent; /* of the requests */
    unsigned least;   /* a second */
} budget_limit_t;

typedef struct budget { /* zero: nothing has happened yet */
    struct budget_second {
        uint64_t second; /* of clock_ms; what is older than BUDGET_SECONDS does not count */
        uint32_t requests, attempts;
    } seconds[BUDGET_SECONDS];
    uint64_t spent_ms;   /* clock_ms when somebody was refused last; 0: never */
} budget_t;

/* A request begins. */
void budget_count(budget_t *b);

/* Whether one more attempt may be made: it is counted. */
bool budget_take(budget_t *b, const budget_limit_t *limit);

/* After a refusal: whether it is the first for a while, and worth a line in the log. */
bool budget_is_news(budget_t *b);

#endif
